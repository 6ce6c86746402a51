"""Repeats → Classes: shingles that stand in (nearly) the same prompts belong together.

Fourth stage of `mine`. Shingles with equal postings are one atom. Atoms whose postings contain each other to `link` are
joined into a class; candidates come from MinHash bands over the postings, so the work is linear, and each is verified.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from promptsim.families.shingles import Repeats
from promptsim.order import order_of
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


def posting_keys(repeats: Repeats, digest: UInt64s) -> UInt64s:
    """A number that shingles with the same posting share: the sum of its prompts' digests."""
    if not len(repeats.hashes):
        return np.empty(0, np.uint64)
    return np.add.reduceat(digest[repeats.posting], repeats.of_shingle[:-1])


@njit(cache=True, nogil=True)
def _signatures(first, of_shingle, posting, digest, width):  # type: ignore[no-untyped-def]
    """MinHash of each atom's posting."""
    out = np.full((len(first), width), np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64)
    for atom in range(len(first)):
        s = first[atom]
        row = out[atom]
        for j in range(of_shingle[s], of_shingle[s + 1]):
            x = digest[posting[j]]
            for i in range(width):
                x = x * np.uint64(0xD6E8FEB86659FD93) + np.uint64(0x9E3779B97F4A7C15)
                h = x ^ (x >> np.uint64(32))
                if h < row[i]:
                    row[i] = h
    return out


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
def _link(keys, order, n_atoms, first, of_shingle, posting, link):  # type: ignore[no-untyped-def]
    """Join atoms that share a band and contain each other: each with the first and the previous of its bucket."""
    parent = np.arange(n_atoms)
    begin = 0
    while begin < len(order):
        end = begin + 1
        while end < len(order) and keys[order[end]] == keys[order[begin]]:
            end += 1
        for j in range(begin + 1, end):
            a = order[j] % n_atoms
            for other in (begin, j - 1):
                b = order[other] % n_atoms
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
def _holders(shingle, of_prompt, class_of, size, present):  # type: ignore[no-untyped-def]
    """Classes of which each prompt holds the share `present`, largest first."""
    n_prompts = len(of_prompt) - 1
    out_of = np.zeros(n_prompts + 1, np.int64)
    held = np.empty(len(shingle), np.int32)
    count = np.zeros(len(size), np.int32)
    seen = np.full(len(class_of), -1, np.int32)
    touched = np.empty(len(size), np.int32)
    filled = 0
    for prompt in range(n_prompts):
        n = 0
        for j in range(of_prompt[prompt], of_prompt[prompt + 1]):
            s = shingle[j]
            if seen[s] == prompt:
                continue
            seen[s] = prompt
            c = class_of[s]
            if c < 0:
                continue
            if count[c] == 0:
                touched[n] = c
                n += 1
            count[c] += 1
        kept = 0
        for i in range(n):
            c = touched[i]
            if count[c] >= present * size[c]:
                touched[kept] = c
                kept += 1
            count[c] = 0
        mine = touched[:kept].copy()
        order = np.argsort(-size[mine].astype(np.int64) * np.int64(1 << 32) + mine)
        held[filled : filled + kept] = mine[order]
        filled += kept
        out_of[prompt + 1] = filled
    return held[:filled].copy(), out_of


def holders(repeats: Repeats, of_shingle: Int32s, distinct: Int32s, present: float) -> Classes:
    """Which prompts have which of the classes that `of_shingle` gives (-1: none)."""
    n = int(of_shingle.max(initial=-1)) + 1
    size = np.bincount(of_shingle[of_shingle >= 0], minlength=n).astype(np.int32)
    held, of_prompt = _holders(repeats.shingle, repeats.of_prompt, of_shingle, size, present)
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


def classes(repeats: Repeats, distinct: Int32s, digest: UInt64s, link: float, present: float) -> Classes:
    """Shingles joined into classes, and the prompts that have each."""
    _, first, atom = np.unique(posting_keys(repeats, digest), return_index=True, return_inverse=True)
    # np.unique numbers atoms by key: number them by first shingle instead, so that they follow the order of content
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    atom = rank[atom]
    first = np.sort(first)
    n_atoms = len(first)
    if n_atoms == 0:
        return holders(repeats, np.empty(0, np.int32), np.empty(0, np.int32), present)
    signature = _signatures(first, repeats.of_shingle, repeats.posting, digest, BANDS * ROWS)
    keys = np.empty(BANDS * n_atoms, np.uint64)
    for band in range(BANDS):
        with np.errstate(over="ignore"):
            pair = signature[:, ROWS * band] * np.uint64(0xD6E8FEB86659FD93) + signature[:, ROWS * band + 1]
            keys[band * n_atoms : (band + 1) * n_atoms] = pair * np.uint64(2 * band + 1) + np.uint64(band)
    keys >>= np.uint64(1 + len(keys).bit_length())  # what is left is sorted with its place as one number
    order = order_of(keys.view(np.int64))
    roots = _link(keys, order, n_atoms, first, repeats.of_shingle, repeats.posting, link)
    _, number = np.unique(roots, return_inverse=True)
    of_shingle = number[atom].astype(np.int32)
    support = np.zeros(int(of_shingle.max()) + 1, np.int32)
    np.maximum.at(support, of_shingle, distinct)
    return holders(repeats, of_shingle, support, present)
