"""LiteLLM `generic_api` logs → records of the contract. Which field is the account is the operator's to say (--map)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from promptsim.intake.shapes import Record, kept, spoken

_METADATA = {
    "model": "model",
    "call_type": "call_type",
    "requester_ip_address": "ip",
    "end_user": "end_user",
    "trace_id": "trace_id",
}
_KEY_METADATA = {"user_api_key_team_id": "org_id", "user_api_key_hash": "user_api_key_hash"}


def recognises(record: Record) -> bool:
    """Does this object come from LiteLLM?"""
    return "startTime" in record and ("call_type" in record or "litellm_params" in record)


def records(record: Record, counts: Counter[str]) -> Iterator[tuple[Record, Record]]:  # noqa: ARG001
    """One call, one event."""
    own = record.get("metadata")
    metadata = kept(record, _METADATA) | (kept(own, _KEY_METADATA) if isinstance(own, dict) else {})
    yield (
        record,
        {
            "id": record.get("id"),
            "timestamp": record.get("startTime"),
            "metadata": metadata,
            **spoken(record.get("messages")),
        },
    )
