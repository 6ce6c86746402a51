"""OpenTelemetry GenAI and OpenInference spans → records of the contract.

Spans may stand alone or inside an OTLP export (`resourceSpans`); attributes may be an object or OTLP's list of pairs.
Spans without a prompt (tools, retrievers, databases) are passed over and counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import msgspec

from promptsim.intake.shapes import Record, kept, spoken

_TURN = re.compile(r"llm\.input_messages\.(\d{1,5})\.message\.(role|content)")
_METADATA = {
    "gen_ai.request.model": "model",
    "llm.model_name": "model",
    "session.id": "session_id",
    "service.name": "service",
    "client.address": "ip",
    "user_agent.original": "user_agent",
}
_ACCOUNTS = ("user.id", "enduser.id", "gen_ai.user.id")
_TIMES = ("startTimeUnixNano", "start_time_unix_nano", "start_time", "startTime", "timestamp")


def recognises(record: Record) -> bool:
    """Is this an OTLP export, or a span with attributes of either convention?"""
    if "resourceSpans" in record:
        return True
    names = _attributes(record)
    return any(name.startswith(("gen_ai.", "llm.", "openinference.")) for name in names)


def records(record: Record, counts: Counter[str]) -> Iterator[tuple[Record, Record]]:
    """An event for each span that holds a prompt."""
    for span, inherited in _spans(record):
        attributes = inherited | _attributes(span)
        prompt = _prompt(attributes)
        if prompt is None:
            counts["spans-without-a-prompt"] += 1
            continue
        yield (
            {**attributes, **span},
            {
                "id": _span_id(span),
                "account_id": next((attributes[name] for name in _ACCOUNTS if attributes.get(name)), None),
                "timestamp": next((span[name] for name in _TIMES if span.get(name)), None),
                "metadata": kept(attributes, _METADATA),
                **prompt,
            },
        )


def _spans(record: Record) -> Iterator[tuple[dict[str, object], dict[str, object]]]:
    if "resourceSpans" not in record:
        yield dict(record), {}
        return
    for resource in _objects(record["resourceSpans"]):
        shared = resource.get("resource")
        inherited = _attributes(shared) if isinstance(shared, dict) else {}
        for scope in _objects(resource.get("scopeSpans")):
            for span in _objects(scope.get("spans")):
                yield span, inherited


def _objects(value: object) -> list[dict[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _attributes(span: Record) -> dict[str, object]:
    """An object as it is; OTLP's list of {"key", "value": {"stringValue"}} as an object; else the record's own keys."""
    held = span.get("attributes")
    if isinstance(held, dict):
        return held
    if not isinstance(held, list):
        return {name: value for name, value in span.items() if "." in name}
    return {str(pair.get("key")): _plain(pair.get("value")) for pair in _objects(held)}


def _plain(value: object) -> object:
    if not isinstance(value, dict) or len(value) != 1:
        return value
    kind, inner = next(iter(value.items()))
    if kind == "arrayValue" and isinstance(inner, dict):
        return [_plain(item) for item in _objects(inner.get("values"))]
    if kind == "kvlistValue" and isinstance(inner, dict):
        return {str(pair.get("key")): _plain(pair.get("value")) for pair in _objects(inner.get("values"))}
    return int(inner) if kind == "intValue" and isinstance(inner, str) and inner.lstrip("-").isdecimal() else inner


def _prompt(attributes: dict[str, object]) -> dict[str, object] | None:
    turns = _read(attributes.get("gen_ai.input.messages"))
    if turns is None:
        turns = _flattened(attributes) or _read(attributes.get("input.value"))
    system = _read(attributes.get("gen_ai.system_instructions"))
    if turns is None:
        return None
    said = spoken(turns)
    if not system:
        return said
    first = {"role": "system", "content": system if isinstance(system, str) else _texts(system)}
    held = said.get("messages")
    rest = held if isinstance(held, list) else [{"role": "user", "content": said.get("text")}]
    return {"messages": [first, *rest]}


def _texts(parts: object) -> str:
    return "\n".join(str(part.get("content", part.get("text", ""))) for part in _objects(parts))


def _read(value: object) -> object:
    """Nested values are often written as JSON inside a string."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return msgspec.json.decode(value)
        except msgspec.MsgspecError:
            return value
    return value


def _flattened(attributes: dict[str, object]) -> list[dict[str, object]] | None:
    turns: dict[int, dict[str, object]] = {}
    for name, value in attributes.items():
        match = _TURN.fullmatch(name)
        if match:
            turns.setdefault(int(match[1]), {})[match[2]] = value
    return [turns[number] for number in sorted(turns)] or None


def _span_id(span: Record) -> object:
    """A span id is unique within its trace only."""
    own = span.get("spanId", span.get("span_id"))
    trace = span.get("traceId", span.get("trace_id"))
    return f"{trace}:{own}" if own and trace else None
