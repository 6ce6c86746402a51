"""Items, and pure work on each → results in the items' order, worked on by threads while the next items are read.

Reading (the database, Python strings) holds the interpreter's lock; the compiled stages give it up. So a few threads
beside the one that reads keep every core busy, and what is in flight stays bounded.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_THREADS = 4


def allowed_threads() -> int:
    """As many as there are cores, or as OMP_NUM_THREADS leaves this process, as for every numeric library."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(MOST_THREADS, int(told) if told.isdigit() else os.cpu_count() or 1))


def mapped(work: Callable[[Item], Result], items: Iterable[Item], threads: int | None = None) -> Iterator[Result]:
    """`map` with at most `threads` items being worked on and as many finished ones waiting."""
    threads = threads or allowed_threads()
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads, "families") as pool:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
