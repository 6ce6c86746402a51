"""Skeletons as an inverted index, and prompts matched against it: compiled, for millions at once.

An inverted index leads from a shingle to the skeletons that hold it; a prompt adds up what it matches and goes to
the skeleton with the most matched weight, less what is missing, among those it matches well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from promptsim.families.consensus import Cores
from promptsim.families.repeats import Repeats
from promptsim.families.shingles import shingles_of
from promptsim.lookahead import in_spans
from promptsim.records import Floats, Int32s, Int64s, UInt8s, UInt64s

LONGEST_LIST = 256  # skeletons that one shingle may lead to, the heaviest first: bounds the work for a hot shingle


@dataclass(frozen=True, slots=True)
class Postings:
    """An open-addressed table from shingle hash to `skeleton[of[e]:of[e+1]]`, entry e."""

    table: Int32s
    keys: UInt64s
    of: Int64s
    skeleton: Int32s
    weight: Floats
    total: Floats  # of each skeleton's shingles
    rank: Floats  # of each skeleton: what decides between two that match
    cut: int


def build(cores: Cores) -> Postings:
    """The inverted index of some skeletons' shingles."""
    n = len(cores)
    rank = cores.rank()
    skeleton = np.repeat(np.arange(n, dtype=np.int32), np.diff(cores.of))
    order = np.lexsort((skeleton, -rank[skeleton], cores.hashes))
    hashes = cores.hashes[order]
    keys, start, size = np.unique(hashes, return_index=True, return_counts=True)
    place = np.arange(len(hashes)) - np.repeat(start, size)
    kept = place < LONGEST_LIST
    order, size = order[kept], np.minimum(size, LONGEST_LIST)
    of = np.concatenate([np.zeros(1, np.int64), np.cumsum(size)])
    total = np.bincount(skeleton[order], weights=cores.weights[order], minlength=n).astype(np.float32)
    table = _table(keys, max(4, int(np.ceil(np.log2(4 * len(keys) + 1)))))
    cut = int((~kept).sum())
    return Postings(table, keys, of, skeleton[order], cores.weights[order], total, rank, cut)


