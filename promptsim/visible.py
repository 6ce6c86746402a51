"""Text of strangers ─► text in which nothing is hidden: every invisible, direction or control character gets a sign.

    pieces(text) ─► plain and hidden stretches, for pages that can style them
    one_line(text) ─► short and safe for a table's cell

A prompt may carry characters that a reader does not see but a model does: zero-width and tag characters, variation
selectors, overrides of the writing direction. Whoever judges a prompt must see that they are there.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

_NAMES = {
    0x00AD: "SHY", 0x034F: "CGJ", 0x061C: "ALM", 0x180E: "MVS", 0x200B: "ZWSP", 0x200C: "ZWNJ", 0x200D: "ZWJ",
    0x200E: "LRM", 0x200F: "RLM", 0x202A: "LRE", 0x202B: "RLE", 0x202C: "PDF", 0x202D: "LRO", 0x202E: "RLO",
    0x2060: "WJ", 0x2066: "LRI", 0x2067: "RLI", 0x2068: "FSI", 0x2069: "PDI", 0xFEFF: "BOM", 0x0085: "NEL",
    0x2028: "LS", 0x2029: "PS", 0x00A0: "NBSP", 0x2007: "FIGSP", 0x202F: "NNBSP", 0x000D: "CR", 0x001B: "ESC",
    0x0000: "NUL", 0x0007: "BEL", 0x0008: "BS", 0x007F: "DEL", 0x3164: "FILLER", 0xFFA0: "FILLER", 0x115F: "FILLER",
    0x1160: "FILLER", 0x2800: "BLANK",
}  # fmt: skip
_HIDDEN_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_OPENING = {0x202A, 0x202B, 0x202D, 0x202E, 0x2066, 0x2067, 0x2068}
_CLOSING = {0x202C, 0x2069}
_PLAIN = frozenset("\n\t")
_EMOJI_STYLE = "\ufe0f"


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text; `label` is empty for plain text, else what to show instead of one hidden character."""

    text: str
    label: str = ""

    @property
    def title(self) -> str:
        """The hidden character by number and name."""
        return f"U+{ord(self.text):04X} {unicodedata.name(self.text, 'unnamed')}"


@cache
def label(char: str) -> str:
    """A short name for a character that is not seen; "" for one that is."""
    code = ord(char)
    if code in _NAMES:
        return _NAMES[code]
    if 0xE0020 <= code <= 0xE007E:
        return f"TAG {chr(code - 0xE0000)}"
    if 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF:
        return f"VS{code - 0xFE00 + 1 if code < 0xFE10 else code - 0xE0100 + 17}"
    return f"U+{code:04X}" if char not in _PLAIN and unicodedata.category(char) in _HIDDEN_CATEGORIES else ""


def pieces(text: str) -> Iterator[Piece]:
    """The text in order; joined again it is the same text. A single emoji style selector after a symbol is plain."""
    start = 0
    for at, char in enumerate(text):
        if char < "\x7f" and (char >= " " or char in _PLAIN):
            continue
        name = label(char)
        if not name or (char == _EMOJI_STYLE and at and unicodedata.category(text[at - 1]) in ("So", "Sm", "Po", "Nd")):
            continue
        if start < at:
            yield Piece(text[start:at])
        yield Piece(char, name)
        start = at + 1
    if start < len(text):
        yield Piece(text[start:])


def symbol(char: str) -> str:
    """One sign for a hidden character, where there is no room for its name."""
    code = ord(char)
    if code in _OPENING:
        return "‹"
    if code in _CLOSING:
        return "›"
    return "·" if unicodedata.category(char) in ("Cf", "Mn", "Lo") else "�"


def one_line(text: str, width: int = 90) -> str:
    """Text made safe and short for a cell: hidden characters as one sign each, line ends as ⏎."""
    room = text[: 4 * width + 64].replace("\r\n", "\n")
    words = " ".join(room.replace("\n", " ⏎ ").replace("\u00a0", " ").split())
    shown = "".join(symbol(p.text) if p.label else p.text for p in pieces(words))
    return shown if len(shown) <= width and len(room) >= len(text) else shown[: width - 1] + "…"
