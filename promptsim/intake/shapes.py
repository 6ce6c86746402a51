"""What the formats of other products share: texts in their several shapes, and picking known keys."""

from __future__ import annotations

from collections.abc import Mapping

Record = Mapping[str, object]


def kept(record: Record, names: Mapping[str, str]) -> dict[str, object]:
    """Known keys under the names that they have here, where they hold anything."""
    return {here: record[there] for there, here in names.items() if record.get(there) not in (None, "", {}, [])}


def spoken(value: object) -> dict[str, object]:
    """A prompt as text, one message, a list of messages, or an object around them → `text` or `messages`."""
    if isinstance(value, dict) and value:
        for inner in ("messages", "input", "prompt", "content"):
            if inner in value and "role" not in value:
                return spoken(value[inner])
        return {"messages": [_turn(value)]}
    if isinstance(value, list):
        return {"messages": [_turn(item) for item in value]}
    return {"text": value}


def _turn(item: object) -> object:
    """A message with `parts` (OpenTelemetry) or other names of text parts, as the contract has it."""
    if not isinstance(item, dict):
        return item
    content = item.get("content", item.get("parts"))
    if isinstance(content, list):
        content = [_part(part) for part in content]
    return {"role": item.get("role"), "content": content}


def _part(part: object) -> object:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if isinstance(part, dict) and part.get("type") in ("text", "input_text", "output_text"):
        return {"type": "text", "text": part.get("text", part.get("content"))}
    return part
