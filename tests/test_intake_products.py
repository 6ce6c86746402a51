"""Logs of other products: each known by its content, each giving the events of the contract."""

from __future__ import annotations

import io
import json
from collections import Counter

import pytest

from promptsim.errors import UsageError
from promptsim.intake.formats import read
from promptsim.records import Event, Rejection

NOON = 1_772_366_400_000_000


def taken(*rows: object, **options: object) -> tuple[list[Event], list[Rejection], Counter[str]]:
    data = "\n".join(json.dumps(row) for row in rows).encode()
    counts: Counter[str] = Counter()
    batches = list(read(io.BytesIO(data), **options))  # type: ignore[arg-type]
    for batch in batches:
        counts.update(batch.counts)
    return [e for b in batches for e in b.events], [r for b in batches for r in b.rejections], counts


TALK = [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]


def litellm(**more: object) -> dict[str, object]:
    return {
        "id": "chatcmpl-1",
        "startTime": NOON / 1e6,
        "call_type": "acompletion",
        "model": "m",
        "metadata": {"user_api_key_hash": "k1", "user_api_key_team_id": "t1", "secret": 1},
        "requester_ip_address": "1.2.3.4",
        "messages": TALK,
        **more,
    }


def test_litellm_asks_which_field_is_the_account() -> None:
    with pytest.raises(UsageError, match=r"--map account_id=metadata\.user_api_key_hash"):
        taken(litellm())


def test_litellm() -> None:
    rows = [litellm(), litellm(id="2", messages="U"), litellm(id="3", messages={"role": "user", "content": "U"})]
    rows += [litellm(id="4", messages="redacted-by-litellm"), litellm(id="5", messages={})]
    events, rejections, _ = taken(*rows, mapping={"account_id": "metadata.user_api_key_hash"})
    assert [(e.event_id, e.account_id, e.time, e.system, e.user) for e in events] == [
        ("chatcmpl-1", "k1", NOON, "S", "U"),
        ("2", "k1", NOON, "", "U"),
        ("3", "k1", NOON, "", "U"),
    ]
    assert [r.code for r in rejections] == ["redacted", "redacted"]
    assert events[0].metadata["org_id"] == "t1"
    assert events[0].metadata["ip"] == "1.2.3.4"


def test_opentelemetry_export_with_nested_spans() -> None:
    said = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "U"}, {"type": "blob"}]}])
    span = {
        "traceId": "t",
        "spanId": "s",
        "startTimeUnixNano": str(NOON * 1000),
        "attributes": [
            {"key": "gen_ai.input.messages", "value": {"stringValue": said}},
            {"key": "gen_ai.system_instructions", "value": {"stringValue": '[{"type":"text","content":"S"}]'}},
            {"key": "gen_ai.request.model", "value": {"stringValue": "m"}},
            {"key": "user.id", "value": {"stringValue": "u1"}},
        ],
    }
    service = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    other = {"spanId": "x", "attributes": [{"key": "db.system", "value": {"stringValue": "pg"}}]}
    export = {"resourceSpans": [{"resource": service, "scopeSpans": [{"spans": [span, other]}]}]}
    (event,), rejections, counts = taken(export)
    assert not rejections
    assert (event.event_id, event.account_id, event.time) == ("t:s", "u1", NOON)
    assert (event.system, event.user) == ("S", "U")
    assert event.metadata == {"model": "m", "service": "shop"}
    assert counts == {"spans-without-a-prompt": 1, "parts-left-out": 1}


def test_openinference_flattened_messages_and_plain_input() -> None:
    base = {"start_time": "2026-03-01T12:00:00Z", "context": {}}
    flat = {
        "llm.input_messages.1.message.role": "user",
        "llm.input_messages.1.message.content": "U",
        "llm.input_messages.0.message.role": "system",
        "llm.input_messages.0.message.content": "S",
        "user.id": "u1",
    }
    plain = {"input.value": "P", "user.id": "u2", "llm.model_name": "m"}
    events, _, _ = taken({**base, "attributes": flat}, {**base, "attributes": plain})
    assert [(e.account_id, e.system, e.user) for e in events] == [("u1", "S", "U"), ("u2", "", "P")]


def test_langfuse() -> None:
    base = {"id": "o1", "user_id": "u1", "start_time": "2026-03-01 12:00:00.000000", "session_id": "s"}
    rows = [
        {**base, "input": "U"},
        {**base, "id": "o2", "input": TALK},
        {**base, "id": "o3", "input": {"messages": TALK}},
        {**base, "id": "o4", "input": {}},
        {**base, "id": "o5", "input": None},
    ]
    events, rejections, counts = taken(*rows)
    assert [(e.event_id, e.time, e.system, e.user) for e in events] == [
        ("o1", NOON, "", "U"),
        ("o2", NOON, "S", "U"),
        ("o3", NOON, "S", "U"),
    ]
    assert [r.code for r in rejections] == ["redacted"]
    assert counts == {"observations-without-an-input": 1}


def test_batch_files_need_a_time_from_the_operator() -> None:
    openai = {"custom_id": "r1", "method": "POST", "url": "/v1/chat/completions"}
    chat = {**openai, "body": {"model": "m", "messages": TALK, "user": "u1"}}
    answer = {**openai, "body": {"model": "m", "input": "U", "instructions": "S", "safety_identifier": "u2"}}
    with pytest.raises(UsageError, match="--map timestamp==2026"):
        taken(chat)
    at = {"timestamp": "=2026-03-01T12:00:00Z"}
    events, rejections, _ = taken(chat, answer, mapping=at)
    assert not rejections
    assert [(e.account_id, e.time, e.system, e.user) for e in events] == [
        ("u1", NOON, "S", "U"),
        ("u2", NOON, "S", "U"),
    ]
    assert events[0].metadata == {"custom_id": "r1", "model": "m"}
    params = {
        "model": "m",
        "system": [{"type": "text", "text": "S"}],
        "messages": TALK[1:],
        "metadata": {"user_id": "u3"},
    }
    (event,), _, _ = taken({"custom_id": "r1", "params": params}, mapping=at)
    assert (event.account_id, event.system, event.user) == ("u3", "S", "U")


def test_a_custom_id_is_no_event_id() -> None:
    row = {"custom_id": "r1", "body": {"messages": TALK, "user": "u1"}}
    later = {"custom_id": "r1", "body": {"messages": [*TALK, {"role": "user", "content": "V"}], "user": "u1"}}
    events, _, _ = taken(row, later, mapping={"timestamp": "=2026-03-01T12:00:00Z"})
    assert len({event.event_id for event in events}) == 2


def test_a_native_event_is_never_taken_for_another_product() -> None:
    row = {
        "account_id": "a",
        "timestamp": NOON,
        "text": "T",
        "custom_id": "x",
        "body": {},
        "startTime": 1,
        "call_type": "c",
    }
    assert [e.user for e in taken(row)[0]] == ["T"]
