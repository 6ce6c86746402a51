"""Corpus → Repeats: which shingles recur, in which prompts, at which tokens.

Second stage of `mine`. A saturating count sketch throws away what stands in too few prompts before anything is stored
for it, so memory follows what recurs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numba import njit

from promptsim.families.corpus import Corpus
from promptsim.families.shingles import shingles_of
from promptsim.lookahead import in_spans, mapped
from promptsim.records import Bools, Int32s, Int64s, UInt8s, UInt64s

LARGEST_SKETCH = 1 << 28
BLOCK = 1 << 19  # tokens whose shingles are sought at once

_Candidates = tuple[UInt64s, Int32s, UInt8s, Int64s]  # hash, place and kind of occurrences, and how many a prompt has


@dataclass(frozen=True, slots=True)
class Repeats:
    """Shingles that recur: occurrence j is shingle `shingle[j]` at token `place[j]` of its prompt.

    `fresh[j]` marks the first of a shingle in its prompt. Prompt d has occurrences `of_prompt[d]:of_prompt[d+1]`.
    Shingle s stands in prompts `posting[of_shingle[s]:of_shingle[s+1]]`, ascending and without repeats.
    """

    shingle: Int32s
    place: Int32s
    fresh: Bools
    of_prompt: Int64s
    hashes: UInt64s
    kinds: UInt8s
    posting: Int32s
    of_shingle: Int64s

    def df(self) -> Int64s:
        return np.diff(self.of_shingle)


@njit(cache=True, nogil=True)
def _sketch(tokens, flags, bounds, k, anchored, bits, longest):  # type: ignore[no-untyped-def]
    """Saturating counts of shingles by hash."""
    counts = np.zeros(1 << bits, np.uint8)
    shift = np.uint64(64 - bits)
    hashes = np.empty(4 * longest + 4, np.uint64)
    places = np.empty(4 * longest + 4, np.int64)
    kinds = np.empty(4 * longest + 4, np.uint8)
    for part in range(len(bounds) - 1):
        n = shingles_of(tokens, flags, bounds[part], bounds[part + 1], k, anchored, hashes, places, kinds)
        for j in range(n):
            cell = hashes[j] >> shift
            if counts[cell] < 255:
                counts[cell] += 1
    return counts


@njit(cache=True, nogil=True)
def _add(counts, more):  # type: ignore[no-untyped-def]
    """Add saturating counts to others."""
    for cell in range(len(counts)):
        counts[cell] = min(np.uint16(255), np.uint16(counts[cell]) + np.uint16(more[cell]))


@njit(cache=True, nogil=True)
def _candidates(tokens, flags, bounds, k, anchored, bits, counts, support, longest):  # type: ignore[no-untyped-def]
    """Occurrences of shingles whose cell holds enough: hash, place and kind; and how many each prompt has."""
    room = 4 * (bounds[-1] - bounds[0]) + 4
    hash_of, place, kind = np.empty(room, np.uint64), np.empty(room, np.int32), np.empty(room, np.uint8)
    found = np.zeros((len(bounds) - 1) // 2, np.int64)
    shift = np.uint64(64 - bits)
    hashes = np.empty(4 * longest + 4, np.uint64)
    places = np.empty(4 * longest + 4, np.int64)
    kinds = np.empty(4 * longest + 4, np.uint8)
    filled = 0
    for part in range(len(bounds) - 1):
        prompt, before = part // 2, filled
        n = shingles_of(tokens, flags, bounds[part], bounds[part + 1], k, anchored, hashes, places, kinds)
        for j in range(n):  # no branch: the cells, far apart in memory, are fetched side by side
            hash_of[filled], place[filled], kind[filled] = hashes[j], places[j] - bounds[2 * prompt], kinds[j]
            filled += counts[hashes[j] >> shift] >= support
        found[prompt] += filled - before
    return hash_of[:filled], place[:filled], kind[:filled], found


@njit(cache=True, nogil=True)
def _number(hash_of, kind_of, table, known, known_kind, n_known, out):  # type: ignore[no-untyped-def]
    """Write the number of each occurrence's shingle, by first appearance; returns how many are known then.

    -1 if the table, in which a hash has its number beside it, would be more than half full.
    """
    mask = np.uint64(len(table) - 1)
    for j in range(len(hash_of)):
        h = hash_of[j]
        slot = h & mask
        while table[slot, 1] > 0 and table[slot, 0] != h:
            slot = (slot + np.uint64(1)) & mask
        if table[slot, 1] == 0:
            if n_known >= len(known):
                return -1
            known[n_known], known_kind[n_known] = h, kind_of[j]
            n_known += 1
            table[slot, 0], table[slot, 1] = h, n_known
        out[j] = table[slot, 1] - np.uint64(1)
    return n_known


@njit(cache=True, nogil=True)
def _postings(shingle, place, of_prompt, n_shingles, support):  # type: ignore[no-untyped-def]
    """Exact prompts of each shingle that stands in `support` prompts, which these are, and which occurrences are fresh.

    The occurrences of the others are taken out, in place, and their shingles renumbered; how many are left comes last.
    """
    seen = np.zeros((n_shingles, 2), np.int32)  # in how many prompts; beside it in memory the last of them, from 1 on
    fresh = np.empty(len(shingle), np.bool_)
    for prompt in range(len(of_prompt) - 1):
        for j in range(of_prompt[prompt], of_prompt[prompt + 1]):
            s = shingle[j]
            fresh[j] = seen[s, 1] != prompt + 1
            seen[s, 0] += fresh[j]
            seen[s, 1] = prompt + 1
    number = np.full((n_shingles, 2), -1, np.int64)  # and, beside it in memory, where its next prompt goes
    kept, total = 0, 0
    for s in range(n_shingles):
        if seen[s, 0] >= support:
            number[s, 0], number[s, 1] = kept, total
            kept, total = kept + 1, total + seen[s, 0]
    of_shingle = np.empty(kept + 1, np.int64)
    of_shingle[kept] = total
    for s in range(n_shingles):
        if number[s, 0] >= 0:
            of_shingle[number[s, 0]] = number[s, 1]
    posting = np.empty(total, np.int32)
    filled, first = 0, 0
    for prompt in range(len(of_prompt) - 1):
        last_of = of_prompt[prompt + 1]
        for j in range(first, last_of):
            s = shingle[j]
            if number[s, 0] < 0:
                continue
            if fresh[j]:
                posting[number[s, 1]] = prompt
                number[s, 1] += 1
            shingle[filled], place[filled], fresh[filled] = number[s, 0], place[j], fresh[j]
            filled += 1
        first = last_of
        of_prompt[prompt + 1] = filled
    return number[:, 0] >= 0, of_shingle, posting, fresh[:filled], filled


@njit(cache=True, nogil=True)
def _keep(shingle, place, fresh, of_prompt, renumbered, out_shingle, out_place, out_fresh, out_of):  # type: ignore[no-untyped-def]
    """Write the occurrences of the shingles that stay, under their new numbers; returns how many."""
    filled = 0
    for prompt in range(len(of_prompt) - 1):
        for j in range(of_prompt[prompt], of_prompt[prompt + 1]):
            r = renumbered[shingle[j]]
            if r >= 0:
                out_shingle[filled] = r
                out_place[filled] = place[j]
                out_fresh[filled] = fresh[j]
                filled += 1
        out_of[prompt + 1] = filled
    return filled


def repeats(corpus: Corpus, k: int, anchored: int, support: int) -> Repeats:
    """Every shingle that stands in at least `support` prompts, with its occurrences."""
    shingle, place, of_prompt, known, kinds = _frequent(corpus, k, anchored, support)
    kept, of_shingle, posting, fresh, filled = _postings(shingle, place, of_prompt, len(known), support)
    return Repeats(shingle[:filled], place[:filled], fresh, of_prompt, known[kept], kinds[kept], posting, of_shingle)


def _frequent(corpus: Corpus, k: int, anchored: int, support: int) -> tuple[Int32s, Int32s, Int64s, UInt64s, UInt8s]:
    """Occurrences of what may stand in `support` prompts, with their places; which are whose; hashes and kinds."""
    longest = int(np.diff(corpus.bounds).max(initial=0))
    bits = int(np.clip(np.ceil(np.log2(max(4 * len(corpus.tokens), 1024))), 10, np.log2(LARGEST_SKETCH)))
    counts, *others = in_spans(
        lambda lo, hi: _sketch(corpus.tokens, corpus.flags, corpus.bounds[lo : hi + 1], k, anchored, bits, longest),
        corpus.bounds,
    )
    for more in others:
        _add(counts, more)
    slots = 1 << int(np.ceil(np.log2(3 * np.count_nonzero(counts >= support) + 1024)))

    def some(span: tuple[int, int]) -> _Candidates:
        bounds = corpus.bounds[2 * span[0] : 2 * span[1] + 1]
        found: _Candidates = _candidates(
            corpus.tokens, corpus.flags, bounds, k, anchored, bits, counts, support, longest
        )
        return found

    while True:
        numbered = _numbered(mapped(some, _blocks(corpus)), 4 * len(corpus.tokens), slots)
        if numbered is not None:
            return numbered
        slots *= 2


def _blocks(corpus: Corpus) -> Iterator[tuple[int, int]]:
    """Prompts in blocks of about BLOCK tokens, which fit the processor's memory with what is found in them."""
    of = corpus.bounds[::2]
    inner = np.searchsorted(of, np.arange(BLOCK, int(of[-1]), BLOCK))
    return pairwise([0, *inner.tolist(), len(corpus)])


