"""Prompts that no skeleton explains → groups of near-duplicates: whole prompts that differ in little.

After the skeletons, the second path: a text copied with small changes, or a template whose slots are tiny.
MinHash bands over 3-grams of tokens propose pairs, linear in prompts; token alignment decides. Run on what the
skeletons leave, because before them shared documents would join whatever stands around them.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from rapidfuzz.distance import Indel

from promptsim.families.atoms import find_root
from promptsim.families.corpus import Corpus
from promptsim.families.options import MineOptions
from promptsim.families.shingles import mixed
from promptsim.records import Int32s, Int64s, UInt64s

BANDS, ROWS = 16, 2  # 3-gram Jaccard 0.5 meets in a band with 1 − (1 − 0.5²)¹⁶ = 0.99, 0.3 with 0.78


@njit(cache=True, nogil=True)
def _signatures(tokens, bounds, chosen, width):  # type: ignore[no-untyped-def]
    """MinHash of the 3-grams of each chosen prompt, its ends marked; empty prompts keep the largest value."""
    out = np.full((len(chosen), width), np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64)
    for i in range(len(chosen)):
        lo, hi = bounds[2 * chosen[i]], bounds[2 * chosen[i] + 2]
        row = out[i]
        for t in range(lo, hi + (1 if hi > lo else 0)):
            a = tokens[t - 2] if t - 2 >= lo else np.uint64(1)
            b = tokens[t - 1] if t - 1 >= lo else np.uint64(1)
            c = tokens[t] if t < hi else np.uint64(1)
            x = mixed((a * np.uint64(31) + b) * np.uint64(0xD6E8FEB86659FD93) + c)
            for j in range(width):
                x = x * np.uint64(0xD6E8FEB86659FD93) + np.uint64(0x9E3779B97F4A7C15)
                h = x ^ (x >> np.uint64(32))
                if h < row[j]:
                    row[j] = h
    return out


@njit(cache=True, nogil=True)
def _candidates(keys, order, n):  # type: ignore[no-untyped-def]
    """Pairs that share a band: each member of a bucket with its first and with the one before it."""
    out = np.empty((2 * len(order), 2), np.int32)
    filled = 0
    begin = 0
    while begin < len(order):
        end = begin + 1
        while end < len(order) and keys[order[end]] == keys[order[begin]]:
            end += 1
        for j in range(begin + 1, end):
            out[filled, 0], out[filled, 1] = order[begin] % n, order[j] % n
            filled += 1
            if j - 1 > begin:
                out[filled, 0], out[filled, 1] = order[j - 1] % n, order[j] % n
                filled += 1
        begin = end
    return out[:filled]


def candidates(corpus: Corpus, chosen: Int64s) -> Int32s:
    """Pairs of positions in `chosen` that may be near-duplicates."""
    n = len(chosen)
    signature: UInt64s = _signatures(corpus.tokens, corpus.bounds, chosen, BANDS * ROWS)
    keys = np.empty(BANDS * n, np.uint64)
    for band in range(BANDS):
        pair = signature[:, ROWS * band] * np.uint64(0xD6E8FEB86659FD93) + signature[:, ROWS * band + 1]
        keys[band * n : (band + 1) * n] = pair * np.uint64(2 * band + 1) + np.uint64(band)
    pairs: Int32s = _candidates(keys, np.argsort(keys, kind="stable"), n)
    return np.unique(pairs, axis=0) if len(pairs) else pairs


def near_duplicates(corpus: Corpus, chosen: Int64s, options: MineOptions) -> tuple[Int32s, int]:
    """A group number for each of `chosen` (-1: alone), and how many pairs were too long to align."""
    parent = np.arange(len(chosen))
    skipped = 0
    length = corpus.bounds[2::2] - corpus.bounds[:-1:2]
    for first, second in candidates(corpus, chosen).tolist() if len(chosen) else ():
        one, two = find_root(parent, first), find_root(parent, second)
        if one == two:
            continue
        a, b = chosen[first], chosen[second]
        if min(length[a], length[b]) < options.near * max(length[a], length[b]):
            continue
        if max(length[a], length[b]) > options.max_near:
            skipped += 1
            continue
        if alike(corpus, int(a), int(b)) >= options.near:
            parent[max(one, two)] = min(one, two)
    roots = np.array([find_root(parent, i) for i in range(len(parent))], np.int64)
    size = np.bincount(roots, minlength=len(parent)) if len(roots) else roots
    grouped = size[roots] >= 2
    label = np.full(len(chosen), -1, np.int32)
    label[grouped] = np.unique(roots[grouped], return_inverse=True)[1]
    return label, skipped


def alike(corpus: Corpus, a: int, b: int) -> float:
    """Share of the tokens of two prompts that stand in the same order in both."""
    first = corpus.tokens[corpus.bounds[2 * a] : corpus.bounds[2 * a + 2]].tolist()
    second = corpus.tokens[corpus.bounds[2 * b] : corpus.bounds[2 * b + 2]].tolist()
    return float(Indel.normalized_similarity(first, second))
