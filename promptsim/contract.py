"""Records → the JSON objects of the public contract. Names and shapes here are fixed; one function a shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from promptsim.records import (
    AccountSummary,
    Evidence,
    Family,
    Hit,
    MemberEvent,
    MemberPrompt,
    Network,
    Run,
    Slot,
    Verdict,
    Wording,
)

Row = dict[str, object]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MEMBER_COLUMNS = ("event_id", "prompt_id", "account_id", "timestamp", "family_id", "wording_id", "relation")
FAMILY_COLUMNS = (
    "family_id", "kind", "template", "slots", "event_count", "prompt_count", "account_count", "wordings",
    "first_seen", "last_seen", "flagged", "score", "p_value", "evidence", "status", "network_ids", "lineage",
)  # fmt: skip
NETWORK_COLUMNS = (
    "network_id", "account_ids", "family_ids", "first_seen", "last_seen", "flagged", "score", "p_value", "evidence",
    "status",
)  # fmt: skip
ACCOUNT_COLUMNS = (
    "account_id", "event_count", "family_ids", "network_id", "flagged", "score", "p_value", "first_seen", "last_seen",
)  # fmt: skip
VERDICT_COLUMNS = ("verdict_id", "subject_id", "verdict", "reason", "by", "timestamp", "state", "confirms")


def rfc3339(time: int) -> str:
    """Microseconds since the epoch → RFC 3339 in UTC, to the millisecond where that is exact."""
    moment = _EPOCH + timedelta(microseconds=time)
    return moment.isoformat(timespec="microseconds" if time % 1000 else "milliseconds").replace("+00:00", "Z")


def evidence_row(evidence: Sequence[Evidence]) -> Row:
    """Evidence by name: each a figure, the sentence that a reviewer reads and, where it is a test, its p-value."""
    return {e.name: {"value": e.value, "sentence": e.sentence, "p_value": e.p_value} for e in evidence}


def slot_row(slot: Slot) -> Row:
    return {"name": slot.name, "distinct": slot.distinct, "examples": list(slot.examples), "kind": slot.kind}


def wording_row(wording: Wording) -> Row:
    return {
        "wording_id": wording.wording_id,
        "template": wording.template,
        "event_count": wording.event_count,
        "account_count": wording.account_count,
    }


def family_row(family: Family) -> Row:
    lineage = family.lineage
    return {
        "family_id": family.family_id,
        "kind": family.kind,
        "role": family.role,
        "template": family.template,
        "slots": [slot_row(slot) for slot in family.slots],
        "event_count": family.event_count,
        "prompt_count": family.prompt_count,
        "account_count": family.account_count,
        "wordings": [wording_row(wording) for wording in family.wordings],
        "first_seen": rfc3339(family.first_seen),
        "last_seen": rfc3339(family.last_seen),
        "commonplace": round(family.commonplace, 4),
        "flagged": family.flagged,
        "score": family.score,
        "p_value": family.p_value,
        "evidence": evidence_row(family.evidence),
        "status": family.status,
        "network_ids": list(family.network_ids),
        "lineage": {
            "continues": list(lineage.continues),
            "merged_from": list(lineage.merged_from),
            "split_from": lineage.split_from,
        },
    }


def network_row(network: Network) -> Row:
    return {
        "network_id": network.network_id,
        "account_ids": list(network.account_ids),
        "family_ids": list(network.family_ids),
        "first_seen": rfc3339(network.first_seen),
        "last_seen": rfc3339(network.last_seen),
        "flagged": network.flagged,
        "score": network.score,
        "p_value": network.p_value,
        "evidence": evidence_row(network.evidence),
        "status": network.status,
        "membership": {account: round(strength, 4) for account, strength in network.membership.items()},
    }


def account_row(account: AccountSummary) -> Row:
    return {
        "account_id": account.account_id,
        "event_count": account.event_count,
        "family_ids": list(account.family_ids),
        "network_id": account.network_id,
        "flagged": account.flagged,
        "score": account.score,
        "p_value": account.p_value,
        "first_seen": rfc3339(account.first_seen),
        "last_seen": rfc3339(account.last_seen),
    }


def member_row(member: MemberEvent) -> Row:
    return {
        "event_id": member.event_id,
        "prompt_id": member.prompt_id,
        "account_id": member.account_id,
        "timestamp": rfc3339(member.time),
        "family_id": member.family_id,
        "wording_id": member.wording_id,
        "relation": member.relation,
    }


def member_prompt_row(member: MemberPrompt) -> Row:
    return {
        "prompt_id": member.prompt_id,
        "text": member.text,
        "relation": member.relation,
        "wording_id": member.wording_id,
        "event_count": member.event_count,
        "account_count": member.account_count,
    }


def verdict_row(verdict: Verdict) -> Row:
    return {
        "verdict_id": verdict.verdict_id,
        "subject_id": verdict.subject_id,
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "by": verdict.by,
        "timestamp": rfc3339(verdict.time),
        "state": verdict.state,
        "confirms": verdict.confirms,
    }


def hit_row(hit: Hit) -> Row:
    return {
        "account_id": hit.account_id,
        "similarity": round(hit.similarity, 4),
        "relation": hit.relation,
        "prompt_id": hit.prompt_id,
        "text": hit.text,
        "event_count": hit.event_count,
        "first_seen": rfc3339(hit.first_seen),
        "last_seen": rfc3339(hit.last_seen),
        "family_id": hit.family_id,
    }


def run_row(run: Run) -> Row:
    return {
        "run_id": run.run_id,
        "state": run.state,
        "started": rfc3339(run.started),
        "finished": None if run.finished is None else rfc3339(run.finished),
        "full": run.full,
        "counts": dict(run.counts),
        "seconds": _rounded(run.seconds),
        "changes": dict(run.changes),
        "error": run.error,
    }


def _rounded(seconds: Mapping[str, float]) -> dict[str, float]:
    return {stage: round(value, 3) for stage, value in seconds.items()}
