"""Tokens of a text and which of them are fixed → what the fixed text says, and whether it has limits of its own."""

from __future__ import annotations

import numpy as np
from numba import njit

from promptsim.families.keys import distinct_of, mixed, put_in_order


@njit(cache=True, nogil=True)
def distinct_weight(tokens, flags, fixed):  # type: ignore[no-untyped-def]
    """Distinct tokens among those marked `fixed`, punctuation half: what a fixed text says, repeats left out."""
    chosen = np.empty(2 * len(tokens), np.uint64)
    puncts = chosen[len(tokens) :]
    n, n_puncts = 0, 0
    for t in range(len(tokens)):
        if fixed[t]:
            chosen[n] = tokens[t]
            n += 1
            if flags[t] & 4:
                puncts[n_puncts] = tokens[t]
                n_puncts += 1
    return distinct_of(chosen[:n]) - 0.5 * distinct_of(puncts[:n_puncts])


@njit(cache=True, nogil=True)
def words_key(tokens, flags, fixed):  # type: ignore[no-untyped-def]
    """A number that texts of the same words share, whatever their marks: of the distinct words marked `fixed`."""
    chosen = np.empty(len(tokens), np.uint64)
    n = 0
    for t in range(len(tokens)):
        if fixed[t] and not flags[t] & 4:
            chosen[n] = tokens[t]
            n += 1
    put_in_order(chosen[:n])
    key = np.uint64(0)
    for i in range(n):
        if i == 0 or chosen[i] != chosen[i - 1]:
            key += mixed(chosen[i])
    return key


@njit(cache=True, nogil=True)
def closed_edges(flags, middle, fixed):  # type: ignore[no-untyped-def]
    """1: the fixed text that a part of a prompt begins with goes on to a mark or a line's end, 2: what one ends with
    comes after a mark or begins a line, 3: both. Sentences begin and end with the same few words; forms have limits.
    """
    edges = 0
    for lo, hi in ((0, middle), (middle, len(flags))):
        t = lo
        limit = False
        while t < hi and fixed[t]:
            limit |= flags[t] & 2 > 0
            t += 1
        if t > lo and (limit or flags[t - 1] & 4):
            edges |= 1
        t = hi
        limit = False
        while t > lo and fixed[t - 1]:
            t -= 1
            limit |= flags[t] & 1 > 0
        if t < hi and (limit or flags[t - 1] & 4):
            edges |= 2
    return edges
