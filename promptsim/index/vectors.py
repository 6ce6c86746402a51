"""queries → the closest prompts: a generation's segments, and exactly what is newer (the tail).

    candidates of each segment (FAISS) ┐
    the tail, every row                ├─► scored by the stored vectors ─► best k
    a small allowed set, every row     ┘

A filter never loses results: when few prompts are allowed, each of them is scored; when many, the codes of all of
them are scanned; in segments too large for that the scan widens until doubling it changes nothing in the answer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from promptsim.index.lists import Lists
from promptsim.index.rows import Halves, best, best_of_each, eligible, numbers_of, ranked
from promptsim.pages import scattered
from promptsim.records import Bools, Floats, Int64s

EXACT_ROWS = 30_000  # scored one by one in about 4 ms
LEAST_SCANNED, SCANNED = 200_000, 800  # codes read in one segment of n rows: all of a small one, 800 √n of a large one
CANDIDATES, NAMED = 600, 0.75  # rows scored in full of each segment: three quarters of √n if that is more
FEWEST = 100  # … or a segment's share of those of all, where all are asked: what is close lies in each by its size
EVERY_CODE = 500_000  # under a filter, segments of at most so many rows are scanned whole: measured 5 ms at 160,000
BATCH = 256


class VectorIndex:
    """Search over `vectors` [n, d], of which segments cover the first `covered` rows."""

    def __init__(self, vectors: Halves, lists: Sequence[Lists], covered: int, alive: Bools | None = None) -> None:
        self.lists, self.covered = tuple(lists), covered
        self.refresh(vectors, alive)

    def refresh(self, vectors: Halves, alive: Bools | None = None) -> None:
        """The store has grown, or prompts were erased."""
        self.vectors = vectors
        scattered(vectors)
        self.alive = None if alive is None or alive.all() else alive

    def search(self, queries: Floats, k: int, allowed: Bools | None = None) -> tuple[Floats, Int64s]:
        """The closest k prompts of each query.

        `queries` are unit rows float32 [q, d], or one row [d]; `allowed` is a mask over prompt numbers (shorter: the
        rest is not allowed). Returns cosines float32 [q, k] and prompt numbers int64 [q, k], by score descending, then
        number ascending; where there are fewer than k, -inf and -1. A query of zeros finds nothing.
        """
        queries = np.ascontiguousarray(np.atleast_2d(queries), np.float32)
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        if not len(self.vectors):
            return np.full((len(queries), k), -np.inf, np.float32), np.full((len(queries), k), -1, np.int64)
        if queries.shape[1] != self.vectors.shape[1]:
            raise ValueError(f"queries have {queries.shape[1]} dimensions, the index {self.vectors.shape[1]}")
        mask = eligible(allowed, self.alive, len(self.vectors))
        parts = [self._search(queries[i : i + BATCH], k, mask) for i in range(0, len(queries), BATCH)]
        if not parts:
            return np.empty((0, k), np.float32), np.empty((0, k), np.int64)
        scores, found = np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
        empty = ~queries.any(axis=1)
        scores[empty], found[empty] = -np.inf, -1
        return scores, found

    def exact(self, queries: Floats, k: int, allowed: Bools | None = None) -> tuple[Floats, Int64s]:
        """As `search`, scoring every row: the yardstick."""
        rows = numbers_of(eligible(allowed, self.alive, len(self.vectors)), 0, len(self.vectors))
        return best(self.vectors, rows, np.ascontiguousarray(np.atleast_2d(queries), np.float32), k)

    def _search(self, queries: Floats, k: int, mask: Bools | None) -> tuple[Floats, Int64s]:
        open_rows = len(self.vectors) if mask is None else int(np.count_nonzero(mask))
        if not self.lists or open_rows <= EXACT_ROWS:
            return best(self.vectors, numbers_of(mask, 0, len(self.vectors)), queries, k)
        tail = best(self.vectors, numbers_of(mask, self.covered, len(self.vectors)), queries, k)
        if mask is None or mask is self.alive:
            return self._with_segments(tail, queries, k, 1.0, mask, shared=True)
        largest = max(part.rows for part in self.lists)
        if largest <= EVERY_CODE:
            return self._with_segments(tail, queries, k, np.inf, mask, least=2 * CANDIDATES)
        wider = (len(self.vectors) / open_rows) ** 0.5
        most = 2 * open_rows >= len(self.vectors)  # then it is hardly a filter, and all there is to see is k of them
        found = self._with_segments(tail, queries, k, wider, mask, shared=most)
        while _scanned(largest, wider) < largest and not (most and (found[1] >= 0).all()):
            wider *= 2
            more = self._with_segments(tail, queries, k, wider, mask)
            if np.array_equal(more[1], found[1]) and (found[1] >= 0).all():
                break
            found = more
        return found

    def _with_segments(
        self,
        tail: tuple[Floats, Int64s],
        queries: Floats,
        k: int,
        wider: float,
        mask: Bools | None,
        *,
        least: int = CANDIDATES,
        shared: bool = False,
    ) -> tuple[Floats, Int64s]:
        """The best k of the tail's best and of the segments' candidates; `wider` times as many codes are scanned.

        `shared`: all, or most, are asked, so each segment gives its share and not as much as one alone.
        """
        named = []
        total = sum(part.rows for part in self.lists)
        for part in self.lists:
            wanted, codes = max(least, int(NAMED * part.rows**0.5)), _scanned(part.rows, wider)
            if shared:
                share = part.rows / total
                wanted = max(int(share * max(least, NAMED * total**0.5)), FEWEST)
                codes = min(codes, max(int(share * _scanned(total, wider)), LEAST_SCANNED // 4))
            named.append(part.candidates(queries, max(wanted, k + min(2 * k, 2000)), codes, mask))
        scores, found = best_of_each(self.vectors, np.concatenate(named, axis=1), queries, k)
        return ranked(np.concatenate((scores, tail[0]), axis=1), np.concatenate((found, tail[1]), axis=1), k)


def _scanned(rows: int, wider: float) -> int:
    """Codes scanned of a segment of so many rows."""
    return int(min(rows, wider * max(LEAST_SCANNED, SCANNED * rows**0.5)))
