"""Items, and pure work on each → results in the items' order, worked on by threads while the next items are read.

Reading (the database, Python strings) holds the interpreter's lock; the compiled stages give it up. So a few threads
beside the one that reads keep every core busy, and what is in flight stays bounded. A compiled stage over all rows is
cut into as many spans of them: what it gives does not depend on how many there are.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import numpy as np

from promptsim.records import Int64s

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_THREADS = 4
LEAST = 1 << 14  # pieces of work that a thread is worth

_this_thread = threading.local()


def allowed_threads() -> int:
    """As many as there are cores, or as OMP_NUM_THREADS leaves this process, as for every numeric library."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(MOST_THREADS, int(told) if told.isdigit() else os.cpu_count() or 1))


def mapped(work: Callable[[Item], Result], items: Iterable[Item], threads: int | None = None) -> Iterator[Result]:
    """`map` with at most `threads` items being worked on and as many finished ones waiting."""
    threads = threads or allowed_threads()
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads, "work", initializer=_mark_this_thread) as pool:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _mark_this_thread() -> None:
    _this_thread.works = True


def in_spans(work: Callable[[int, int], Result], of: Int64s, threads: int | None = None) -> list[Result]:
    """`work(first, last)` on spans of rows that follow each other, in their order; at least one, which may be empty.

    Row i has the pieces `of[i]:of[i + 1]` of the work, and each span about as many as the others. Within such work, or
    within `mapped`, every core is busy already, and there is one span.
    """
    rows, pieces = len(of) - 1, int(of[-1] - of[0])
    threads = 1 if getattr(_this_thread, "works", False) else threads or allowed_threads()
    many = max(1, min(threads, pieces // LEAST))
    inner = np.searchsorted(of, of[0] + pieces * np.arange(1, many) // many)
    borders = [0, *inner.tolist(), rows]
    if many == 1:
        return [work(0, rows)]
    return list(mapped(lambda span: work(*span), pairwise(borders), many))
