"""A path or an open binary stream → decompressed bytes that can be peeked at, with the raw bytes counted.

gzip and zstd are known by their magic bytes, not by name. A stream that ends early or is damaged raises
`DamagedStream` after all that could be read was given out.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from promptsim.errors import UsageError

CHUNK = 1 << 20
# zstd may give out 30,000 times what it takes in, gzip 1,000 times; small bites bound what one call can allocate.
_ZSTD_BITE, _GZIP_BITE = 2048, 16_384
_OTHER_MAGIC = {
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"PK\x03\x04": "zip",
    b"\x04\x22\x4d\x18": "lz4",
}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class DamagedStream(Exception):
    """The compressed stream cannot be read to its end."""


class Readable(Protocol):
    """All that a source must do."""

    def read(self, size: int = -1, /) -> bytes: ...


class Counted:
    """Raw bytes of the source, counted as they are taken; what a progress bar moves by."""

    def __init__(self, raw: Readable) -> None:
        self._raw = raw
        self._kept = b""
        self._read = getattr(raw, "read1", raw.read)  # read1 does not wait for a full chunk from a pipe
        self.bytes_read = 0

    def peek(self, size: int) -> bytes:
        """The first bytes without taking them."""
        while len(self._kept) < size:
            more = self._read(CHUNK)
            if not more:
                break
            self._kept += more
        return self._kept[:size]

    def read(self, size: int = -1, /) -> bytes:
        wanted = CHUNK if size < 0 else size
        if self._kept:
            taken, self._kept = self._kept[:wanted], self._kept[wanted:]
        else:
            taken = self._read(wanted)
        self.bytes_read += len(taken)
        return taken


class ByteStream:
    """Decompressed bytes, in chunks; `head` shows the beginning without taking it."""

    def __init__(self, counted: Counted, content: Readable, path: Path | None) -> None:
        self._counted = counted
        self._content = content
        self._kept = b""
        self._damage: DamagedStream | None = None  # met while looking ahead: told when all before it was taken
        self.path = path  # set where the file itself can be opened again: not compressed, not a pipe

    @property
    def bytes_read(self) -> int:
        """Bytes of the source (compressed, where it is) taken so far."""
        return self._counted.bytes_read

    def read(self, size: int = CHUNK, /) -> bytes:
        """Some bytes, at most `size`; nothing at the end."""
        if self._kept:
            taken, self._kept = self._kept[:size], self._kept[size:]
            return taken
        return self._inflate(size)

    def head(self, lines: int = 1, limit: int = CHUNK) -> bytes:
        """The beginning: at least so many lines that are not blank, or all there is, or `limit` bytes."""
        while len(self._kept) < limit and sum(1 for x in self._kept.split(b"\n")[:-1] if x.strip()) < lines:
            try:
                more = self._inflate(CHUNK)
            except DamagedStream as error:
                self._damage = error
                break
            if not more:
                break
            self._kept += more
        return self._kept[:limit]

    def drop(self, prefix: bytes) -> None:
        """Take `prefix` away where the stream begins with it (a byte order mark)."""
        if self._kept.startswith(prefix):
            self._kept = self._kept[len(prefix) :]

    def reached(self, offset: int) -> None:
        """The file itself, opened again by its path, was read up to here."""
        self._counted.bytes_read = max(self._counted.bytes_read, offset)

    def _inflate(self, size: int) -> bytes:
        if self._damage is not None:
            raise self._damage
        return self._content.read(size)


class Packed:
    """gzip members or zstd frames, one after another, given out to the last byte that can be read.

    (The libraries' own readers lose what they had unpacked when a stream breaks off, or take a cut-off file for a whole
    one.)
    """

    def __init__(self, source: Counted, name: str, frame: Callable[[], Any], error: type[Exception], bite: int) -> None:
        self._source, self._name, self._new, self._error, self._size = source, name, frame, error, bite
        self._frame = frame()
        self._bite = b""
        self._inside = False

    def read(self, size: int = CHUNK, /) -> bytes:
        pieces: list[bytes] = []
        total = 0
        while total < size:
            bite = self._bite or self._source.read(self._size)
            self._bite = b""
            if not bite:
                return self._end(b"".join(pieces))
            if not self._inside and not (bite := bite.lstrip(b"\0")):  # files may be padded with zeros
                continue
            try:
                piece = self._bitten(bite)
            except self._error as error:
                self._bite = bite  # what came before it goes out first; then it is met again
                if not pieces:
                    raise self._damaged(str(error)) from None
                return b"".join(pieces)
            pieces.append(piece)
            total += len(piece)
        return b"".join(pieces)

    def _bitten(self, bite: bytes) -> bytes:
        piece: bytes = self._frame.decompress(bite)
        self._inside = not self._frame.eof
        if self._frame.eof:
            self._bite = self._frame.unused_data
            self._frame = self._new()
        return piece

    def _end(self, rest: bytes) -> bytes:
        if rest or not self._inside:
            return rest
        self._inside = False
        raise self._damaged("it was cut off")

    def _damaged(self, reason: str) -> DamagedStream:
        return DamagedStream(f"the {self._name} stream cannot be read to its end: {reason}")


def _gzip(source: Counted) -> Packed:
    return Packed(source, "gzip", lambda: zlib.decompressobj(31), zlib.error, _GZIP_BITE)


def _zstd(source: Counted) -> Packed:
    import zstandard

    return Packed(source, "zstd", zstandard.ZstdDecompressor().decompressobj, zstandard.ZstdError, _ZSTD_BITE)


@contextmanager
def open_source(source: Path | BinaryIO, name: str = "the input") -> Iterator[ByteStream]:
    """The decompressed stream of a path (`-` is standard input) or of an open binary stream."""
    if not isinstance(source, Path):
        yield _stream(Counted(source), None, name)
    elif str(source) == "-":
        yield _stream(Counted(sys.stdin.buffer), None, name)
    else:
        with _opened(source) as raw:
            yield _stream(Counted(raw), source, name)


def _opened(path: Path) -> BinaryIO:
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name its files (for example {path}/*.jsonl)")
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


def _stream(counted: Counted, path: Path | None, name: str) -> ByteStream:
    magic = counted.peek(6)
    if magic.startswith(b"\x1f\x8b"):
        return ByteStream(counted, _gzip(counted), None)
    if magic.startswith(b"\x28\xb5\x2f\xfd") or (magic[1:4] == b"\x2a\x4d\x18" and 0x50 <= magic[0] <= 0x5F):
        return ByteStream(counted, _zstd(counted), None)
    for start, packer in _OTHER_MAGIC.items():
        if magic.startswith(start):
            raise UsageError(
                f"{name} is compressed by {packer}, which is not read here; unpack it, or use gzip or zstd"
            )
    if magic.startswith(_UTF16):
        raise UsageError(f"{name} is UTF-16; turn it into UTF-8 first (iconv -f UTF-16 -t UTF-8)")
    return ByteStream(counted, counted, path)
