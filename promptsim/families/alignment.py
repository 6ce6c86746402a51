"""Token sequences → where a fixed text stands in each of them.

Used by templates (which part of a member is the slot), by wordings (how alike are two fixed texts) and by
explanations (what do these two prompts share). Tokens are compared by their folded hashes, so that a homoglyph or
a capital letter is no difference; the spans always point into the text as it was written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from promptsim.records import Int32s, Int64s, UInt8s, UInt64s
from promptsim.text.tokens import MARKUP, tokenise

MAX_CELLS = 16_000_000  # of one alignment table (a byte each); a longer pair is aligned run by run only


@dataclass(frozen=True)
class Sequences:
    """Texts as token sequences without markup; `starts` and `ends` are byte offsets into each text's own UTF-8."""

    raw: tuple[bytes, ...]
    hashes: UInt64s
    starts: Int32s
    ends: Int32s
    kinds: UInt8s
    offsets: Int64s

    def __len__(self) -> int:
        return len(self.raw)

    def of(self, i: int) -> UInt64s:
        """Token hashes of text `i`."""
        return self.hashes[self.offsets[i] : self.offsets[i + 1]]


def sequences(texts: Sequence[str]) -> Sequences:
    """Tokenise `texts` and drop markup, which people and evaders sprinkle freely."""
    tokens = tokenise(texts)
    keep = tokens.kinds != MARKUP
    kept_before = np.concatenate([np.zeros(1, np.int64), np.cumsum(keep, dtype=np.int64)])
    return Sequences(
        raw=tuple(text.encode("utf-8") for text in texts),
        hashes=tokens.hashes[keep],
        starts=tokens.starts[keep],
        ends=tokens.ends[keep],
        kinds=tokens.kinds[keep],
        offsets=kept_before[tokens.offsets],
    )


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def align(a: UInt64s, b: UInt64s) -> Int32s:
    """For each token of `a` its partner in `b`, or -1: most matches first, and the longest runs."""
    n, m = len(a), len(b)
    out = np.full(n, -1, np.int32)
    head = 0
    while head < n and head < m and a[head] == b[head]:
        out[head] = head
        head += 1
    tail = 0
    while tail < n - head and tail < m - head and a[n - 1 - tail] == b[m - 1 - tail]:
        out[n - 1 - tail] = m - 1 - tail
        tail += 1
    rows, columns = n - head - tail, m - head - tail
    if rows <= 0 or columns <= 0 or rows * columns > MAX_CELLS:
        return out
    # step: 0 up, 1 left, 2 match; bit 2 is set where the match goes on a run that ended at the cell before
    step = np.zeros((rows + 1, columns + 1), np.uint8)
    best = np.zeros(columns + 1, np.int32)
    ended = np.zeros(columns + 1, np.int32)  # best score of a path that ends with a match in this cell, 0: no match
    for i in range(1, rows + 1):
        best_diagonal, ended_diagonal = best[0], ended[0]
        ended[0] = 0
        for j in range(1, columns + 1):
            best_up, ended_up = best[j], ended[j]
            score, way = best_up, 0
            if best[j - 1] > score:
                score, way = best[j - 1], 1
            here = 0
            if a[head + i - 1] == b[head + j - 1]:
                here, flag = best_diagonal + 8, 0
                if ended_diagonal > 0 and ended_diagonal + 9 >= here:
                    here, flag = ended_diagonal + 9, 4
                if here >= score:
                    score, way = here, 2
                way |= flag
            step[i, j] = way
            best[j], ended[j] = score, here
            best_diagonal, ended_diagonal = best_up, ended_up
    i, j, forced = rows, columns, False
    while i > 0 and j > 0:
        way = step[i, j]
        if forced or way & 3 == 2:
            out[head + i - 1] = head + j - 1
            forced = way & 4 != 0
            i -= 1
            j -= 1
        elif way & 3 == 1:
            j -= 1
        else:
            i -= 1
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def in_runs(fixed: UInt64s, text: UInt64s) -> Int32s:
    """As `align`, but only runs of two or more: single common words in the right order are chance."""
    at = align(fixed, text)
    out = np.full(len(fixed), -1, np.int32)
    for t in range(len(fixed)):
        if at[t] >= 0:
            before = t > 0 and at[t - 1] >= 0 and at[t] - at[t - 1] == 1
            after = t + 1 < len(fixed) and at[t + 1] >= 0 and at[t + 1] - at[t] == 1
            if before or after:
                out[t] = at[t]
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def place(fixed: UInt64s, runs: Int64s, to_end: bool, hashes: UInt64s, offsets: Int64s) -> Int32s:
    """Where each token of a template's `fixed` text stands in each member: an array [members, tokens], -1: nowhere.

    `runs` are the offsets of the runs between slots. A member that holds every run whole, in order, is placed by
    reading it once; any other is aligned. `to_end` says that the last run stands at the very end.
    """
    members, width = len(offsets) - 1, len(fixed)
    out = np.full((members, width), -1, np.int32)
    for member in range(members):
        text = hashes[offsets[member] : offsets[member + 1]]
        at = 0
        whole = True
        for run in range(len(runs) - 1):
            first, size = runs[run], runs[run + 1] - runs[run]
            start = at
            if to_end and run == len(runs) - 2:
                start = max(at, len(text) - size)
            found = False
            while start + size <= len(text) and not found:
                found = True
                for i in range(size):
                    if text[start + i] != fixed[first + i]:
                        found = False
                        break
                if not found:
                    start += 1
            if not found:
                whole = False
                break
            for i in range(size):
                out[member, first + i] = start + i
            at = start + size
        if not whole:
            out[member, :] = align(fixed, text)
    return out
