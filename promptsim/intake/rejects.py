"""Rejections → JSON lines that can be mended and sent again: `raw` holds the line as it came.

The file is a format of its own: once `raw` is mended in place, ingesting the file sends the events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from promptsim.errors import UsageError
from promptsim.intake.jsonl import decode
from promptsim.intake.problems import BadEvent
from promptsim.intake.shapes import Record
from promptsim.records import Rejection

_KEYS = {"source", "line", "code", "reason", "raw"}


def recognises(record: Record) -> bool:
    """Is this a line that `write_rejects` wrote?"""
    return record.keys() == _KEYS


def records(record: Record, counts: Counter[str]) -> Iterator[tuple[Record, Record]]:  # noqa: ARG001
    """The mended event inside `raw`, however often it was rejected and sent again."""
    inner: object = record
    while isinstance(inner, dict) and recognises(inner):
        inner = decode(str(inner["raw"]).encode("utf-8", "replace"))
    if not isinstance(inner, dict):
        raise BadEvent("not-an-object", "raw holds JSON, but no object")
    yield inner, inner


def write_rejects(rejections: Iterable[Rejection], out: BinaryIO) -> int:
    """One object a rejection; how many were written."""
    written = 0
    for rejection in rejections:
        row = {
            "source": rejection.source,
            "line": rejection.line,
            "code": rejection.code,
            "reason": rejection.reason,
            "raw": rejection.raw,
        }
        out.write(msgspec.json.encode(row) + b"\n")
        written += 1
    return written


class RejectsWriter:
    """The file behind `--rejects`, open while batches come in; without a path it only counts."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.written = 0
        self._out: BinaryIO | None = None

    def __enter__(self) -> RejectsWriter:
        if self.path is not None:
            try:
                self._out = self.path.open("wb")
            except OSError as error:
                raise UsageError(f"rejections cannot be written to {self.path}: {error.strerror}") from None
        return self

    def write(self, rejections: Iterable[Rejection]) -> None:
        """Append, and flush, so that a killed run leaves what it had found."""
        if self._out is not None:
            self.written += write_rejects(rejections, self._out)
            self._out.flush()

    def __exit__(self, *_: object) -> None:
        if self._out is not None:
            self._out.close()
