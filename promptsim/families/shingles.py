"""Tokens → shingles: k in a row anywhere, fewer at a line's start or end, and names of fields."""

from __future__ import annotations

import numpy as np
from numba import njit

from promptsim.families.keys import mixed

PLAIN, STARTS, STOPS = 0, 1, 2  # kinds of a shingle: anywhere, at a line's start, at a line's end …
NAMES, OPENS, CLOSES = 3, 4, 5  # … and a word with a colon at a line's start, at a text's, and on its last line alone
MOST_NAMES = 32  # of one text
NAME = 2  # tokens of such a name of what follows ("Question: …"): shorter than any other shingle
COLON = np.uint64(0x0C32B97184F22E60)  # the token, as a test holds; asking for it would compile the tokeniser


@njit(cache=True, nogil=True, inline="always")
def shingle_at(tokens, i, k, kind):  # type: ignore[no-untyped-def]
    """Hash of the k tokens from i, other for each kind."""
    h = np.uint64(0x9E3779B97F4A7C15) * np.uint64(kind + 1)
    for j in range(i, i + k):
        h = h * np.uint64(0xD6E8FEB86659FD93) + tokens[j]
    return mixed(h)


@njit(cache=True, nogil=True, inline="always")
def _plain_of(tokens, lo, hi, k, hashes):  # type: ignore[no-untyped-def]
    """`shingle_at` for each run of k tokens: token by token for all of them, which is done for eight at once."""
    count = max(hi - lo - k + 1, 0)
    hashes[:count] = np.uint64(0x9E3779B97F4A7C15)
    for j in range(lo, lo + k):
        for i in range(count):
            hashes[i] = hashes[i] * np.uint64(0xD6E8FEB86659FD93) + tokens[j + i]
    for i in range(count):
        hashes[i] = mixed(hashes[i])


@njit(cache=True, nogil=True)
def shingles_of(tokens, flags, lo, hi, k, anchored, hashes, places, kinds):  # type: ignore[no-untyped-def]
    """Write the shingles of tokens lo…hi (one part of a prompt); returns how many. Room for 4·(hi−lo) is enough."""
    plain = hashes[3 * (hi - lo) :]  # behind what is written before the last of these is read
    _plain_of(tokens, lo, hi, k, plain)
    n = 0
    for i in range(lo, hi):
        if i + k <= hi:
            hashes[n] = plain[i - lo]
            places[n] = i
            kinds[n] = 0
            n += 1
        if flags[i] & 1 and i + anchored <= hi:
            hashes[n] = shingle_at(tokens, i, anchored, 1)
            places[n] = i
            kinds[n] = 1
            n += 1
        if flags[i] & 2 and i + 1 - anchored >= lo:
            hashes[n] = shingle_at(tokens, i + 1 - anchored, anchored, 2)
            places[n] = i + 1 - anchored
            kinds[n] = 2
            n += 1
    return _names_of(tokens, flags, lo, hi, hashes, places, kinds, n)


@njit(cache=True, nogil=True, inline="always")
def _is_name(tokens, flags, i):  # type: ignore[no-untyped-def]
    """Whether a word at a line's start and a colon stand there."""
    return flags[i] & 1 > 0 and tokens[i + 1] == COLON


@njit(cache=True, nogil=True)
def _names_of(tokens, flags, lo, hi, hashes, places, kinds, n):  # type: ignore[no-untyped-def]
    """Write the names of what follows after the n shingles that are there; returns how many there are then.

    A form names each of its fields once. What stands at several lines is who speaks, and many names are a list.
    """
    first = n
    for i in range(lo, hi - 1):
        if _is_name(tokens, flags, i):
            if n - first == MOST_NAMES:
                return first
            kind = OPENS if i == lo else CLOSES if i + NAME == hi else NAMES
            hashes[n] = shingle_at(tokens, i, NAME, kind)
            places[n] = i
            kinds[n] = kind
            n += 1
    kept = first
    for j in range(first, n):
        once = True
        for other in range(first, n):
            once &= other == j or tokens[places[other]] != tokens[places[j]]
        if not once:
            kinds[j] = PLAIN
    for j in range(first, n):
        if kinds[j] != PLAIN:
            hashes[kept], places[kept], kinds[kept] = hashes[j], places[j], kinds[j]
            kept += 1
    return kept


@njit(cache=True, nogil=True)
def texts_of_many_names(tokens, flags, bounds):  # type: ignore[no-untyped-def]
    """In how many texts nothing is taken for the name of a field, because there are too many."""
    out = 0
    for part in range(len(bounds) - 1):
        n = 0
        for i in range(bounds[part], bounds[part + 1] - 1):
            n += _is_name(tokens, flags, i)
        out += n > MOST_NAMES
    return out


@njit(cache=True, nogil=True, inline="always")
def width_of(kind, k, anchored):  # type: ignore[no-untyped-def]
    """Tokens in a shingle of this kind."""
    if kind == 0:
        return k
    return NAME if kind >= NAMES else anchored
