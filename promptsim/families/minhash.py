"""MinHash: for each of many functions the least value that it takes on the elements of a set.

The functions are x → a·x + b, those of one linear generator at its first steps, each computed from x itself rather
than from the one before it: the processor computes eight at once.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from promptsim.records import UInt64s

STEP, SHIFT = 0xD6E8FEB86659FD93, 0x9E3779B97F4A7C15  # of the generator
EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)  # signature of the empty set, in every place


def coefficients(width: int) -> tuple[UInt64s, UInt64s]:
    """Factor and summand of each function."""
    factors, summands = [STEP], [SHIFT]
    for _ in range(width - 1):
        factors.append(factors[-1] * STEP % 2**64)
        summands.append((summands[-1] * STEP + SHIFT) % 2**64)
    return np.array(factors, np.uint64), np.array(summands, np.uint64)


@njit(cache=True, nogil=True, inline="always")
def lower(row, x, factors, summands):  # type: ignore[no-untyped-def]
    """Take an element into a signature."""
    for i in range(len(row)):
        y = x * factors[i] + summands[i]
        row[i] = min(row[i], y ^ (y >> np.uint64(32)))
