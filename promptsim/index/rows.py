"""queries, float16 rows as they lie on the disk → exact cosines, and the best k of them.

Every score that leaves this room comes from `cosines`: one compiled loop in one order, so that the same pair has the
same score by whatever path it was found, and equal rows tie exactly. About 0.13 µs a row of 256 numbers and thread.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from promptsim.index.threads import both
from promptsim.pages import wanted
from promptsim.records import Bools, Floats, Int64s

Halves = npt.NDArray[np.float16]

BLOCK_CELLS = 1 << 21  # scores held at once: 8 MiB
BLOCK_ROWS = 1 << 14
MANY_QUERIES = 8  # from here on a matrix product is faster than row by row
MANY_NUMBERS = 2_000  # rows from which on a second thread gains more than its start costs
TRIED = 64  # rows of each query that are scored first …
SLOW = 1e-5  # … and seconds for one from which on they come from the disk and not from memory (0.3 µs)
CLOSE = 8  # rows of a span for each that is asked for, up to which the span is read: a page holds 8 of 256 numbers
SLACK = 1e-4  # far above what the order of 256 additions changes in a cosine


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})  # type: ignore[untyped-decorator]
def _cosines(rows: Any, numbers: Any, queries: Any, out: Any) -> None:
    """`rows` are float16 bit patterns; a row of zeros (empty or erased) scores -inf."""
    width = rows.shape[1]
    scale = np.float32(2.0**112)  # moves the exponent's bias from float16's 15 to float32's 127
    bits = np.empty(width, np.uint32)
    row = bits.view(np.float32)
    for j in range(numbers.size):
        r = numbers[j]
        filled = np.uint32(0)
        for c in range(width):
            half = np.uint32(rows[r, c])
            size = half & np.uint32(0x7FFF)
            filled |= size
            bits[c] = ((half & np.uint32(0x8000)) << np.uint32(16)) | (size << np.uint32(13))
        for c in range(width):
            row[c] *= scale
        for i in range(queries.shape[0]):
            total = np.float32(0)
            for c in range(width):
                total += row[c] * queries[i, c]
            out[i, j] = total if filled else -np.inf


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})  # type: ignore[untyped-decorator]
def _cosines_each(rows: Any, numbers: Any, queries: Any, out: Any) -> None:
    """As `_cosines`, but query i has its own rows `numbers[i]`, -1 for none."""
    width = rows.shape[1]
    scale = np.float32(2.0**112)
    bits = np.empty(width, np.uint32)
    row = bits.view(np.float32)
    for i in range(queries.shape[0]):
        for j in range(numbers.shape[1]):
            r = numbers[i, j]
            filled = np.uint32(0)
            if r >= 0:
                for c in range(width):
                    half = np.uint32(rows[r, c])
                    size = half & np.uint32(0x7FFF)
                    filled |= size
                    bits[c] = ((half & np.uint32(0x8000)) << np.uint32(16)) | (size << np.uint32(13))
                for c in range(width):
                    row[c] *= scale
            total = np.float32(0)
            for c in range(width):
                total += row[c] * queries[i, c]
            out[i, j] = total if filled else -np.inf


def cosines(rows: Halves, numbers: Int64s, queries: Floats) -> Floats:
    """float32 [queries, numbers]: every query against every named row; -inf for a row of zeros."""
    out = np.empty((queries.shape[0], numbers.size), np.float32)
    _cosines(_bits(rows), np.ascontiguousarray(numbers), queries, out)
    return out


def best_of_each(rows: Halves, numbers: Int64s, queries: Floats, k: int) -> tuple[Floats, Int64s]:
    """The best k among each query's own candidates `numbers` [queries, m] (-1: none; repeats count once)."""

    def scored(some: Int64s) -> Floats:
        out = np.empty(some.shape, np.float32)
        _cosines_each(_bits(rows), np.ascontiguousarray(some), queries, out)
        return out

    if numbers.size < MANY_NUMBERS:
        return ranked(scored(numbers), numbers, k)
    begun = time.perf_counter()
    few, others = scored(numbers[:, :TRIED]), numbers[:, TRIED:]
    if time.perf_counter() - begun > SLOW * few.size:
        _ask_for_each(rows, others)
    middle = others.shape[1] // 2
    scores = np.concatenate([few, *both(scored, others[:, :middle], others[:, middle:])], axis=1)
    return ranked(scores, numbers, k)