@njit(cache=True, nogil=True)
def _table(keys, bits):  # type: ignore[no-untyped-def]
    mask = np.uint64((1 << bits) - 1)
    table = np.full(1 << bits, -1, np.int32)
    for i in range(len(keys)):
        slot = keys[i] & mask
        while table[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        table[slot] = i
    return table


@njit(cache=True, nogil=True, inline="always")
def _entry(table, keys, h):  # type: ignore[no-untyped-def]
    """The entry of a shingle, -1 if no skeleton holds it."""
    mask = np.uint64(len(table) - 1)
    slot = h & mask
    while table[slot] >= 0 and keys[table[slot]] != h:
        slot = (slot + np.uint64(1)) & mask
    return table[slot]


@njit(cache=True, nogil=True)
def _assign(tokens, flags, bounds, k, anchored, longest, table, keys, of, skeleton, weight, total, rank, accept):  # type: ignore[no-untyped-def]
    """`Assigned` of prompts from their tokens."""
    n_prompts = (len(bounds) - 1) // 2
    found = _none(n_prompts, len(total))
    got, touched = np.zeros(len(total), np.float32), np.empty(len(total), np.int32)
    seen = np.full(len(keys), -1, np.int64)
    hashes = np.empty(4 * longest + 4, np.uint64)
    places = np.empty(4 * longest + 4, np.int64)
    kinds = np.empty(4 * longest + 4, np.uint8)
    for prompt in range(n_prompts):
        n_touched = 0
        for part in range(2 * prompt, 2 * prompt + 2):
            n = shingles_of(tokens, flags, bounds[part], bounds[part + 1], k, anchored, hashes, places, kinds)
            for j in range(n):
                entry = _entry(table, keys, hashes[j])
                if entry < 0 or seen[entry] == prompt:
                    continue
                seen[entry] = prompt
                n_touched = _add(of, skeleton, weight, entry, got, touched, n_touched)
        _choose(prompt, touched[:n_touched], got, total, rank, accept, found)
    return found


@njit(cache=True, nogil=True)
def _entries(table, keys, hashes):  # type: ignore[no-untyped-def]
    """The entry of each shingle."""
    out = np.empty(len(hashes), np.int32)
    for s in range(len(hashes)):
        out[s] = _entry(table, keys, hashes[s])
    return out


@njit(cache=True, nogil=True)
def _assign_known(shingle, fresh, of_prompt, entry_of, of, skeleton, weight, total, rank, accept):  # type: ignore[no-untyped-def]
    """`Assigned` of prompts of which all shingles that recur are known, with the entries of those."""
    n_prompts = len(of_prompt) - 1
    found = _none(n_prompts, len(total))
    got, touched = np.zeros(len(total), np.float32), np.empty(len(total), np.int32)
    for prompt in range(n_prompts):
        n_touched = 0
        for j in range(of_prompt[prompt], of_prompt[prompt + 1]):
            entry = entry_of[shingle[j]]
            if entry >= 0 and fresh[j]:
                n_touched = _add(of, skeleton, weight, entry, got, touched, n_touched)
        _choose(prompt, touched[:n_touched], got, total, rank, accept, found)
    return found


@njit(cache=True, nogil=True)
def _none(n_prompts, n_skeletons):  # type: ignore[no-untyped-def]
    """`Assigned` of prompts that match nothing."""
    best, nearest = np.full(n_prompts, -1, np.int32), np.full(n_prompts, -1, np.int32)
    share, near_share = np.zeros(n_prompts, np.float32), np.zeros(n_prompts, np.float32)
    return best, share, nearest, near_share, np.zeros(n_skeletons, np.int64)


@njit(cache=True, nogil=True, inline="always")
def _add(of, skeleton, weight, entry, got, touched, n_touched):  # type: ignore[no-untyped-def]
    """Add a shingle's weight to the skeletons that hold it; returns how many have some."""
    for i in range(of[entry], of[entry + 1]):
        s = skeleton[i]
        if got[s] == 0:
            touched[n_touched] = s
            n_touched += 1
        got[s] += weight[i]
    return n_touched


@njit(cache=True, nogil=True)
def _choose(prompt, touched, got, total, rank, accept, found):  # type: ignore[no-untyped-def]
    """The heaviest skeleton that a prompt matches to `accept`, and the other of which it holds most; with shares.

    What a prompt lacks of a skeleton counts against it: four fifths of a text with an optional ending are more than
    all of the text without it, but the ending is missing. What it has `got` is forgotten.
    """
    best, share, nearest, near_share, matched = found
    top = np.float32(0)
    for s in touched:
        held = got[s] / total[s]
        net = rank[s] * (2 * held - 1)
        matched[s] += held >= accept
        fuller = held > share[prompt] or (held == share[prompt] and s < best[prompt])
        if held >= accept and (net > top or (net == top and fuller)):
            top = net
            best[prompt] = s
            share[prompt] = held
    top_near = np.float32(0)
    for s in touched:
        if s != best[prompt]:
            held = got[s] / total[s]
            worth = rank[s] * held
            if worth > top_near or (worth == top_near and s < nearest[prompt]):
                top_near = worth
                nearest[prompt] = s
                near_share[prompt] = held
        got[s] = 0


@dataclass(frozen=True, slots=True)
class Assigned:
    """For each prompt the heaviest skeleton that it matches well, and the other of which it holds most; -1: none.

    `matched` says of each skeleton how many prompts match it well, whatever else they match.
    """

    best: Int32s
    share: Floats
    nearest: Int32s
    near_share: Floats
    matched: Int64s


def assign(
    postings: Postings, tokens: UInt64s, flags: UInt8s, bounds: Int64s, k: int, anchored: int, accept: float
) -> Assigned:
    """Match prompts against skeletons."""
    longest = int(np.diff(bounds).max(initial=0))
    return Assigned(
        *_assign(
            tokens, flags, bounds, k, anchored, longest, postings.table, postings.keys, postings.of, postings.skeleton,
            postings.weight, postings.total, postings.rank, np.float32(accept),
        )
    )  # fmt: skip


def assign_known(postings: Postings, repeats: Repeats, accept: float) -> Assigned:
    """The same of prompts whose recurring shingles are known, all those of the skeletons among them."""
    entry_of = _entries(postings.table, postings.keys, repeats.hashes)
    parts = in_spans(
        lambda lo, hi: _assign_known(
            repeats.shingle, repeats.fresh, repeats.of_prompt[lo : hi + 1], entry_of, postings.of, postings.skeleton,
            postings.weight, postings.total, postings.rank, np.float32(accept),
        ),
        repeats.of_prompt,
    )  # fmt: skip
    best, share, nearest, near_share = (np.concatenate([part[column] for part in parts]) for column in range(4))
    return Assigned(best, share, nearest, near_share, np.sum([part[4] for part in parts], axis=0))
