"""Mapped files ↔ the system's page cache: what will be read next, what was, and in which order.

A mapped file is read by page faults, and the system reads on behind each of them: some say 128 KiB, some 8 MiB. Where
rows are looked up here and there that reads the whole file for a few thousandths of it, 9 GB for a first question to
16 million prompts instead of 1. So what is searched is mapped as `scattered`, and a range that will be read whole is
`wanted` beforehand. Nothing here changes an answer; where the system has no such calls nothing happens.
"""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

from promptsim.records import Int64s

SCATTERED = getattr(mmap, "MADV_RANDOM", None)  # Linux and other Unix systems
IN_ORDER = getattr(mmap, "MADV_NORMAL", None)
WANTED = getattr(mmap, "MADV_WILLNEED", None)
DROPPED = getattr(mmap, "MADV_DONTNEED", None)
PIECE = 128 * 1024  # bytes asked for in one call: a system reads no more for it than it reads on behind a fault


def scattered(rows: npt.NDArray[Any]) -> None:
    """Rows will be read here and there: a fault reads its page and no more."""
    _advise(rows, SCATTERED)


def in_order(rows: npt.NDArray[Any]) -> None:
    """Rows will be read one after the other again."""
    _advise(rows, IN_ORDER)


def let_go(rows: npt.NDArray[Any]) -> None:
    """Give the pages of mapped rows back: they stay in the system's cache, and count no more as this process's."""
    _advise(rows, DROPPED)


def wanted(data: npt.NDArray[Any], starts: Int64s, stops: Int64s) -> None:
    """The byte ranges [start, stop) of a mapped file (mapped from its first byte) will be read soon: all at once."""
    mapped = _map_of(data)
    if mapped is None or WANTED is None:
        return
    for start, stop in zip((starts - starts % mmap.PAGESIZE).tolist(), stops.tolist(), strict=True):
        for piece in range(start, stop, PIECE):
            mapped.madvise(WANTED, piece, min(PIECE, stop - piece))


def _advise(rows: npt.NDArray[Any], advice: int | None) -> None:
    mapped = _map_of(rows)
    if mapped is not None and advice is not None:
        mapped.madvise(advice)


def _map_of(rows: npt.NDArray[Any]) -> mmap.mmap | None:
    """The map an array stands on; None: it is no view of one."""
    base: Any = rows
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) else None
