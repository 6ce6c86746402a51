"""Prompts that no skeleton explains → groups of near-duplicates: whole prompts that differ in little.

After the skeletons, the second path: a text copied with small changes, or a template whose slots are tiny.
MinHash bands over 3-grams of tokens propose pairs, linear in prompts; token alignment decides. Run on what the
skeletons leave, because before them shared documents would join whatever stands around them.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from promptsim.families.atoms import find_root
from promptsim.families.corpus import Corpus
from promptsim.families.keys import mixed, slots_for
from promptsim.families.minhash import EMPTY, coefficients, lower
from promptsim.families.options import MineOptions
from promptsim.order import firsts
from promptsim.records import Int32s, Int64s, UInt64s

BANDS, ROWS = 16, 2  # 3-gram Jaccard 0.5 meets in a band with 1 − (1 − 0.5²)¹⁶ = 0.99, 0.3 with 0.78
WORD = 64  # tokens of a prompt that are compared at once


@njit(cache=True, nogil=True)
def _signatures(tokens, bounds, chosen, factors, summands):  # type: ignore[no-untyped-def]
    """MinHash of the 3-grams of each chosen prompt, its ends marked; empty prompts keep the largest value."""
    out = np.full((len(chosen), len(factors)), EMPTY, np.uint64)
    for i in range(len(chosen)):
        lo, hi = bounds[2 * chosen[i]], bounds[2 * chosen[i] + 2]
        row = out[i]
        for t in range(lo, hi + (1 if hi > lo else 0)):
            a = tokens[t - 2] if t - 2 >= lo else np.uint64(1)
            b = tokens[t - 1] if t - 1 >= lo else np.uint64(1)
            c = tokens[t] if t < hi else np.uint64(1)
            lower(row, mixed((a * np.uint64(31) + b) * np.uint64(0xD6E8FEB86659FD93) + c), factors, summands)
    return out


@njit(cache=True, nogil=True)
def _candidates(signature, bands, rows):  # type: ignore[no-untyped-def]
    """Pairs that share a band, as first · n + second: each of a bucket with its first and with the one before it."""
    n = len(signature)
    slots = slots_for(n)
    mask = np.uint64(slots - 1)
    first = np.empty(slots, np.int32)
    last = np.empty(slots, np.int32)
    key = np.empty(slots, np.uint64)
    out = np.empty(2 * bands * n, np.int64)
    filled = 0
    for band in range(bands):
        first[:] = -1
        for i in range(n):
            here = np.uint64(0)
            for row in range(rows * band, rows * band + rows):
                here = here * np.uint64(0xD6E8FEB86659FD93) + signature[i, row]
            slot = mixed(here) & mask
            while first[slot] >= 0 and key[slot] != here:
                slot = (slot + np.uint64(1)) & mask
            if first[slot] < 0:
                first[slot], key[slot] = i, here
            else:
                out[filled] = np.int64(first[slot]) * n + i
                filled += 1
                if last[slot] > first[slot]:
                    out[filled] = np.int64(last[slot]) * n + i
                    filled += 1
            last[slot] = i
    return out[:filled]


def candidates(corpus: Corpus, chosen: Int64s) -> Int32s:
    """Pairs of positions in `chosen` that may be near-duplicates."""
    signature: UInt64s = _signatures(corpus.tokens, corpus.bounds, chosen, *coefficients(BANDS * ROWS))
    pairs: Int64s = _candidates(signature, BANDS, ROWS)
    pairs.sort()
    return np.stack(np.divmod(pairs[firsts(pairs)], max(len(chosen), 1)), axis=1).astype(np.int32)


def near_duplicates(corpus: Corpus, chosen: Int64s, options: MineOptions) -> tuple[Int32s, int]:
    """A group number for each of `chosen` (-1: alone), and how many pairs were too long to align."""
    roots, skipped = _joined(
        corpus.tokens, corpus.bounds, chosen, candidates(corpus, chosen), options.near, options.max_near
    )
    size = np.bincount(roots, minlength=len(roots)) if len(roots) else roots
    grouped = size[roots] >= 2
    label = np.full(len(chosen), -1, np.int32)
    label[grouped] = np.unique(roots[grouped], return_inverse=True)[1]
    return label, int(skipped)


@njit(cache=True, nogil=True)
def _joined(tokens, bounds, chosen, pairs, near, longest):  # type: ignore[no-untyped-def]
    """The first of the group of each chosen prompt, and how many pairs were too long to align."""
    parent = np.arange(len(chosen))
    skipped = 0
    room = room_for(longest)
    for pair in range(len(pairs)):
        one, two = find_root(parent, pairs[pair, 0]), find_root(parent, pairs[pair, 1])
        if one == two:
            continue
        a, b = chosen[pairs[pair, 0]], chosen[pairs[pair, 1]]
        first = tokens[bounds[2 * a] : bounds[2 * a + 2]]
        second = tokens[bounds[2 * b] : bounds[2 * b + 2]]
        both = len(first) + len(second)
        if min(len(first), len(second)) < near * max(len(first), len(second)):
            continue
        if max(len(first), len(second)) > longest:
            skipped += 1
            continue
        apart = both - 2 * in_order(first, second, room, pair)
        if 1.0 - apart / max(both, 1) >= near:
            parent[max(one, two)] = min(one, two)
    for i in range(len(parent)):
        parent[i] = find_root(parent, i)
    return parent, skipped


@njit(cache=True, nogil=True)
def room_for(longest):  # type: ignore[no-untyped-def]
    """What `in_order` writes to when it compares prompts of at most so many tokens."""
    slots = slots_for(longest)
    words = longest // WORD + 1
    key, turn, row = np.empty(slots, np.uint64), np.full(slots, -1, np.int64), np.empty(slots, np.int32)
    return key, turn, row, np.empty(longest * words, np.uint64), np.empty(words, np.uint64)


@njit(cache=True, nogil=True)
def in_order(first, second, room, now):  # type: ignore[no-untyped-def]
    """How many tokens two prompts have in common in the same order (Hyyrö 2004: a bit for each token of the first).

    A table, in force where `turn` is `now`, leads from a token of the first to its places, a row of bits.
    """
    key, turn, row, places, left = room
    mask = np.uint64(len(key) - 1)
    words = (len(first) + WORD - 1) // WORD
    rows = 0
    for i in range(len(first)):
        slot = first[i] & mask
        while turn[slot] == now and key[slot] != first[i]:
            slot = (slot + np.uint64(1)) & mask
        if turn[slot] != now:
            turn[slot], key[slot], row[slot] = now, first[i], rows
            places[rows * words : (rows + 1) * words] = 0
            rows += 1
        places[row[slot] * words + i // WORD] |= np.uint64(1) << np.uint64(i % WORD)
    left[:words] = EMPTY
    for token in second:
        slot = token & mask
        while turn[slot] == now and key[slot] != token:
            slot = (slot + np.uint64(1)) & mask
        if turn[slot] != now:
            continue
        carry = np.uint64(0)
        for word in range(words):
            before = left[word]
            there = before & places[row[slot] * words + word]
            plain = before + there
            total = plain + carry
            carry = np.uint64(plain < before) | np.uint64(total < plain)
            left[word] = total | (before ^ there)
    common = 0
    for i in range(len(first)):
        common += not (left[i // WORD] >> np.uint64(i % WORD)) & np.uint64(1)
    return common
