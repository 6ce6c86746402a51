"""How commonplace a fixed text is: short, and sent by everyone a little rather than by some a lot.

"You are a helpful assistant." is a family and worth nothing. Length tells most, but real short templates exist; what
marks the commonplace one is that its sends are spread over as many accounts as there are.
"""

from __future__ import annotations

import math

from promptsim.records import Evidence

WEIGHT, PLAIN = "fixed_tokens", "commonplace"  # names of the evidence
SAYS_NOTHING, SAYS_ENOUGH = 3.0, 30.0  # fixed tokens


def commonplace(weight: float, events: int, accounts: int) -> float:
    """0 (says something) to 1 (anyone writes this)."""
    brief = math.log(SAYS_ENOUGH / max(weight, SAYS_NOTHING)) / math.log(SAYS_ENOUGH / SAYS_NOTHING)
    even = math.sqrt(min(accounts, events) / max(events, 1)) if accounts > 1 else 0.0
    return round(min(1.0, max(0.0, brief)) * even, 4)


def evidence(weight: float, events: int, accounts: int) -> tuple[Evidence, ...]:
    """The figures behind it, as a reviewer reads them."""
    value = commonplace(weight, events, accounts)
    each = events / max(accounts, 1)
    return (
        Evidence(WEIGHT, round(weight, 1), f"Its prompts share {weight:.0f} different tokens of fixed text."),
        Evidence(
            PLAIN,
            value,
            f"{weight:.0f} fixed tokens, sent {each:.1f} times by each of {accounts} accounts: "
            + ("anyone might write this." if value >= 0.5 else "not what just anyone writes."),
        ),
    )
