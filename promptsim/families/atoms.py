"""Repeats → Classes: shingles that stand in (nearly) the same prompts belong together.

Fourth stage of `mine`. Shingles with equal postings are one atom. Atoms whose postings contain each other to `link` are
joined into a class; candidates come from MinHash bands over the postings, so the work is linear, and each is verified.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from promptsim.families.keys import mixed, put_in_order, slots_for
from promptsim.families.minhash import EMPTY, STEP, coefficients, lower
from promptsim.families.repeats import Repeats
from promptsim.lookahead import in_spans
from promptsim.records import Bools, Int32s, Int64s, UInt64s

BANDS, ROWS = (
    10,
    2,
)  # two postings of Jaccard 0.67 (mutual containment 0.8) meet in a band with 1 − (1 − 0.67²)¹⁰ = 0.997


@dataclass(frozen=True, slots=True)
class Classes:
    """Class c has `size[c]` shingles, support `distinct[c]`; `of_shingle[s]` is the class of shingle s.

    Prompt d has the classes `held[of_prompt[d]:of_prompt[d+1]]`, the largest first.
    """

    of_shingle: Int32s
    size: Int32s
    distinct: Int32s
    held: Int32s
    of_prompt: Int64s

    def __len__(self) -> int:
        return len(self.size)

    def prompts(self) -> Int64s:
        """How many prompts have each class."""
        return np.bincount(self.held, minlength=len(self.size))


@njit(cache=True, nogil=True)
def posting_keys(of_shingle, posting, digest):  # type: ignore[no-untyped-def]
    """A number that shingles with the same posting share: the sum of its prompts' digests."""
    out = np.zeros(len(of_shingle) - 1, np.uint64)
    for s in range(len(out)):
        for j in range(of_shingle[s], of_shingle[s + 1]):
            out[s] += digest[posting[j]]
    return out


@njit(cache=True, nogil=True)
def _atoms(keys):  # type: ignore[no-untyped-def]
    """The number of each key, by first appearance, and where each appears first."""
    slots = slots_for(len(keys))
    mask = np.uint64(slots - 1)
    table = np.full(slots, -1, np.int32)
    atom, first = np.empty(len(keys), np.int32), np.empty(len(keys), np.int32)
    n = 0
    for s in range(len(keys)):
        slot = mixed(keys[s]) & mask
        while table[slot] >= 0 and keys[first[table[slot]]] != keys[s]:
            slot = (slot + np.uint64(1)) & mask
        if table[slot] < 0:
            table[slot], first[n] = n, s
            n += 1
        atom[s] = table[slot]
    return atom, first[:n].copy()


@njit(cache=True, nogil=True)
def _bands(first, of_shingle, posting, digest, factors, summands, bits, lo, hi, out):  # type: ignore[no-untyped-def]
    """A number for each atom in each band, equal for those that meet there but for its lowest bits: band and atom.

    From the MinHash of the atom's posting. What is sorted as one number is sorted faster, and read in order. Of the
    atoms from `lo` to before `hi`; writes into `out`.
    """
    row = np.empty(len(factors), np.uint64)
    for atom in range(lo, hi):
        row[:] = EMPTY
        for j in range(of_shingle[first[atom]], of_shingle[first[atom] + 1]):
            lower(row, digest[posting[j]], factors, summands)
        for band in range(BANDS):
            pair = row[ROWS * band] * np.uint64(STEP) + row[ROWS * band + 1]
            key = pair * np.uint64(2 * band + 1) + np.uint64(band)
            place = band * len(first) + atom
            out[place] = np.int64(key >> np.uint64(1 + bits)) << np.int64(bits) | np.int64(place)


@njit(cache=True, nogil=True)
def find_root(parent, a):  # type: ignore[no-untyped-def]
    while parent[a] != a:
        parent[a] = parent[parent[a]]
        a = parent[a]
    return a


@njit(cache=True, nogil=True)
def _overlap(posting, lo, hi, lo2, hi2):  # type: ignore[no-untyped-def]
    """Prompts in both of two ascending postings."""
    n = 0
    while lo < hi and lo2 < hi2:
        if posting[lo] == posting[lo2]:
            n += 1
            lo += 1
            lo2 += 1
        elif posting[lo] < posting[lo2]:
            lo += 1
        else:
            lo2 += 1
    return n


@njit(cache=True, nogil=True)
def _link(keys, bits, n_atoms, first, of_shingle, posting, link):  # type: ignore[no-untyped-def]
    """Join atoms that share a band and contain each other: each with the first and the previous of its bucket.

    `keys` ascend, and have the band and the atom in their lowest bits.
    """
    parent = np.arange(n_atoms).astype(np.int32)
    place = (np.int64(1) << bits) - 1
    begin = 0
    while begin < len(keys):
        end = begin + 1
        while end < len(keys) and keys[end] >> bits == keys[begin] >> bits:
            end += 1
        for j in range(begin + 1, end):
            a = (keys[j] & place) % n_atoms
            for other in (begin, j - 1):
                b = (keys[other] & place) % n_atoms
                ra, rb = find_root(parent, a), find_root(parent, b)
                if ra == rb:
                    continue
                lo, hi = of_shingle[first[a]], of_shingle[first[a] + 1]
                lo2, hi2 = of_shingle[first[b]], of_shingle[first[b] + 1]
                most = max(hi - lo, hi2 - lo2)
                if min(hi - lo, hi2 - lo2) < link * most:
                    continue
                if _overlap(posting, lo, hi, lo2, hi2) >= link * most:
                    parent[max(ra, rb)] = min(ra, rb)
        begin = end
    for a in range(n_atoms):
        parent[a] = find_root(parent, a)
    return parent


