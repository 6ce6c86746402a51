"""64-bit keys in compiled loops: spreading their bits, sizes of hash tables, putting a few in order."""

from __future__ import annotations

import numpy as np
from numba import njit

FEW = 32  # keys that are sorted sooner by insertion


@njit(cache=True, nogil=True, inline="always")
def mixed(x):  # type: ignore[no-untyped-def]
    """Spread the bits of a 64-bit number (splitmix64's finish)."""
    x = np.uint64(x)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit(cache=True, nogil=True)
def slots_for(keys):  # type: ignore[no-untyped-def]
    """Places of a hash table for so many keys: a power of two, at least half of them free."""
    slots = 16
    while slots < 2 * keys:
        slots *= 2
    return slots


@njit(cache=True, nogil=True)
def put_in_order(keys):  # type: ignore[no-untyped-def]
    """Sort keys in place: a few by insertion, which takes no memory for it."""
    if len(keys) > FEW:
        keys[:] = np.sort(keys)
        return
    for i in range(1, len(keys)):
        key = keys[i]
        j = i
        while j > 0 and keys[j - 1] > key:
            keys[j] = keys[j - 1]
            j -= 1
        keys[j] = key


@njit(cache=True, nogil=True)
def distinct_of(keys):  # type: ignore[no-untyped-def]
    """How many distinct keys there are; puts them in order."""
    put_in_order(keys)
    out = min(len(keys), 1)
    for i in range(1, len(keys)):
        out += keys[i] != keys[i - 1]
    return out
