"""Langfuse observations → records of the contract. Their times have no offset and are UTC."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from promptsim.intake.shapes import Record, kept, spoken

_METADATA = {
    "session_id": "session_id",
    "sessionId": "session_id",
    "model": "model",
    "name": "name",
    "environment": "environment",
}


def recognises(record: Record) -> bool:
    """Does this object come from Langfuse?"""
    timed = "start_time" in record or "startTime" in record
    return timed and "input" in record and any(name in record for name in ("user_id", "userId", "trace_id", "traceId"))


def records(record: Record, counts: Counter[str]) -> Iterator[tuple[Record, Record]]:
    """One observation, one event; one without an input is passed over and counted."""
    said = record.get("input")
    if said is None:
        counts["observations-without-an-input"] += 1
        return
    time = record.get("start_time", record.get("startTime"))
    if isinstance(time, str) and time[-1:].isdigit() and "+" not in time and time[-6:-5] != "-":
        time += "Z"
    yield (
        record,
        {
            "id": record.get("id"),
            "account_id": record.get("user_id", record.get("userId")),
            "timestamp": time,
            "metadata": kept(record, _METADATA),
            **spoken(said),
        },
    )
