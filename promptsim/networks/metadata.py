"""Account metadata → do the accounts of a group share rare values (payment, address, software, creation) beyond chance?

Null model: every account draws its value from the values of all accounts. An account is linked when another of the
group carries the same value; the number of linked accounts is compared with a Poisson law. Common values (a large
network provider) are shared by chance and say nothing. Keys that the operator does not supply change nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from scipy import special

from promptsim.records import Activity

LINK_KEYS = ("payment_id", "ip", "asn", "user_agent", "account_created_at")
OWN_KEYS = ("payment_id", "ip", "account_created_at")  # users of one tool share software and provider, but not these
LEAST_KNOWN = 3  # accounts of the group whose value is known


@dataclass(frozen=True, slots=True)
class Link:
    """What one metadata key says of a group of accounts."""

    key: str
    known: int
    linked: int
    expected: float
    p_value: float


class MetadataIndex:
    """For each key, the values of each account and how many accounts carry each value."""

    def __init__(self, activity: Activity) -> None:
        self._values: dict[str, Mapping[int, tuple[str, ...]]] = {}
        self._holders: dict[str, Counter[str]] = {}
        for key in LINK_KEYS:
            raw = activity.metadata.get(key)
            if not raw:
                continue
            values = {account: _comparable(key, raw[account]) for account in sorted(raw)}
            self._values[key] = values
            self._holders[key] = Counter(value for held in values.values() for value in set(held))

    @property
    def known(self) -> bool:
        """Whether there is any."""
        return bool(self._values)

    def links(self, accounts: Collection[int]) -> list[Link]:
        """One link for each key that is known of at least three of the accounts."""
        found = [self._link(key, accounts) for key in self._values]
        return [link for link in found if link.known >= LEAST_KNOWN]

    def _link(self, key: str, accounts: Collection[int]) -> Link:
        values, holders = self._values[key], self._holders[key]
        known = sorted(account for account in accounts if values.get(account))
        inside = Counter(value for account in known for value in set(values[account]))
        linked = sum(any(inside[value] > 1 for value in values[account]) for account in known)
        others = max(len(values) - 1, 1)
        expected = 0.0
        for account in known:
            rate = sum(holders[value] - 1 for value in set(values[account])) / others
            expected += 1 - (1 - min(rate, 1.0)) ** (len(known) - 1)
        p_value = float(special.gammainc(linked, expected)) if linked and expected > 0 else 1.0
        return Link(key, len(known), linked, expected, min(1.0, p_value))


def combined(links: Collection[Link]) -> float | None:
    """One p-value for what only a common owner shares (the smallest, times their number), or None where it is
    unknown.
    """
    own = [link.p_value for link in links if link.key in OWN_KEYS]
    return min(1.0, len(own) * min(own)) if own else None


def _comparable(key: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """Creation times are compared by the hour; what does not parse is left out."""
    if key != "account_created_at":
        return tuple(value for value in values if value)
    hours = []
    for value in values:
        try:
            hours.append(datetime.fromisoformat(value.replace("Z", "+00:00")).strftime("%Y-%m-%dT%H"))
        except ValueError:
            continue
    return tuple(hours)
