# mypy: ignore-errors
# (numba types these functions by their arguments; Python's annotations would say less)
"""The compiled loops behind `shingles` and `sketch`."""

from __future__ import annotations

import numpy as np
from numba import njit

_BASE = np.uint64(0x9E3779B97F4A7C15)
_FINISH = np.uint64(0xD6E8FEB86659FD93)
_SPREAD = np.uint32(0x9E3779B1)


@njit(cache=True, nogil=True)
def roll(hashes, offsets, k, out, ends):
    """A polynomial of the k hashes modulo 2^64, rolled on from token to token, then mixed."""
    top = np.uint64(1)
    for _ in range(k - 1):
        top *= _BASE
    for text in range(len(offsets) - 1):
        first, place = offsets[text], ends[text]
        rolled = np.uint64(0)
        for i in range(first, offsets[text + 1]):
            if i - first >= k:
                rolled -= top * hashes[i - k]
            rolled = rolled * _BASE + hashes[i]
            if i - first >= k - 1:
                h = rolled ^ (rolled >> np.uint64(32))
                h *= _FINISH
                out[place] = h ^ (h >> np.uint64(32))
                place += 1


@njit(cache=True, nogil=True)
def select_least(grams, ends, window, positions, counts):
    """Positions of the rightmost least shingle of every window, each once; how many there are in all."""
    n = 0
    for text in range(len(ends) - 1):
        first, until, n0 = ends[text], ends[text + 1], n
        least = np.int64(-1)
        for right in range(min(first + window, until) - 1, until):
            if right < first:
                break
            left = max(first, right - window + 1)
            if least < left:
                least = left
                for i in range(left + 1, right + 1):
                    if grams[i] <= grams[least]:
                        least = i
            elif grams[right] <= grams[least]:
                least = right
            if n == n0 or positions[n - 1] != least - first:
                positions[n] = least - first
                n += 1
        counts[text + 1] = n - n0
    return n


@njit(cache=True, nogil=True)
def least_of_each(grams, offsets, factors, terms, out):
    """For every text and every hash function the least value over its shingles."""
    for text in range(len(offsets) - 1):
        row = out[text]
        for i in range(offsets[text], offsets[text + 1]):
            x = np.uint32(grams[i]) ^ np.uint32(grams[i] >> np.uint64(32))
            for j in range(len(row)):
                h = np.uint32(x * factors[j] + terms[j])
                h = np.uint32((h ^ (h >> np.uint32(15))) * _SPREAD)
                row[j] = min(row[j], h)
