"""Request files of the OpenAI and Anthropic batch interfaces → records of the contract.

They hold no time: the operator gives one (`--map timestamp==2026-03-01T00:00:00Z`). A `custom_id` is unique within
its file only, so it becomes metadata and never the event's id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from promptsim.intake.mapping import with_system
from promptsim.intake.shapes import Record, kept, spoken


def is_openai(record: Record) -> bool:
    """Does this object come from an OpenAI batch file?"""
    return "custom_id" in record and isinstance(record.get("body"), dict)


def is_anthropic(record: Record) -> bool:
    """Does this object come from an Anthropic batch file?"""
    return "custom_id" in record and isinstance(record.get("params"), dict)


def openai(record: Record, counts: Counter[str]) -> Iterator[tuple[Record, Record]]:  # noqa: ARG001
    """One request, one event; the account is `safety_identifier`, else `user`."""
    body = record.get("body")
    held = body if isinstance(body, dict) else {}
    fields: dict[str, object] = {
        "account_id": held.get("safety_identifier") or held.get("user"),
        "metadata": kept(record, {"custom_id": "custom_id"}) | kept(held, {"model": "model"}),
        **spoken(held.get("messages", held.get("input"))),
    }
    yield record, with_system(fields, held.get("instructions"))


def anthropic(record: Record, counts: Counter[str]) -> Iterator[tuple[Record, Record]]:  # noqa: ARG001
    """One request, one event; the account is `metadata.user_id`."""
    params = record.get("params")
    held = params if isinstance(params, dict) else {}
    own = held.get("metadata")
    fields: dict[str, object] = {
        "account_id": own.get("user_id") if isinstance(own, dict) else None,
        "metadata": kept(record, {"custom_id": "custom_id"}) | kept(held, {"model": "model"}),
        **spoken(held.get("messages")),
    }
    yield record, with_system(fields, held.get("system"))