def _numbered(
    parts: Iterable[_Candidates], room: int, slots: int
) -> tuple[Int32s, Int32s, Int64s, UInt64s, UInt8s] | None:
    """The candidates with the shingles numbered: see `_frequent`. None if there are too many shingles for `slots`.

    They are numbered one by one, while the next ones are sought.
    """
    shingle, place = np.empty(room, np.int32), np.empty(room, np.int32)
    table = np.zeros((slots, 2), np.uint64)
    known, known_kind = np.empty(slots // 2, np.uint64), np.empty(slots // 2, np.uint8)
    n_known, filled, counts = 0, 0, [np.zeros(1, np.int64)]
    for hashes, places, kinds, found in parts:
        n_known = _number(hashes, kinds, table, known, known_kind, n_known, shingle[filled:])
        if n_known < 0:
            return None
        place[filled : filled + len(places)] = places
        filled += len(places)
        counts.append(found)
    of_prompt = np.cumsum(np.concatenate(counts))
    return shingle[:filled], place[:filled], of_prompt, known[:n_known], known_kind[:n_known]


def drop(repeats: Repeats, keep: np.ndarray) -> Repeats:
    """The same without the shingles that are not in `keep`."""
    renumbered = np.where(keep, np.cumsum(keep) - 1, -1).astype(np.int32)
    shingle, place, fresh = np.empty_like(repeats.shingle), np.empty_like(repeats.place), np.empty_like(repeats.fresh)
    of_prompt = np.zeros_like(repeats.of_prompt)
    filled = _keep(
        repeats.shingle, repeats.place, repeats.fresh, repeats.of_prompt, renumbered, shingle, place, fresh, of_prompt
    )
    sizes = repeats.df()
    posting = repeats.posting[np.repeat(keep, sizes)]
    of_shingle = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes[keep])])
    return Repeats(
        shingle[:filled], place[:filled], fresh[:filled], of_prompt, repeats.hashes[keep], repeats.kinds[keep],
        posting, of_shingle,
    )  # fmt: skip