@njit(cache=True, nogil=True)
def _holders(shingle, fresh, of_prompt, class_of, size, present):  # type: ignore[no-untyped-def]
    """Classes of which each prompt holds the share `present`, largest first, and how many those are.

    Without branches on what is far apart in memory, so that it is fetched side by side.
    """
    n_prompts = len(of_prompt) - 1
    counts = np.zeros(n_prompts, np.int64)
    held = np.empty(of_prompt[n_prompts] - of_prompt[0], np.int32)
    count = np.zeros((len(size), 2), np.int32)
    count[:, 1] = size  # beside it in memory
    touched = np.empty(len(size) + 1, np.int32)
    keys = np.empty(len(size) + 1, np.int64)
    filled = 0
    for prompt in range(n_prompts):
        n = 0
        for j in range(of_prompt[prompt], of_prompt[prompt + 1]):
            c = class_of[shingle[j]]
            if fresh[j] and c >= 0:
                touched[n] = c
                n += count[c, 0] == 0
                count[c, 0] += 1
        kept = 0
        for i in range(n):
            c = touched[i]
            keys[kept] = np.int64(c) - (np.int64(count[c, 1]) << np.int64(32))
            kept += count[c, 0] >= present * count[c, 1]
            count[c, 0] = 0
        put_in_order(keys[:kept])
        for i in range(kept):
            held[filled] = keys[i] & np.int64(0xFFFFFFFF)
            filled += 1
        counts[prompt] = kept
    return held[:filled].copy(), counts


def holders(repeats: Repeats, of_shingle: Int32s, distinct: Int32s, present: float) -> Classes:
    """Which prompts have which of the classes that `of_shingle` gives (-1: none)."""
    n = int(of_shingle.max(initial=-1)) + 1
    size = np.bincount(of_shingle[of_shingle >= 0], minlength=n).astype(np.int32)
    parts = in_spans(
        lambda lo, hi: _holders(
            repeats.shingle, repeats.fresh, repeats.of_prompt[lo : hi + 1], of_shingle, size, present
        ),
        repeats.of_prompt,
    )
    held, counts = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    of_prompt = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    return Classes(of_shingle, size, distinct, held, of_prompt)


def only(classes: Classes, keep: Bools) -> Classes:
    """The classes to keep, renumbered."""
    if keep.all():
        return classes
    number = np.where(keep, np.cumsum(keep) - 1, -1).astype(np.int32)
    of_shingle = np.where(classes.of_shingle >= 0, number[classes.of_shingle], -1).astype(np.int32)
    stays = keep[classes.held]
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(stays)])
    held = number[classes.held[stays]]
    return Classes(of_shingle, classes.size[keep], classes.distinct[keep], held, before[classes.of_prompt])


def largest(classes: Classes, most: int) -> tuple[Classes, int]:
    """The classes with at most so many in each prompt, the largest; and how many were left out."""
    counts = np.diff(classes.of_prompt)
    if counts.max(initial=0) <= most:
        return classes, 0
    stays = np.arange(len(classes.held)) - np.repeat(classes.of_prompt[:-1], counts) < most
    of_prompt = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.minimum(counts, most))])
    return replace(classes, held=classes.held[stays], of_prompt=of_prompt), int(np.count_nonzero(~stays))


def classes(repeats: Repeats, some: Bools, distinct: Int32s, digest: UInt64s, link: float, present: float) -> Classes:
    """`some` shingles joined into classes, and the prompts that have each; the others are in none (-1)."""
    chosen = np.flatnonzero(some)
    atom, first = _atoms(posting_keys(repeats.of_shingle, repeats.posting, digest)[chosen])
    first, n_atoms = chosen[first], len(first)
    bits = (BANDS * n_atoms).bit_length()
    keys = np.empty(BANDS * n_atoms, np.int64)
    in_spans(
        lambda lo, hi: _bands(
            first, repeats.of_shingle, repeats.posting, digest, *coefficients(BANDS * ROWS), bits, lo, hi, keys
        ),
        np.concatenate([np.zeros(1, np.int64), np.cumsum(repeats.df()[first])]),
    )
    keys.sort()
    roots = _link(keys, bits, n_atoms, first, repeats.of_shingle, repeats.posting, link)
    number = np.cumsum(roots == np.arange(n_atoms)) - 1
    of_shingle = np.full(len(some), -1, np.int32)
    of_shingle[chosen] = number[roots][atom]
    support = np.zeros(int(of_shingle.max(initial=-1)) + 1, np.int32)
    np.maximum.at(support, of_shingle[chosen], distinct[chosen])
    return holders(repeats, of_shingle, support, present)
