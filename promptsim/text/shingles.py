"""Token hashes → hashes of k neighbouring tokens, and the few of them that stand for a text.

    hashes, offsets ─► shingles (every k tokens in a row, in order) ─► winnow (at least one in every `window` of them)

Arrays are laid out as in `tokens.Tokens`: text after text, with offsets. A text of fewer than k tokens has no shingle.
Winnowing (Schleimer, Wilkerson and Aiken 2003) keeps the least shingle of every window: two texts that share
k + window - 1 tokens in a row share a kept shingle, whatever stands around.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptsim.records import Int32s, Int64s, UInt64s
from promptsim.text.shingle_kernel import roll, select_least


@dataclass(frozen=True, slots=True)
class Winnowed:
    """The kept shingles of many texts; `positions` are token places within each text, ascending."""

    hashes: UInt64s
    positions: Int32s
    offsets: Int64s


def shingles(hashes: UInt64s, offsets: Int64s, k: int) -> tuple[UInt64s, Int64s]:
    """The hash of every k tokens in a row, in order: shingle i of a text starts at its token i."""
    if k < 1:
        raise ValueError(f"k = {k}: a shingle has at least one token")
    counts = np.maximum(np.diff(offsets) - (k - 1), 0)
    ends = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(counts, dtype=np.int64)))
    out = np.empty(int(ends[-1]), dtype=np.uint64)
    roll(hashes, offsets, k, out, ends)
    return out, ends


def winnow(hashes: UInt64s, offsets: Int64s, k: int, window: int) -> Winnowed:
    """The shingles of k tokens that are least in some window; all of a text that has no full window gives its least."""
    if window < 1:
        raise ValueError(f"window = {window}: a window holds at least one shingle")
    grams, ends = shingles(hashes, offsets, k)
    positions = np.empty(len(grams), dtype=np.int32)
    counts = np.zeros(len(ends), dtype=np.int64)
    kept = select_least(grams, ends, window, positions, counts)
    kept_offsets = np.cumsum(counts)
    positions = positions[:kept].copy()
    return Winnowed(grams[positions + np.repeat(ends[:-1], counts[1:])], positions, kept_offsets)
