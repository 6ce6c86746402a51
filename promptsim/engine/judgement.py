"""A person's word: what it touches, when it counts, and how it stands above the program's claim.

    subjects ─► touched ─► decide: given, or proposed until a second person gives the same ─► judged

*Benign* takes a flag away and *coordinated* gives one, also to the family that goes on from the one that was judged.
"""

from __future__ import annotations

import secrets
import time
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar, get_args

from promptsim.contract import rfc3339
from promptsim.errors import ConflictError, NotFoundError, UsageError
from promptsim.records import Evidence, Family, Given, Network, Verdict, Verdict_
from promptsim.store.reach import Reach
from promptsim.store.store import Store

Subject = TypeVar("Subject", Family, Network)
GROWN = 2  # times the accounts that it was judged with, from which on a benign family is to be looked at again
WEIGHTY = ("coordinated", "benign")  # verdicts with an effect: these need a second person over many accounts


# ------------------------------------------------------------------ what counts
def judged(subject: Subject, verdict: Verdict | None) -> Subject:
    """The family or network with its status, and with the flag that its verdict leaves it."""
    if verdict is None or verdict.state != "given" or verdict.verdict == "open":
        return subject
    own = subject.family_id if isinstance(subject, Family) else subject.network_id
    told = _told(subject, verdict, inherited=verdict.subject_id != own)
    if told is not None:
        subject = replace(subject, evidence=(told, *subject.evidence))
    if told is not None and told.name == "small_part":
        return subject
    flagged = {"benign": False, "coordinated": True}.get(verdict.verdict, subject.flagged)
    return replace(subject, status=verdict.verdict, flagged=flagged)


def _told(subject: Family | Network, verdict: Verdict, *, inherited: bool) -> Evidence | None:
    """What a reviewer must know of a verdict that was given to something else, or when there was less of it."""
    now = subject.account_count if isinstance(subject, Family) else len(subject.account_ids)
    then = f"{verdict.by} judged it {verdict.verdict} on {rfc3339(verdict.time)[:10]}"
    grown = verdict.verdict == "benign" and verdict.accounts > 0 and now >= GROWN * verdict.accounts
    if inherited and grown:
        said = f"A part of it goes on from {verdict.subject_id}: {then}, with {verdict.accounts} accounts of now {now}."
        return Evidence("small_part", verdict.accounts, said + " That verdict does not cover the whole.")
    if inherited:
        return Evidence("goes_on_from", verdict.subject_id, f"Goes on from {verdict.subject_id}: {then}.")
    if grown:
        said = f"It has grown from {verdict.accounts} to {now} accounts since {then}: look again."
        return Evidence("grown_since_verdict", now, said)
    return None


# ------------------------------------------------------------------ deciding
@dataclass(frozen=True, slots=True)
class Touched:
    """What a decision would touch: told before it is made."""

    subjects: tuple[str, ...]
    accounts: int
    events: int
    second_person: bool  # whether a verdict with an effect would wait for one

    def sentence(self) -> str:
        """The figures for a person."""
        said = f"{len(self.subjects):,} subjects with {self.accounts:,} accounts and {self.events:,} events"
        return said + ("; it takes two persons" if self.second_person else "")


def touched(store: Store, subject_ids: Sequence[str]) -> Touched:
    """How many accounts and events these families, networks and accounts hold together; NotFoundError for unknown."""
    with store.snapshot():
        subjects = tuple(dict.fromkeys(subject_ids))
        reach = _reach(store, subjects)
        return Touched(subjects, reach.accounts, reach.events, reach.accounts > store.two_persons_from())


def decide(
    store: Store, subject_ids: Sequence[str], verdict: str, *, reason: str, by: str, expected: Touched | None = None
) -> list[Verdict]:
    """Give one verdict on some subjects, all of them or none; over many accounts it is proposed first.

    It counts when another person gives the same verdict. `expected` is what was shown before: ConflictError where the
    same subjects hold another number of accounts by now.
    """
    kind = _kind(verdict)
    now = touched(store, subject_ids)
    if expected is not None and (now.subjects, now.accounts) != (expected.subjects, expected.accounts):
        raise ConflictError(f"there is more by now: {now.sentence()}; look again before you decide")
    given = [_decision(store, subject, kind, reason, by, now) for subject in now.subjects]
    store.add_verdicts(given)
    return given


def record_as_standing(store: Store, subject_id: str, verdict: Given, *, reason: str, by: str) -> Verdict:
    """A verdict that brings back what stood before; see `promptsim.review.undo`."""
    reach = _reach(store, (subject_id,))
    given = _verdict(store, subject_id, verdict, reason, by, reach)
    store.add_verdicts([given])
    return given


def waits_for_second(store: Store, subject_id: str, verdict: str) -> bool:
    """Whether this verdict by one person alone would be a proposal."""
    return verdict in WEIGHTY and touched(store, [subject_id]).second_person


def _decision(store: Store, subject_id: str, kind: Verdict_, reason: str, by: str, now: Touched) -> Verdict:
    reach = Reach(now.accounts, now.events) if len(now.subjects) == 1 else _reach(store, (subject_id,))
    verdict = _verdict(store, subject_id, kind, reason, by, reach)
    proposals = [v for v in store.proposals(verdict.subject_id) if v.verdict == kind]
    for proposal in proposals:
        if not same_person(proposal.by, by):
            return replace(verdict, confirms=proposal.verdict_id)
    if proposals:
        first = proposals[0].by
        raise ConflictError(
            f"{subject_id} waits for a second person: {first} proposed {kind}, another has to give it too"
        )
    return replace(verdict, state="proposed") if kind in WEIGHTY and now.second_person else verdict


def _verdict(store: Store, subject_id: str, kind: Given, reason: str, by: str, reach: Reach) -> Verdict:
    moment = time.time_ns() // 1000
    subject = store.pseudonym(subject_id) if subject_kind(store, subject_id) == "account" else subject_id
    name = f"v_{secrets.token_hex(8)}"
    return Verdict(name, subject, kind, reason, by, moment, accounts=reach.accounts, events=reach.events)


def subject_kind(store: Store, subject_id: str) -> str:
    """family, network or account; NotFoundError if it is none of them."""
    for kind, known in (("family", store.family), ("network", store.network), ("account", store.account)):
        try:
            known(subject_id)
        except NotFoundError:
            continue
        return kind
    raise NotFoundError(f"no family, network or account has the id {subject_id!r}; `promptsim families` lists them")


def same_person(one: str, other: str) -> bool:
    """Whether two names are one, whatever their case, width and white space."""
    return _folded(one) == _folded(other)


def _folded(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def _kind(verdict: str) -> Verdict_:
    for known in get_args(Verdict_):
        if verdict == known:
            kind: Verdict_ = known
            return kind
    raise UsageError(f"verdict {verdict!r}: choose one of {', '.join(get_args(Verdict_))}")


def _reach(store: Store, subjects: Sequence[str]) -> Reach:
    by_kind: dict[str, list[str]] = {"family": [], "network": [], "account": []}
    for subject in subjects:
        by_kind[subject_kind(store, subject)].append(subject)
    return store.reach(by_kind["family"], by_kind["network"], by_kind["account"])
