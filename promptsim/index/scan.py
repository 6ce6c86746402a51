"""One-bit codes of some lists, a query → the codes that promise the highest cosines. Half the time that FAISS takes.

The estimate is FAISS's own, for the codes that it wrote (RaBitQ: Gao and Long, SIGMOD 2024; `RaBitQuantizer.cpp`). What
is left of the query beside a list's centroid is rounded to four bits a dimension; its product with a code is then a
count of the bits that both have, for each of the four planes of bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numba.core import types
from numba.extending import intrinsic

WORD = 64  # bits
PLANES = 4
HELD = 4  # times as many codes as are wanted are held before the worse ones are dropped
FACTORS = 8  # bytes behind the bits: of the estimate, two numbers that do not depend on the query


@intrinsic  # type: ignore[untyped-decorator]
def _ones(_context: Any, _word: Any) -> Any:
    """Bits set in a word, as one instruction; of four words at once where the processor can."""

    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), code


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _shortened(score: Any, found: Any, filled: int, k: int) -> Any:
    """Move the best k of the first `filled` to the front; the least score of those."""
    floor = np.partition(score[:filled], filled - k)[filled - k]
    kept = 0
    for i in range(filled):
        if score[i] >= floor and kept < k:
            score[kept], found[kept] = score[i], found[i]
            kept += 1
    return floor


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})  # type: ignore[untyped-decorator]
def scan(
    data: Any, factors: Any, start: Any, numbers: Any, size: Any, lists: Any, query: Any, centroids: Any, k: int,
    mask: Any, word: Any,
) -> Any:  # fmt: skip
    """Estimated cosines and prompt numbers of at most `HELD` k codes, the best k among them, unordered.

    `data` and `factors` are the lists' bytes as uint64 and as float32; for each list there is its `start` and where its
    prompt `numbers` stand, in words, and its `size`; `lists` are those to scan, `centroids` of all. `mask` over prompt
    numbers leaves others out (empty: none). `word` is a tuple with an item for each word of a code: thus the compiler
    knows how many there are, and treats them as one.
    """
    words = len(word)
    width, step = len(query), words + 1
    planes = np.empty((PLANES, words), np.uint64)
    left = np.empty(width, np.float32)
    score, found = np.empty(HELD * k, np.float32), np.empty(HELD * k, np.int64)
    filled, floor = 0, np.float32(-np.inf)
    length = np.float32(0)
    for c in range(width):
        length += query[c] * query[c]
    scale = np.float32(1 / np.sqrt(width))
    for each in lists:
        low, high, distance = np.float32(np.inf), np.float32(-np.inf), np.float32(0)
        for c in range(width):
            left[c] = query[c] - centroids[each, c]
            distance += left[c] * left[c]
            low, high = min(low, left[c]), max(high, left[c])
        delta = (high - low) / np.float32((1 << PLANES) - 1)
        steps = np.float32(1) / delta if delta > 0 else np.float32(0)
        planes[:] = 0
        total = np.int64(0)
        for c in range(width):
            level = np.int64(np.floor((left[c] - low) * steps + np.float32(0.5)))
            total += level
            for p in range(PLANES):
                planes[p, c >> 6] |= np.uint64((level >> p) & 1) << np.uint64(c & 63)
        by_both, by_own = 2 * delta * scale, 2 * low * scale
        least = scale * (delta * total + width * low)
        one, two, four, eight = planes[0], planes[1], planes[2], planes[3]
        codes = data[start[each] : start[each] + size[each] * step].reshape(size[each], step)
        own_factors = factors[2 * start[each] : 2 * (start[each] + size[each] * step)].reshape(size[each], 2 * step)
        for row in range(size[each]):
            both, own = np.uint64(0), np.uint64(0)
            for w in range(words):
                code = codes[row, w]
                own += _ones(code)
                both += (
                    _ones(code & one[w])
                    + (_ones(code & two[w]) << np.uint64(1))
                    + (_ones(code & four[w]) << np.uint64(2))
                    + (_ones(code & eight[w]) << np.uint64(3))
                )
            product = by_both * both + by_own * own - least
            apart = own_factors[row, 2 * words] + distance - 2 * own_factors[row, 2 * words + 1] * product
            cosine = np.float32(-0.5) * (apart - length)
            if cosine > floor:
                number = np.int64(data[numbers[each] + row])
                if len(mask) and not (number < len(mask) and mask[number]):
                    continue
                score[filled], found[filled] = cosine, number
                filled += 1
                if filled == len(score):
                    floor = _shortened(score, found, filled, k)
                    filled = k
    return score[:filled], found[:filled]
