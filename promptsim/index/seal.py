"""file → seal (size, digest) → the same file, mapped, whose bytes are checked before they are read.

FAISS files and flat arrays carry no checksum: a flipped bit changes answers in silence. Every file of a generation is
sealed when it is written. A small file is checked whole when it is opened; a large one is checked block by block, each
block before its first use, so that opening stays fast and nothing is answered from an unchecked byte.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from promptsim.errors import DamagedError
from promptsim.pages import scattered, wanted
from promptsim.records import Int64s, UInt8s, UInt64s

BLOCK = 64 * 1024
AHEAD = 512  # blocks asked for before the first of them is checked
WHOLE_UP_TO = 64 * 1024 * 1024  # bytes; at about 10 GB/s a file of this size is checked in some milliseconds


@dataclass(frozen=True, slots=True)
class Seal:
    """What a file must be: its size in bytes and its xxh3-128 digest; `blocks` names the sidecar with block digests."""

    size: int
    digest: str
    blocks: str | None = None


def digest_of(data: bytes | memoryview) -> str:
    return xxhash.xxh3_128_hexdigest(data)


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def seal(path: Path, *, whole_up_to: int = WHOLE_UP_TO) -> dict[str, Seal]:
    """Seal a finished file: its entry and, for a large file, that of the sidecar `NAME.blocks` written beside it."""
    data = _mapped(path)
    sync(path)
    if data.size <= whole_up_to:
        return {path.name: Seal(data.size, digest_of(data.data))}
    whole = xxhash.xxh3_128()
    blocks = np.empty(-(-data.size // BLOCK), np.uint64)
    for b in range(blocks.size):
        piece = data[b * BLOCK : (b + 1) * BLOCK].data
        blocks[b] = xxhash.xxh3_64_intdigest(piece)
        whole.update(piece)
    sidecar = path.with_name(path.name + ".blocks")
    sidecar.write_bytes(blocks.astype("<u8").tobytes())
    sync(sidecar)
    return {
        path.name: Seal(data.size, whole.hexdigest(), sidecar.name),
        sidecar.name: Seal(blocks.nbytes, digest_of(sidecar.read_bytes())),
    }


class SealedFile:
    """A mapped file that hands out only checked bytes."""

    def __init__(self, path: Path, files: dict[str, Seal]) -> None:
        """Open and check the size and either the whole file or its block digests; raises DamagedError."""
        self.path = path
        if path.name not in files:
            raise DamagedError(f"{path}: not named in the manifest")
        expected = files[path.name]
        try:
            self.bytes = _mapped(path)
        except (OSError, ValueError) as error:
            raise DamagedError(f"{path}: cannot be read ({error})") from error
        if self.bytes.size != expected.size:
            raise DamagedError(f"{path}: {self.bytes.size} bytes, {expected.size} recorded")
        self._blocks: UInt64s | None = None
        if expected.blocks is None:
            if digest_of(self.bytes.data) != expected.digest:
                raise DamagedError(f"{path}: digest differs from the recorded one")
            return
        blocks: UInt64s = SealedFile(path.with_name(expected.blocks), files).array("<u8")
        self._blocks, self._seen = blocks, np.zeros(blocks.size, np.bool_)
        scattered(self.bytes)
        if blocks.size != -(-expected.size // BLOCK):
            raise DamagedError(f"{path}: block digests do not fit its size")

    def array(self, dtype: str) -> npt.NDArray[Any]:
        """The file as one flat array; of a large file, call `check` on a byte range before reading it."""
        if self.bytes.size % np.dtype(dtype).itemsize:
            raise DamagedError(f"{self.path}: not a whole number of items")
        return self.bytes.view(dtype)

    def check(self, starts: Int64s, stops: Int64s) -> None:
        """Check the byte ranges [start, stop) that were not checked before; raises DamagedError."""
        if self._blocks is None:
            return
        first, last = starts // BLOCK, -(-stops // BLOCK)
        counts = last - first
        blocks = np.repeat(first - (np.cumsum(counts) - counts), counts) + np.arange(int(counts.sum()))
        new = np.unique(blocks[~self._seen[blocks]])
        for place in range(0, new.size, AHEAD):
            some = new[place : place + AHEAD]
            begins = np.flatnonzero(np.diff(some, prepend=-2) > 1)
            ends = np.append(begins[1:], some.size) - 1
            wanted(self.bytes, some[begins] * BLOCK, (some[ends] + 1) * BLOCK)
            for block in some.tolist():
                self._check_block(block)

    def check_all(self) -> None:
        """Check every byte now."""
        self.check(np.zeros(1, np.int64), np.array([self.bytes.size], np.int64))

    def _check_block(self, block: int) -> None:
        assert self._blocks is not None
        piece = self.bytes[block * BLOCK : (block + 1) * BLOCK]
        if xxhash.xxh3_64_intdigest(piece.data) != int(self._blocks[block]):
            raise DamagedError(f"{self.path}: block {block} differs from its recorded digest")
        self._seen[block] = True


def _mapped(path: Path) -> UInt8s:
    """The file's bytes, mapped read-only (an empty file cannot be mapped)."""
    if path.stat().st_size == 0:
        return np.zeros(0, np.uint8)
    return np.memmap(path, np.uint8, "r").view(np.ndarray)
