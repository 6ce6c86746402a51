"""Text as sent → canonical text: what makes two texts the same.

    text ─► cut to MAX_CHARS ─► long runs of combining marks cut ─► NFC ─► "\\n" line ends ─► outer white space gone

Everything else is kept as written: this form is stored, shown and fingerprinted. Both cuts come before normalising,
which is quadratic on combining marks, and in a long text the characters that normalising is slow to replace are
replaced beforehand, so that a hostile text costs no more than a long one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

import numpy as np
import numpy.typing as npt

from promptsim.records import Bools, Int64s

MAX_CHARS = 1_000_000
MAX_MARKS = 16  # combining marks on one base character; no script needs half as many
_LONG = 4096  # characters from which on replacing beforehand pays
_END = 0x2FA20  # from here on normalising moves and replaces nothing
_LEFT_ALONE = ((0x3400, 0xA000), (0xAC00, 0xD7B0), (0x1F000, 0x2F800))  # nor here, and there are many
_SURROGATE = re.compile("[\ud800-\udfff]")


def canonical(text: str) -> str:
    """The canonical form; taking it again changes nothing. A lone surrogate raises ValueError."""
    return capped(text)[0]


def capped(text: str) -> tuple[str, int]:
    """The canonical form and how many characters were cut from the end or from runs of combining marks."""
    cut = max(0, len(text) - MAX_CHARS)
    text = text[:MAX_CHARS]
    if not text.isascii():
        text, cut = _normalised(text, cut)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.strip(), cut


def _normalised(text: str, cut: int) -> tuple[str, int]:
    found = _SURROGATE.search(text)
    if found:
        raise ValueError(f"lone surrogate U+{ord(found[0]):04X} at character {found.start()}: not a Unicode text")
    text, before = _without_long_runs(text)
    text = unicodedata.normalize("NFC", _replaced(text) if len(text) > _LONG else text)
    over = max(0, len(text) - MAX_CHARS)  # a few characters grow when normalised
    text, after = _without_long_runs(text[:MAX_CHARS])
    return text, cut + before + over + after


def _codes(text: str) -> npt.NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)


def _without_long_runs(text: str) -> tuple[str, int]:
    """At most MAX_MARKS combining marks in a row; a run that long shows in two neighbours of a thin sample."""
    sample = text[:: MAX_MARKS // 2]
    if len(text) <= MAX_MARKS or _marks().isdisjoint(sample) or not _near_marks().search(sample):
        return text, 0
    codes = _codes(text)
    mark = _is_mark()[np.minimum(codes, _END)]
    place = np.arange(len(codes))
    last_base = np.maximum.accumulate(np.where(mark, -1, place))
    keep = place - last_base <= MAX_MARKS
    kept = codes[keep].tobytes().decode("utf-32-le")
    return kept, len(text) - len(kept)


def _replaced(text: str) -> str:
    """The text with characters that never stand in NFC replaced by what they become."""
    codes = _codes(text)
    lengths, first, becomes = _replacements()
    clipped = np.minimum(codes, _END)
    length = lengths[clipped]
    changing = np.flatnonzero(length)
    if not len(changing):
        return text
    length = np.maximum(length, 1)
    ends = np.cumsum(length)
    out = np.repeat(codes, length)
    for part in range(int(length.max())):
        here = changing[length[changing] > part]
        out[ends[here] - length[here] + part] = becomes[first[clipped[here]] + part]
    return out.tobytes().decode("utf-32-le")


@cache
def _replacements() -> tuple[Int64s, Int64s, npt.NDArray[np.uint32]]:
    """By code point: how many characters it becomes (0: it stays), and where they stand in the third array."""
    lengths = np.zeros(_END + 1, dtype=np.int64)
    becomes = ""
    first = np.zeros(_END + 1, dtype=np.int64)
    for code in _concerned():
        normal = unicodedata.normalize("NFC", chr(code))
        if normal != chr(code):
            lengths[code], first[code] = len(normal), len(becomes)
            becomes += normal
    return lengths, first, _codes(becomes)


def _concerned() -> Iterator[int]:
    start = 0x300
    for gap_start, gap_end in (*_LEFT_ALONE, (_END, _END)):
        yield from range(start, gap_start)
        start = gap_end


@cache
def _is_mark() -> Bools:
    """Whether a code point is moved about by normalising."""
    mark = np.zeros(_END + 1, dtype=np.bool_)
    for code in _concerned():
        mark[code] = unicodedata.combining(chr(code)) != 0
    return mark


@cache
def _marks() -> frozenset[str]:
    return frozenset(map(chr, np.flatnonzero(_is_mark()).tolist()))


@cache
def _near_marks() -> re.Pattern[str]:
    codes = np.flatnonzero(_is_mark())
    breaks = np.flatnonzero(np.diff(codes) > 1)
    starts = codes[np.concatenate(([0], breaks + 1))]
    ends = codes[np.concatenate((breaks, [len(codes) - 1]))]
    marks = "".join(f"{chr(a)}-{chr(b)}" for a, b in zip(starts.tolist(), ends.tolist(), strict=True))
    return re.compile(f"[{marks}][{marks}]")
