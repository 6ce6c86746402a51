"""Shingles → MinHash sketches: how alike two texts are as sets of shingles, from 512 bytes each.

    shingles, offsets ─► sketch [texts, permutations] ─► agreement of two rows ≈ their Jaccard similarity
                                                     └─► bands: equal keys propose pairs to compare

The standard error of an estimate is at most 0.5 / √permutations (0.044 at 128). A text without shingles has a row of
EMPTY and is like nothing, itself included.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from promptsim.records import Floats, Int64s, UInt64s
from promptsim.text.shingle_kernel import least_of_each, roll

UInt32s = npt.NDArray[np.uint32]
PERMUTATIONS = 128
EMPTY = np.uint32(0xFFFFFFFF)


@cache
def _functions(permutations: int) -> tuple[UInt32s, UInt32s]:
    random = np.random.Generator(np.random.PCG64(20240229))
    factors = random.integers(0, 1 << 31, permutations, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return factors, random.integers(0, 1 << 32, permutations, dtype=np.uint32)


def sketch(shingles: UInt64s, offsets: Int64s, permutations: int = PERMUTATIONS) -> UInt32s:
    """One row a text."""
    out = np.full((len(offsets) - 1, permutations), EMPTY, dtype=np.uint32)
    least_of_each(shingles, offsets, *_functions(permutations), out)
    return out


def agreement(a: UInt32s, b: UInt32s) -> Floats:
    """Estimated Jaccard similarity of the texts of two rows, or of two equally long stacks of rows."""
    return np.asarray(((a == b) & (a != EMPTY)).mean(axis=-1), dtype=np.float32)


def bands(sketches: UInt32s, rows: int) -> UInt64s:
    """Keys [texts, permutations // rows]: texts of similarity s share a given one with probability s^rows."""
    texts, permutations = sketches.shape
    width = permutations // rows
    if rows < 1 or not width:
        raise ValueError(f"rows = {rows}: between 1 and the {permutations} hash functions of the sketches")
    used = sketches[:, : width * rows].astype(np.uint64).reshape(-1)
    starts = np.arange(texts * width + 1, dtype=np.int64) * rows
    out = np.empty(texts * width, dtype=np.uint64)
    roll(used, starts, rows, out, starts // rows)
    return out.reshape(texts, width)
