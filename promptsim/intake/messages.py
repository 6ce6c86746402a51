"""`messages` → system text, user text and what was left out: assistant and tool turns, parts that are no text."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from promptsim.intake.problems import BadEvent

# `developer` is what newer clients call the system role, `function` what older ones called a tool.
ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "", "tool": "", "function": ""}

# What loggers write instead of a text that they were told to hide. It is no text: equal place-holders of
# unrelated people must never become a family.
PLACEHOLDERS = frozenset({"redacted-by-litellm", "__REDACTED__", "{}"})


@dataclass(frozen=True, slots=True)
class Conversation:
    """The texts of a prompt by role; `redacted` counts texts that a logger had replaced by a place-holder."""

    system: str
    user: str
    turns_left_out: int = 0
    redacted: int = 0


def is_placeholder(text: str) -> bool:
    """Is this what a logger writes in place of a hidden text?"""
    return len(text) <= 40 and text.strip() in PLACEHOLDERS


def split_messages(messages: object, counts: Counter[str]) -> Conversation:
    """Texts of one role joined by a blank line; raises BadEvent where the shape is not that of the contract."""
    if messages == {} or (isinstance(messages, str) and is_placeholder(messages)):
        return Conversation("", "", redacted=1)
    if not isinstance(messages, list):
        raise BadEvent("bad-messages", f"messages must be a list, not {type(messages).__name__}")
    texts: dict[str, list[str]] = {"system": [], "user": []}
    left_out = redacted = 0
    for number, message in enumerate(messages, 1):
        role, text = _turn(message, number, counts)
        if not role:
            left_out += 1
        elif is_placeholder(text):
            redacted += 1
        elif text:
            texts[role].append(text)
    if redacted:
        counts["redacted-turns"] += redacted
    return Conversation("\n\n".join(texts["system"]), "\n\n".join(texts["user"]), left_out, redacted)


def _turn(message: object, number: int, counts: Counter[str]) -> tuple[str, str]:
    if not isinstance(message, dict):
        raise BadEvent("bad-messages", f"message {number} must be an object, not {type(message).__name__}")
    name = message.get("role")
    role = ROLES.get(name) if isinstance(name, str) else None
    if role is None:
        raise BadEvent("bad-messages", f"message {number} has role {name!r:.60}; known are {', '.join(ROLES)}")
    return (role, _content(message.get("content"), number, counts)) if role else ("", "")


def _content(content: object, number: int, counts: Counter[str]) -> str:
    if isinstance(content, str):
        return content.strip()
    if content is None:
        return ""
    if content == {}:
        return "{}"
    if not isinstance(content, list):
        kind = type(content).__name__
        raise BadEvent("bad-messages", f"content of message {number} must be a string or a list of parts, not {kind}")
    texts = [_part(part, number, counts) for part in content]
    return "\n".join(text for text in texts if text).strip()


def _part(part: object, number: int, counts: Counter[str]) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(part, dict) or not isinstance(kind, str):
        raise BadEvent("bad-messages", f'a part of message {number} must be an object with a "type"')
    if kind != "text":
        counts["parts-left-out"] += 1
        return ""
    text = part.get("text")
    if not isinstance(text, str):
        raise BadEvent("bad-messages", f'a text part of message {number} needs "text" as a string')
    return text
