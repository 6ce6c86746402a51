"""One query's work in two parts → both results, the second by a thread that is kept for it, if that is free.

Loops that hold no lock of the interpreter. Where many ask at once each does its own work alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")

_helper, _free = ThreadPoolExecutor(1, "second"), threading.Lock()


def both(work: Callable[[Part], Result], first: Part, second: Part) -> tuple[Result, Result]:
    """`work` of each part."""
    if not _free.acquire(blocking=False):
        return work(first), work(second)
    try:
        other = _helper.submit(work, second)
        return work(first), other.result()
    finally:
        _free.release()
