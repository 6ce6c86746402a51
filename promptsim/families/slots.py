"""Members placed on a template's runs → what each of them has in each slot, and a slot's description.

A *gap* is a place beside a run: gap 0 stands before the first run, gap r after run r-1. A *slot* is a gap that
members fill. Everything here works on whole arrays of members; texts are cut out of the bytes as written.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numba import njit

from promptsim.families.alignment import Sequences
from promptsim.records import Int32s, Int64s, Slot, UInt64s

EXAMPLES = 5
EXAMPLE_CHARS = 80
CHOICE_MAX = 12  # distinct fillings at most, each seen CHOICE_SEEN times on average, make a choice
CHOICE_SEEN = 4
LIKE = 0.8  # of the fillings look alike: the slot is of that kind
JUDGED = 40  # distinct fillings looked at for the kind

_NUMBER = re.compile(r"[-+$€£]?\d[\d.,:/ ]*%?")
_URL = re.compile(r"(?:https?://|www\.)\S+")
_NAME = re.compile(r"[^\W\d_][\w.'’-]*(?: [^\W\d_][\w.'’-]*){0,3}")
_CODE = re.compile(
    r"[;{}]\s*$|^\s*(?:def|class|import|from|#include|public|function|SELECT|var|let|const)\b|=>|==|\w\(", re.M
)


@dataclass(frozen=True)
class Fillings:
    """What members have in the slots of a template.

    `texts[m]` are member m's fillings, one for each slot ("" for none); `spans[m, s]` are their byte offsets in the
    member's joined text; `hashes[m]` is one number for all of them, by folded tokens (0: nothing in any slot);
    `matched[m]` is the share of the fixed tokens that the member holds.
    """

    texts: tuple[tuple[str, ...], ...]
    spans: Int32s
    hashes: UInt64s
    matched: Sequence[float]


def bounds(placed: Int32s, runs: Int64s, lengths: Int64s) -> tuple[Int32s, Int32s]:
    """For each member and gap the first token inside the gap and the first token after it."""
    members, width = placed.shape
    before = np.full((members, width + 1), -1, np.int32)
    np.maximum.accumulate(placed, axis=1, out=before[:, 1:])
    after = np.empty((members, width + 1), np.int32)
    after[:, width] = lengths
    after[:, :width] = np.where(placed >= 0, placed, lengths[:, None])
    after = np.minimum.accumulate(after[:, ::-1], axis=1)[:, ::-1]
    return before[:, runs] + 1, np.ascontiguousarray(after[:, runs], dtype=np.int32)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _hashes(first: Int32s, last: Int32s, hashes: UInt64s, offsets: Int64s) -> UInt64s:
    """One number for the tokens in [first, last) of all slots of each member; 0 where there are none."""
    out = np.zeros(len(offsets) - 1, np.uint64)
    for member in range(len(out)):
        state = np.uint64(0)
        filled = False
        for slot in range(first.shape[1]):
            state = (state ^ np.uint64(slot + 1)) * np.uint64(0x9E3779B97F4A7C15)
            for i in range(offsets[member] + first[member, slot], offsets[member] + last[member, slot]):
                filled = True
                state = (state ^ hashes[i]) * np.uint64(0xFF51AFD7ED558CCD)
                state ^= state >> np.uint64(29)
        if filled:
            out[member] = max(state, np.uint64(1))
    return out


def cut(body: Sequences, placed: Int32s, runs: Int64s, slot_gaps: Sequence[int]) -> Fillings:
    """The fillings of every member in the gaps that are slots."""
    gaps = np.asarray(slot_gaps, np.int64)
    first, after = bounds(placed, runs, np.diff(body.offsets))
    first, after = np.ascontiguousarray(first[:, gaps]), np.ascontiguousarray(after[:, gaps])
    after = np.maximum(after, first)
    base = body.offsets[:-1, None]
    some = after > first
    top = max(len(body.starts) - 1, 0)
    spans = np.zeros((*first.shape, 2), np.int32)
    if len(body.starts):
        spans[..., 0] = np.where(some, body.starts[np.minimum(base + first, top)], 0)
        spans[..., 1] = np.where(some, body.ends[np.clip(base + after - 1, 0, top)], 0)
    texts = tuple(
        tuple(raw[a:b].decode("utf-8", "replace") for a, b in row)
        for raw, row in zip(body.raw, spans.tolist(), strict=True)
    )
    held = (placed >= 0).mean(axis=1) if placed.shape[1] else np.ones(len(body))
    return Fillings(texts, spans, _hashes(first, after, body.hashes, body.offsets), held.tolist())


def describe(fillings: Fillings, trusted: float = 0.5) -> tuple[Slot, ...]:
    """The slots of a template: how many distinct fillings, examples, and what they look like.

    A member that holds less than `trusted` of the fixed text is not asked: its fillings are guesses.
    """
    rows = [row for row, held in zip(fillings.texts, fillings.matched, strict=True) if held >= trusted]
    slots = []
    for s in range(fillings.spans.shape[1]):
        seen = Counter(row[s] for row in rows if row[s])
        common = sorted(seen, key=lambda text: (-seen[text], len(text), text))
        slots.append(Slot(str(s + 1), len(seen), tuple(_short(t) for t in common[:EXAMPLES]), _kind(common, seen)))
    return tuple(slots)


def _short(text: str) -> str:
    return text if len(text) <= EXAMPLE_CHARS else text[: EXAMPLE_CHARS - 1] + "…"


def _kind(common: Sequence[str], seen: Counter[str]) -> str:
    """number, url, choice, code, name or text, by what most of the distinct fillings look like."""
    judged = common[:JUDGED]
    if not judged:
        return "text"

    if _most(judged, lambda text: _NUMBER.fullmatch(text.strip()) is not None):
        return "number"
    if _most(judged, lambda text: _URL.fullmatch(text.strip()) is not None):
        return "url"
    if len(seen) <= CHOICE_MAX and seen.total() >= CHOICE_SEEN * len(seen):
        return "choice"
    if _most(judged, lambda text: next(islice(_CODE.finditer(text), 1, None), None) is not None):
        return "code"
    if _most(judged, lambda text: _NAME.fullmatch(text.strip()) is not None) and _most(judged, _capital):
        return "name"
    return "text"


def _most(judged: Sequence[str], alike: Callable[[str], bool]) -> bool:
    """Whether LIKE of the fillings are alike; nothing more is asked once too many are not."""
    others = 0
    for text in judged:
        others += not alike(text)
        if len(judged) - others < LIKE * len(judged):
            return False
    return True


def _capital(text: str) -> bool:
    return text[:1].isupper()
