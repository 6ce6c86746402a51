"""Canonical text → the same with its varying values replaced by their kind.

    "Order 17 for bob@example.com" ─► "Order <number> for <email>"

For guessing a slot's type and for telling fixed text from data. Every pattern takes linear time: nothing that repeats
may start again inside what it has already read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mask:
    """One kind of value; `pattern` finds it, `<name>` stands for it."""

    name: str
    pattern: str


MASKS: tuple[Mask, ...] = (  # the first that fits wins
    Mask("url", r"""(?<![\w/])(?:(?:https?|ftp)://|www\.)[^\s<>"']++"""),
    Mask("email", r"(?<![\w.+-])[\w.+-]{1,64}+@[\w-]{1,63}+(?:\.[\w-]{1,63}+){1,8}+"),
    Mask("uuid", r"(?<!\w)[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?!\w)"),
    Mask("quoted", r"\"[^\"\n]{1,200}\"|“[^“”\n]{1,200}”|«[^«»\n]{1,200}»|(?<!\w)'[^'\n]{1,200}'(?!\w)"),
    Mask("hex", r"(?<!\w)(?:0x[0-9a-fA-F]{4,}+|(?=[a-fA-F]{0,40}+[0-9])[0-9a-fA-F]{16,}+)(?!\w)"),
    Mask("base64", r"(?<![\w+/-])[A-Za-z0-9+/_-]{40,}+={0,2}"),
    Mask("number", r"(?<![\w.,:])[-+]?(?:\d++(?:[.,:]\d++)*+%?)(?!\w)"),
)
_ANY = re.compile("|".join(f"(?P<{mask.name}>{mask.pattern})" for mask in MASKS))
_MIXED = (re.compile("[a-z]"), re.compile("[A-Z]"), re.compile("[0-9]"))


def mask(text: str) -> str:
    """The text with every value replaced by `<name>` of its mask."""
    return _ANY.sub(_replacement, text)


def kind_of(value: str) -> str | None:
    """The name of the mask that fits the whole of a value, if one does."""
    found = _ANY.fullmatch(value.strip())
    return found.lastgroup if found and _replacement(found) != found[0] else None


def _replacement(found: re.Match[str]) -> str:
    if found.lastgroup == "base64" and not all(part.search(found[0]) for part in _MIXED):
        return found[0]  # a path or a hyphenated phrase
    return f"<{found.lastgroup}>"
