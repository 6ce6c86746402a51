"""Word sequences → pairs that differ by hardly a word, in arrays: for hundreds of thousands of texts.

Two texts of which 95 % stand in one alignment share three in four of their word triples at least, so the smallest
hashes of those are nearly surely common to both; pairs of texts that share one, and are of like length, are aligned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from promptsim.families.alignment import align
from promptsim.families.keys import mixed
from promptsim.records import Bools, Floats, Int64s, UInt64s

WORDS = 3  # of a triple
KEPT = 16  # triples of a text, those of the smallest hashes
CROWDED = 256  # texts with one triple: too many to pair
MOST_PAIRS = 20_000_000  # to be aligned


@dataclass(frozen=True, slots=True)
class Twins:
    """Pairs (first < second), ascending, with the share of the words of both that stand in one alignment."""

    first: Int64s
    second: Int64s
    likeness: Floats
    crowded: int
    not_compared: int


@njit(cache=True, nogil=True)
def _triples(words, bounds, usable):  # type: ignore[no-untyped-def]
    """The smallest triples of each usable text and whose they are."""
    out = np.empty(KEPT * (len(bounds) - 1), np.uint64)
    owner = np.empty(KEPT * (len(bounds) - 1), np.int64)
    filled = 0
    for text in range(len(bounds) - 1):
        lo, hi = bounds[text], bounds[text + 1]
        if not usable[text] or hi - lo < WORDS:
            continue
        hashes = np.empty(hi - lo - WORDS + 1, np.uint64)
        for i in range(len(hashes)):
            h = words[lo + i]
            for j in range(1, WORDS):
                h = mixed(h * np.uint64(0xD6E8FEB86659FD93) + words[lo + i + j])
            hashes[i] = h
        hashes.sort()
        kept = 0
        for i in range(len(hashes)):
            if kept < KEPT and (i == 0 or hashes[i] != hashes[i - 1]):
                out[filled], owner[filled] = hashes[i], text
                filled += 1
                kept += 1
    return out[:filled], owner[:filled]


@njit(cache=True, nogil=True)
def _candidates(hashes, owner, length, least, most):  # type: ignore[no-untyped-def]
    """Pairs of owners of one hash (sorted by it) that are long enough for each other; how many hashes were crowded."""
    out = np.empty(1 << 12, np.int64)
    n = len(length)
    filled, crowded, over = 0, 0, 0
    begin = 0
    while begin < len(hashes):
        end = begin + 1
        while end < len(hashes) and hashes[end] == hashes[begin]:
            end += 1
        if end - begin > CROWDED:
            crowded += 1
        else:
            for x in range(begin, end):
                for y in range(x + 1, end):
                    a, b = owner[x], owner[y]
                    shorter = min(length[a], length[b])
                    if 2 * shorter < least * (length[a] + length[b]):
                        continue
                    if filled >= most:
                        over += 1
                        continue
                    if filled == len(out):
                        more = np.empty(2 * filled, np.int64)
                        more[:filled] = out
                        out = more
                    out[filled] = a * n + b
                    filled += 1
        begin = end
    return out[:filled], crowded, over


@njit(cache=True, nogil=True)
def _likeness(pairs, words, bounds):  # type: ignore[no-untyped-def]
    n = len(bounds) - 1
    out = np.zeros(len(pairs), np.float32)
    for i in range(len(pairs)):
        a, b = pairs[i] // n, pairs[i] % n
        first, second = words[bounds[a] : bounds[a + 1]], words[bounds[b] : bounds[b + 1]]
        held = 0
        for partner in align(first, second):
            held += partner >= 0
        out[i] = 2.0 * held / (len(first) + len(second))
    return out


def twins(words: Sequence[UInt64s], usable: Bools, least: float) -> Twins:
    """Pairs of usable texts of which at least `least` stands in one alignment."""
    bounds = np.cumsum([0, *map(len, words)])
    every = np.concatenate([np.zeros(0, np.uint64), *words])
    hashes, owner = _triples(every, bounds, usable)
    order = np.lexsort((owner, hashes))
    found, crowded, over = _candidates(hashes[order], owner[order], np.diff(bounds), least, MOST_PAIRS)
    pairs = np.unique(found)
    likeness = _likeness(pairs, every, bounds)
    good = likeness >= least
    first, second = np.divmod(pairs[good], max(len(words), 1))
    return Twins(first, second, likeness[good], int(crowded), int(over))
