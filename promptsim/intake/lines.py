"""Bytes → lines, or the elements of one JSON document, each at most so long, in bounded memory.

Between `stream.py` and `jsonl.py`/`table.py`. A line beyond the limit is skipped as it is read: only its first bytes
are ever kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from promptsim.intake.stream import CHUNK, Readable

MAX_LINE_BYTES = 20_000_000
KEPT_OF_LONG = 1000


# One line or element: its number, its bytes, its length (more than the bytes where it was too long to keep), and
# whether its end was seen. A plain tuple, because one is made for every line of every log.
Piece = tuple[int, bytes, int, bool]


def split_lines(stream: Readable, limit: int = MAX_LINE_BYTES) -> Iterator[Piece]:
    """Lines without their newline, counted from 1."""
    number = 0
    begun = bytearray()
    length = 0
    while chunk := stream.read(CHUNK):
        first, *others = chunk.split(b"\n")
        length += len(first)
        if length <= limit:
            begun += first
        else:
            del begun[KEPT_OF_LONG:]
            begun += first[: KEPT_OF_LONG - len(begun)]
        if not others:
            continue
        number += 1
        yield (number, bytes(begun), length, True)
        last = others.pop()
        for line in others:
            number += 1
            yield (number, line if len(line) <= limit else line[:KEPT_OF_LONG], len(line), True)
        begun, length = bytearray(last), len(last)
    if length:
        yield (number + 1, bytes(begun), length, False)


_AT_TOP = re.compile(rb'["{}\[\],]')
_INSIDE = re.compile(rb'["{}\[\]]')
_IN_STRING = re.compile(rb'\\.|"', re.DOTALL)


class _Scanner:
    """Where the elements of a JSON document begin and end: a machine over brackets and quotes, fed chunk by chunk."""

    def __init__(self, *, array: bool, limit: int) -> None:
        self.array = array
        self.limit = limit
        self.closed = False
        self.begun = bytearray()  # the element under way, or its first bytes where it is too long
        self.length = 0
        self._depth = 0
        self._in_string = False
        self._carry = b""

    def feed(self, chunk: bytes) -> Iterator[tuple[bytes, int]]:
        """Elements that end in this chunk: (bytes, length)."""
        data = self._carry + chunk
        self._carry = b""
        start = at = 0
        while at < len(data):
            pattern = _IN_STRING if self._in_string else _INSIDE if self._depth else _AT_TOP
            match = pattern.search(data, at)
            if match is None:
                if self._in_string and data.endswith(b"\\"):
                    self._carry, data = data[-1:], data[:-1]  # what it escapes comes with the next chunk
                break
            at = match.end()
            if self._ends_element(match[0]):
                end = at if not self.array else match.start()
                yield self._taken(data[start:end])
                start = at
            if self.closed:
                break
        self.keep(data[start:])

    def _ends_element(self, token: bytes) -> bool:
        if self._in_string:
            self._in_string = token != b'"'
        elif token == b'"':
            self._in_string = True
        elif token in b"{[":
            self._depth += 1
        elif token == b",":
            return self.array and self._depth == 0
        elif self.array and self._depth == 0:
            self.closed = True
            return True
        else:
            self._depth = max(0, self._depth - 1)
            return not self.array and self._depth == 0
        return False

    def keep(self, rest: bytes) -> None:
        self.length += len(rest)
        self.begun += rest
        if self.length > self.limit:
            del self.begun[KEPT_OF_LONG:]

    def _taken(self, rest: bytes) -> tuple[bytes, int]:
        self.keep(rest)
        taken = bytes(self.begun.strip()), self.length
        self.begun, self.length = bytearray(), 0
        return taken


def split_elements(stream: Readable, *, array: bool, limit: int = MAX_LINE_BYTES) -> Iterator[Piece]:
    """Elements of one JSON array, or objects that stand one after another over many lines; counted from 1."""
    scanner = _Scanner(array=array, limit=limit)
    number = 0
    opened = not array
    while chunk := stream.read(CHUNK):
        if not opened:
            opened = b"[" in chunk
            chunk = chunk.partition(b"[")[2] if opened else b""
        if scanner.closed:
            scanner.keep(chunk)
            continue
        for data, length in scanner.feed(chunk):
            if not (scanner.closed and not data and number == 0):
                number += 1
                yield (number, data, length if length > limit else len(data), True)
    rest = bytes(scanner.begun.strip())
    if rest or (array and not scanner.closed):
        length = scanner.length if scanner.length > limit else len(rest)
        yield (number + 1, rest, length, scanner.closed)
