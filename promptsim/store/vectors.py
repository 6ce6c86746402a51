"""Unit vectors ─► rows of one flat file, `vectors.f16`: row `prompt_no`, float16, little-endian.

Written before the database commits, so that a committed prompt always has its row; rows beyond the committed count
(left by a crash) belong to nobody and are overwritten by the next batch.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xxhash

from promptsim.pages import scattered
from promptsim.records import Int64s

Halves = npt.NDArray[np.float16]
STORED = np.dtype("<f2")


class Vectors:
    """The flat file; `dimension` is fixed by the home's encoder."""

    def __init__(self, path: Path, dimension: int) -> None:
        self.path = path
        self.dimension = dimension
        self.row_bytes = dimension * STORED.itemsize

    def write(self, first: int, rows: Sequence[npt.NDArray[np.generic]] | npt.NDArray[np.generic]) -> bytes:
        """Write rows from number `first` on, flushed to the disk; the digest of what was written."""
        with np.errstate(over="ignore"):
            block = np.asarray(rows, dtype=STORED).reshape(len(rows), self.dimension)
        if not np.isfinite(block).all():
            raise ValueError("a vector has an entry that is not a finite float16")
        body = block.tobytes()
        self._put(first * self.row_bytes, body)
        return xxhash.xxh3_64_digest(body)

    def clear(self, numbers: Int64s) -> None:
        """Overwrite the rows of erased prompts with zeros."""
        if len(numbers) == 0:
            return
        zeros = bytes(self.row_bytes)
        with open(self.path, "r+b") as file:
            for number in numbers.tolist():
                os.pwrite(file.fileno(), zeros, number * self.row_bytes)
            os.fsync(file.fileno())

    def digest(self, first: int, count: int) -> bytes:
        """The digest of `count` rows from number `first` on, as `write` gave it."""
        with open(self.path, "rb") as file:
            return xxhash.xxh3_64_digest(os.pread(file.fileno(), count * self.row_bytes, first * self.row_bytes))

    def rows(self) -> int:
        """How many whole rows the file has (at least as many as there are prompts)."""
        return self.path.stat().st_size // self.row_bytes if self.path.exists() else 0

    def mapped(self, count: int) -> Halves:
        """The first `count` rows, mapped and read-only, to be looked up here and there."""
        if count == 0 or self.dimension == 0:
            return np.zeros((count, self.dimension), dtype=STORED)
        rows: Halves = np.memmap(self.path, dtype=STORED, mode="r", shape=(count, self.dimension))
        scattered(rows)
        return rows

    def _put(self, offset: int, body: bytes) -> None:
        put_durably(self.path, [(offset, body)])


def put_durably(path: Path, parts: Sequence[tuple[int, bytes]], *, length: int | None = None) -> None:
    """Write parts at their offsets (growing the file to `length` at least) and flush them, its folder too when new."""
    new = not path.exists()
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if length is not None and os.fstat(handle).st_size < length:
            os.ftruncate(handle, length)
        for offset, body in parts:
            _write_all(handle, memoryview(body), offset)
        os.fdatasync(handle)
    finally:
        os.close(handle)
    if new:
        sync_folder(path.parent)


def _write_all(handle: int, body: memoryview, offset: int) -> None:
    while body:
        written = os.pwrite(handle, body, offset)
        body, offset = body[written:], offset + written


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
