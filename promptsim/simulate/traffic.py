"""`simulate`: a number of events, a seed and a plan → a Simulation, the same for the same call, byte for byte.

plan ─► campaigns, benign look-alikes ─► Ledger ─► people fill what is left ─► sorted by time
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from random import Random

from promptsim.errors import UsageError
from promptsim.records import whole_text
from promptsim.simulate import benign
from promptsim.simulate.campaigns import plant
from promptsim.simulate.clock import next_of
from promptsim.simulate.language import Voice
from promptsim.simulate.ledger import Account, Ledger, Row, Sent
from promptsim.simulate.plan import Campaign, Plan
from promptsim.simulate.templates import Template


@dataclass(frozen=True, slots=True)
class Simulation:
    """Events of the contract in the order of time, and the truth about them.

    `truth_events`: {"id","family","campaign","role","text_hash"}; `truth_accounts`: {"account_id","campaign","kind",
    "pool"}; `truth_families`: {"family","kind","campaign","n_events","n_accounts","template_text"}. `left_out` names
    campaigns that found no room in so few events.
    """

    events: tuple[Row, ...]
    truth_events: tuple[Row, ...]
    truth_accounts: tuple[Row, ...]
    truth_families: tuple[Row, ...]
    campaigns: tuple[Campaign, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def accounts(self) -> tuple[str, ...]:
        """Every account that sends something."""
        return tuple(str(row["account_id"]) for row in self.truth_accounts)


def simulate(events: int = 5000, seed: int = 0, plan: Plan | None = None) -> Simulation:
    """Traffic with what the plan plants. The benign part of a seed is drawn apart from its campaigns."""
    if events < 1:
        raise UsageError(f"{events} events: ask for at least one")
    plan = plan or Plan()
    campaigns, left_out = plan.sized(events)
    ledger = Ledger(seed, plan.with_messages, plan.links)
    harness = benign.harness_prompt(_voice(seed, "harness prompt"))
    _benign(ledger, seed, plan, events - sum(campaign.events for campaign in campaigns), harness)
    for campaign in campaigns:
        plant(ledger, _voice(seed, f"campaign {campaign.label}"), campaign, plan.days, harness)
    _top_up(ledger, _voice(seed, "top up"), events, plan.days)
    if plan.links:
        ledger.add_links(_voice(seed, "links"))
    return _simulation(ledger, campaigns, left_out)


def _voice(seed: int, purpose: str) -> Voice:
    """A stream of its own for each part, so that changing one does not change the others."""
    return Voice(Random(f"{seed}/{purpose}"))


def _benign(ledger: Ledger, seed: int, plan: Plan, budget: int, harness: Template) -> None:
    share = plan.benign
    parts = {
        name: int(budget * getattr(share, name))
        for name in (
            "developers", "public", "benchmarks", "classrooms", "organisations", "harness", "retries", "common",
        )
    }  # fmt: skip
    days = plan.days
    crowd = benign.people(ledger, _voice(seed, "people"), budget - sum(parts.values()), days)
    benign.developers(ledger, _voice(seed, "developers"), parts["developers"], days)
    benign.public(ledger, _voice(seed, "public"), parts["public"], days, crowd)
    benign.benchmarks(ledger, _voice(seed, "benchmarks"), parts["benchmarks"], days, crowd)
    benign.classrooms(ledger, _voice(seed, "classrooms"), parts["classrooms"], days)
    benign.organisations(ledger, _voice(seed, "organisations"), parts["organisations"], days)
    benign.harness_users(ledger, _voice(seed, "harness users"), parts["harness"], days, harness)
    benign.retries(ledger, _voice(seed, "retries"), parts["retries"])
    benign.common(ledger, _voice(seed, "common"), parts["common"], days, crowd)


def _top_up(ledger: Ledger, voice: Voice, events: int, days: int) -> None:
    """People ask on until there are as many events as were asked for."""
    crowd: list[Account] = [account for account in ledger.accounts if account.kind == "casual"]
    crowd = crowd or [ledger.account(voice, "casual")]
    while len(ledger.sent) < events:
        account = crowd[voice.between(0, len(crowd) - 1)]
        benign.say_something(ledger, voice, account, next_of(voice, account, 0, days))


def _simulation(ledger: Ledger, campaigns: tuple[Campaign, ...], left_out: tuple[str, ...]) -> Simulation:
    ordered = sorted(ledger.sent, key=lambda sent: (sent.time // 1000, sent.number))
    senders = {sent.account.account_id for sent in ordered}
    return Simulation(
        events=tuple(map(ledger.event, ordered)),
        truth_events=tuple(_truth(ledger, sent) for sent in ordered),
        truth_accounts=tuple(_account_row(account) for account in ledger.accounts if account.account_id in senders),
        truth_families=tuple(_family_rows(ledger)),
        campaigns=campaigns,
        left_out=left_out,
    )


def _truth(ledger: Ledger, sent: Sent) -> Row:
    text = whole_text(ledger.system_of(sent), sent.user)
    return {
        "id": ledger.event_id(sent),
        "family": sent.family or None,
        "campaign": sent.campaign or None,
        "role": sent.role,
        "text_hash": blake2b(text.encode(), digest_size=8).hexdigest(),
    }


def _account_row(account: Account) -> Row:
    row: Row = {"account_id": account.account_id, "campaign": account.campaign or None, "kind": account.kind}
    return row | {"pool": account.pool} if account.pool else row


def _family_rows(ledger: Ledger) -> list[Row]:
    sizes = Counter(sent.family for sent in ledger.sent)
    spread: dict[str, set[str]] = {}
    for sent in ledger.sent:
        spread.setdefault(sent.family, set()).add(sent.account.account_id)
    return [
        {
            "family": truth.name,
            "kind": truth.kind,
            "campaign": truth.campaign or None,
            "n_events": sizes[truth.name],
            "n_accounts": len(spread[truth.name]),
            "template_text": truth.template_text,
        }
        for truth in ledger.families.values()
        if sizes[truth.name]
    ]
