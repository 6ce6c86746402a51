"""One-bit codes of some lists, a query → the codes that promise the highest cosines. Less than half of FAISS's time.

    a list: groups of LANES codes, as many as its rows need: the first word of each code, the second of each, …, then
    the first factor of each, then the second

The estimate is FAISS's own, for the codes that it wrote (RaBitQ: Gao and Long, SIGMOD 2024; `RaBitQuantizer.cpp`). What
is left of the query beside a list's centroid is rounded to four bits a dimension; its product with a code is then a
count of the bits that both have, for each of the four planes of bits. The codes of a group stand side by side so that
one instruction counts the bits of a word of each of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import types
from numba.extending import intrinsic

WORD = 64  # bits
PLANES = 4
LANES = 8  # codes of a group
HELD = 4  # times as many codes as are wanted are held before the worse ones are dropped
FACTORS = 8  # bytes behind the bits: of the estimate, two numbers that do not depend on the query

_WORDS = ir.VectorType(ir.IntType(64), LANES)
_SHORT = ir.VectorType(ir.IntType(32), LANES)
_REALS = ir.VectorType(ir.FloatType(), LANES)
_FAST = ("reassoc", "contract", "nsz")


@intrinsic  # type: ignore[untyped-decorator]
def _above(
    _context: Any, _group: Any, _planes: Any, word: Any, _by_both: Any, _by_own: Any, _least: Any, _apart: Any,
    _floor: Any, _cosines: Any,
) -> Any:  # fmt: skip
    """One bit a code of a group: whether its estimated cosine, which is written to `cosines`, is above `floor`.

    `group`, `planes` and `cosines` are addresses; `word` is as in `scan`. The compiler does not find by itself that the
    codes of a group can be worked on at once.
    """
    words = len(word)
    real = types.float32

    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        group, planes, _, by_both, by_own, least, apart, floor, cosines = arguments

        def each(value: Any, kind: Any) -> Any:
            one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
            return builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), ir.Constant(_SHORT, [0] * LANES))

        def at(address: Any, offset: int, kind: Any) -> Any:
            place = builder.add(address, ir.Constant(address.type, offset))
            return builder.load(builder.inttoptr(place, kind.as_pointer()), align=4)

        name = f"llvm.ctpop.v{LANES}i{WORD}"
        count = builder.module.globals.get(name) or ir.Function(builder.module, ir.FunctionType(_WORDS, [_WORDS]), name)
        own = both = ir.Constant(_WORDS, [0] * LANES)
        for w in range(words):
            bits = at(group, w * LANES * WORD // 8, _WORDS)
            own = builder.add(own, builder.call(count, [bits]))
            for p in range(PLANES):
                plane = each(at(planes, (p * words + w) * WORD // 8, ir.IntType(WORD)), _WORDS)
                met = builder.call(count, [builder.and_(bits, plane)])
                both = builder.add(both, builder.shl(met, ir.Constant(_WORDS, [p] * LANES)))
        own, both = (builder.sitofp(builder.trunc(number, _SHORT), _REALS) for number in (own, both))
        first = at(group, words * LANES * WORD // 8, _REALS)
        second = at(group, words * LANES * WORD // 8 + LANES * FACTORS // 2, _REALS)
        product = builder.fadd(
            builder.fmul(each(by_both, _REALS), both, _FAST), builder.fmul(each(by_own, _REALS), own, _FAST), _FAST
        )
        product = builder.fsub(product, each(least, _REALS), _FAST)
        twice = builder.fmul(ir.Constant(_REALS, [2.0] * LANES), builder.fmul(second, product, _FAST), _FAST)
        further = builder.fsub(builder.fadd(first, each(apart, _REALS), _FAST), twice, _FAST)
        cosine = builder.fmul(ir.Constant(_REALS, [-0.5] * LANES), further, _FAST)
        builder.store(cosine, builder.inttoptr(cosines, _REALS.as_pointer()), align=4)
        return builder.bitcast(builder.fcmp_ordered(">", cosine, each(floor, _REALS)), ir.IntType(LANES))

    return types.uint8(types.intp, types.intp, word, real, real, real, real, real, types.intp), code


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
    data: Any, start: Any, numbers: Any, size: Any, lists: Any, query: Any, centroids: Any, k: int, mask: Any, word: Any
) -> Any:
    """Estimated cosines and prompt numbers of at most `HELD` k codes, the best k among them, unordered.

    `data` are the lists' bytes as uint64; for each list there is its `start` and where its prompt `numbers` stand, in
    words, and its `size`; `lists` are those to scan, `centroids` of all. `mask` over prompt numbers leaves others out
    (empty: none). `word` is a tuple with an item for each word of a code: thus the compiler knows how many there are.
    """
    words = len(word)
    width, step = len(query), LANES * (words + 1)
    planes = np.empty((PLANES, words), np.uint64)
    left = np.empty(width, np.float32)
    cosine = np.empty(LANES, np.float32)
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
        by_both, by_own = np.float32(2 * delta * scale), np.float32(2 * low * scale)
        least = np.float32(scale * (delta * total + width * low))
        for group in range((size[each] + LANES - 1) // LANES):
            at = data.ctypes.data + (start[each] + group * step) * WORD // 8
            some = _above(
                at, planes.ctypes.data, word, by_both, by_own, least, distance - length, floor, cosine.ctypes.data
            )
            if not some:
                continue
            for lane in range(min(LANES, size[each] - group * LANES)):
                if cosine[lane] > floor:
                    number = np.int64(data[numbers[each] + group * LANES + lane])
                    if len(mask) and not (number < len(mask) and mask[number]):
                        continue
                    score[filled], found[filled] = cosine[lane], number
                    filled += 1
                    if filled == len(score):
                        floor = _shortened(score, found, filled, k)
                        filled = k
    return score[:filled], found[:filled]
