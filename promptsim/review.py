"""What a person decides, and what only a person may: verdicts with their effect, undo, doubtful accounts, alerts.

    touched (told first) ─► decide ─► standing verdicts ─► what is flagged, suppressed, watched for
                              └► undo: a further verdict that brings back what stood before

Nothing here acts on an account. An account that only a small part of its traffic, and a longer life of its own, ties
to attackers may be their victim: it is shown to a person, and held back from what is handed on until one has decided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from promptsim.engine import Engine
from promptsim.engine.judgement import (
    Touched,
    decide,
    record_as_standing,
    same_person,
    subject_kind,
    touched,
    waits_for_second,
)
from promptsim.errors import ConflictError
from promptsim.records import Given, Verdict
from promptsim.store.watching import Join

__all__ = [
    "Held",
    "Touched",
    "alerts",
    "as_told",
    "decide_all",
    "held_accounts",
    "history",
    "propose",
    "same_person",
    "undo",
]

SMALL_SHARE = 0.2  # of what an account sent: below it, the attackers' prompts are not what the account is for
DAY = 86_400_000_000
LIVED_BEFORE = DAY  # that long before its first such prompt it was active already


# ------------------------------------------------------------------ deciding
def propose(engine: Engine, subject_ids: Sequence[str]) -> Touched:
    """How many accounts and events a verdict on these would touch; nothing is decided."""
    return touched(engine.store, subject_ids)


def as_told(shown: Touched, *, accounts: int) -> Touched:
    """The same with the number of accounts that a person was shown, to be compared with what there is."""
    return replace(shown, accounts=accounts)


def decide_all(engine: Engine, shown: Touched, verdict: str, *, reason: str, by: str) -> list[Verdict]:
    """One verdict on all the subjects whose figures were shown; ConflictError if they hold more accounts by now."""
    return decide(engine.store, shown.subjects, verdict, reason=reason, by=by, expected=shown)


def undo(engine: Engine, subject_id: str, *, reason: str, by: str) -> Verdict:
    """Take back the last decision by a further verdict: a proposal is withdrawn, a verdict gives way to the one before.

    Bringing back a verdict with an effect over many accounts takes a second person, as giving it did.
    """
    store = engine.store
    subject = store.pseudonym(subject_id) if subject_kind(store, subject_id) == "account" else subject_id
    given = [verdict for verdict in store.verdicts(subject) if verdict.state == "given"]
    if store.proposals(subject):
        stands: Given = given[-1].verdict if given else "open"
        return record_as_standing(store, subject_id, stands, reason=f"withdrawn: {reason}", by=by)
    if not given and subject not in store.latest_verdicts():
        raise ConflictError(f"{subject_id} has no verdict to undo")
    before: Given = given[-2].verdict if len(given) > 1 else "open"
    said = f"undone: {reason}"
    if before != "open" and waits_for_second(store, subject_id, before):
        return decide(store, [subject_id], before, reason=said, by=by)[0]
    return record_as_standing(store, subject_id, before, reason=said, by=by)


def history(engine: Engine, subject_id: str) -> list[Verdict]:
    """Everything that was said of a subject, in order; proposals among it."""
    store = engine.store
    subject = store.pseudonym(subject_id) if subject_kind(store, subject_id) == "account" else subject_id
    return store.verdicts(subject)


def alerts(engine: Engine, family_id: str | None = None, *, limit: int = 1_000) -> list[Join]:
    """Accounts that joined families judged coordinated since, the newest first."""
    return engine.store.joins(family_id, limit=limit)


# ------------------------------------------------------------------ possible victims
@dataclass(frozen=True, slots=True)
class Held:
    """An account that a person has to look at before it is handed on, and why."""

    account_id: str
    inside: int
    total: int
    sentence: str


def held_accounts(engine: Engine) -> Mapping[str, Held]:
    """Accounts in flagged families or networks that may be victims, without those that a person judged."""
    store = engine.store
    with store.snapshot():
        flagged = {family.family_id for family in engine.families(flagged=True)}
        known = {family.family_id for family in store.families()}
        flagged |= {f for network in engine.networks(flagged=True) for f in network.family_ids if f in known}
        decided = {s for s, v in store.latest_verdicts().items() if v.verdict in ("coordinated", "benign")}
        held = {}
        for share in store.shares(sorted(flagged)) if flagged else ():
            lived = share.began_inside - share.began
            small = share.inside < SMALL_SHARE * share.total and lived >= LIVED_BEFORE
            if small and store.pseudonym(share.account_id) not in decided:
                said = (
                    f"{share.inside} of its {share.total} sends belong to flagged families, and it was active "
                    f"{_days(lived)} before the first of them: it may be a victim."
                )
                held[share.account_id] = Held(share.account_id, share.inside, share.total, said)
    return held


def _days(length: int) -> str:
    days = round(length / DAY)
    return f"{days} day" + ("s" if days != 1 else "")