def best(rows: Halves, numbers: Int64s, queries: Floats, k: int) -> tuple[Floats, Int64s]:
    """The exact best k of the named rows (distinct) for every query, in blocks of bounded memory."""
    count = queries.shape[0]
    scores, found = np.full((count, k), -np.inf, np.float32), np.full((count, k), -1, np.int64)
    step = max(1, min(BLOCK_ROWS, BLOCK_CELLS // max(1, count))) if count >= MANY_QUERIES else BLOCK_CELLS
    for start in range(0, numbers.size, step):
        block = numbers[start : start + step]
        _ask_for(rows, block)
        if count >= MANY_QUERIES:
            named = _promising(rows, block, queries, scores[:, -1], k)
            more, line = best_of_each(rows, named, queries, k)
        else:
            more = cosines(rows, block, queries)
            line = np.broadcast_to(block, more.shape)
        scores, found = ranked(np.concatenate((scores, more), axis=1), np.concatenate((found, line), axis=1), k)
    return scores, found


def _ask_for(rows: Halves, numbers: Int64s) -> None:
    """Rows that lie close together are read from the disk at once, and not page by page."""
    first, last = numbers[:1], numbers[-1:] + 1
    if int(last[0] - first[0]) <= CLOSE * numbers.size:
        wanted(rows, first * rows.strides[0], last * rows.strides[0])


def _ask_for_each(rows: Halves, numbers: Int64s) -> None:
    """Rows that lie far apart are read from the disk all at once, and not one after the other."""
    starts = np.unique(numbers[numbers >= 0]) * rows.strides[0]
    wanted(rows, starts, starts + rows.strides[0])


def _promising(rows: Halves, numbers: Int64s, queries: Floats, floor: Floats, k: int) -> Int64s:
    """For each query the rows that may be among its best k, by a matrix product; whatever is near the edge is named.

    The product sums in another order than `cosines`: it only chooses, with room for the difference.
    """
    block = rows[numbers].astype(np.float32)
    rough = queries @ block.T
    rough[:, ~block.any(axis=1)] = -np.inf
    if numbers.size > k:
        floor = np.maximum(floor, np.partition(rough, numbers.size - k, axis=1)[:, numbers.size - k])
    near = rough >= floor[:, None] - SLACK
    named = np.full((len(queries), int(near.sum(axis=1).max(initial=0))), -1, np.int64)
    for i, line in enumerate(near):
        chosen = numbers[line]
        named[i, : chosen.size] = chosen
    return named


def ranked(scores: Floats, numbers: Int64s, k: int) -> tuple[Floats, Int64s]:
    """The first k of each line by score, then lowest number, each number once; padded with -inf and -1."""
    count = scores.shape[0]
    out_scores, out_numbers = np.full((count, k), -np.inf, np.float32), np.full((count, k), -1, np.int64)
    for i in range(count):
        near, line = scores[i], numbers[i]
        if near.size > 4 * k + 64:
            # Equal numbers have equal scores, and at most two searches can name one prompt: 2 k places hold k of them.
            floor = np.partition(near, near.size - 2 * k)[near.size - 2 * k]
            keep = near >= floor
            near, line = near[keep], line[keep]
        order = np.lexsort((line, -near))
        order = order[np.isfinite(near[order])]
        if order.size > 1:
            same = np.concatenate(([False], line[order][1:] == line[order][:-1]))
            order = order[~same]
        order = order[:k]
        out_scores[i, : order.size], out_numbers[i, : order.size] = near[order], line[order]
    return out_scores, out_numbers


def numbers_of(mask: Bools | None, start: int, stop: int) -> Int64s:
    """The numbers in [start, stop) that the mask lets through; no mask lets all through."""
    if mask is None:
        return np.arange(start, stop, dtype=np.int64)
    return np.flatnonzero(mask[start:stop]).astype(np.int64) + start


def eligible(allowed: Bools | None, alive: Bools | None, count: int) -> Bools | None:
    """Prompts that are both allowed (those beyond the mask's end are not) and alive; None: all `count` of them."""
    if allowed is None:
        return alive
    mask = np.zeros(count, np.bool_)
    mask[: allowed.size] = allowed[:count]
    return mask if alive is None else mask & alive


def _bits(rows: Halves) -> npt.NDArray[np.uint16]:
    return rows.view(np.ndarray).view(np.uint16)
