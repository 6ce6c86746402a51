"""Millions of keys → the order that sorts them, several times as fast as numpy's general way.

A plain sort of whole numbers runs in the processor's wide registers, and neither `lexsort` nor a stable `argsort`
does. So a key and its place are sorted as one number, wherever both fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from promptsim.records import Bools, Int64s

if TYPE_CHECKING:
    import numpy.typing as npt

BITS = 63  # of a number that is not negative
FEW = 4_096  # keys that numpy sorts sooner than one looks at what would be faster


def order_of(key: npt.NDArray[np.integer[Any]]) -> Int64s:
    """The stable ascending order of whole numbers."""
    if len(key) <= FEW:
        return np.argsort(key, kind="stable")
    if bool((key[1:] >= key[:-1]).all()):
        return np.arange(len(key), dtype=np.int64)
    low, room = int(key.min()), (len(key) - 1).bit_length()
    if (int(key.max()) - low).bit_length() + room > BITS:
        return np.argsort(key, kind="stable")
    both = key.astype(np.int64)
    both -= low
    both <<= room
    both |= np.arange(len(key))
    both.sort()
    both &= (1 << room) - 1
    return both


def order_by(*keys: npt.NDArray[np.integer[Any]]) -> Int64s:
    """The stable order by the first of these, equals by the second, and so on."""
    if len(keys[0]) <= FEW:
        return np.lexsort(keys[::-1])
    order = order_of(keys[-1])
    for key in keys[-2::-1]:
        order = order[order_of(key[order])]
    return order


def firsts(*keys: npt.NDArray[np.generic]) -> Bools:
    """Which rows are the first of those beside each other that are equal in all keys."""
    result = np.ones(len(keys[0]), np.bool_)
    result[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return result
