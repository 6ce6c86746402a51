"""CSV and TSV (any column order, quoted newlines) → events and rejections.

`line` of a rejection is the row as a spreadsheet counts it: the header is row 1.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator

from promptsim.errors import UsageError
from promptsim.intake.batch import Feed, Item
from promptsim.intake.event import FIELDS
from promptsim.intake.lines import split_lines
from promptsim.intake.problems import BadEvent
from promptsim.intake.rows import row_item

_BOM = b"\xef\xbb\xbf"
DELIMITERS = (",", "\t", ";")


class _LongLine(Exception):
    """A line beyond the limit, met in the middle of the reader."""


class _Text:
    """Lines as text for the csv module; keeps those of the record under way, which it may reject."""

    def __init__(self, feed: Feed) -> None:
        self._pieces = split_lines(feed.stream, feed.limit)
        self._limit = feed.limit
        self.record: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        _, data, length, whole = next(self._pieces)
        # surrogateescape keeps a bad byte findable: the row is rejected, not the file
        text = data.decode("utf-8", "surrogateescape")
        self.record.append(text)
        if length > self._limit:
            raise _LongLine(f"a line of {length:,} bytes; the limit is {self._limit:,}")
        return text + "\n" if whole else text


def read_table(feed: Feed, delimiter: str = "") -> Iterator[Item]:
    """Every row's event or rejection; a header without the columns that are needed is a UsageError at once."""
    head = feed.stream.head(1)
    feed.stream.drop(_BOM)
    delimiter = delimiter or sniff(head)
    csv.field_size_limit(max(csv.field_size_limit(), feed.limit))
    text = _Text(feed)
    rows = csv.reader(text, delimiter=delimiter, strict=True)
    header = _header(rows, feed)
    yield from _body(rows, header, text, feed)


def sniff(head: bytes) -> str:
    """The delimiter that cuts the header into most known columns; a comma in doubt."""
    header = columns(head)
    return max(DELIMITERS, key=lambda d: (len(set(header[d]) & FIELDS), len(header[d]), d == ","))


def columns(head: bytes) -> dict[str, list[str]]:
    """The first line that is not blank, cut at each delimiter."""
    lines = head.removeprefix(_BOM).decode("utf-8", "replace").splitlines()
    first = next((line for line in lines if line.strip()), "")
    return {d: [name.strip() for name in next(csv.reader([first], delimiter=d), [])] for d in DELIMITERS}


def _header(rows: Iterator[list[str]], feed: Feed) -> list[str]:
    for row in rows:
        feed.at += 1
        names = [name.strip() for name in row]
        if not any(names):
            continue
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UsageError(f"{feed.name or 'the input'} has the column {twice[0]!r} twice; rename one")
        feed.mapper.check_columns(feed.name, names)
        return names
    raise UsageError(f"{feed.name or 'the input'} is empty: a table needs a header row")


def _body(rows: Iterator[list[str]], header: list[str], text: _Text, feed: Feed) -> Iterator[Item]:
    while True:
        text.record.clear()
        feed.at += 1
        try:
            cells = next(rows)
            if not any(cell.strip() for cell in cells):
                feed.counts["blank-lines"] += 1
                continue
            _check(cells, header)
        except StopIteration:
            return
        except (csv.Error, _LongLine) as error:
            code = "line-too-long" if isinstance(error, _LongLine) else "bad-row"
            yield feed.reject(BadEvent(code, str(error)), _raw(text))
        except BadEvent as problem:
            yield feed.reject(problem, _raw(text))
        else:
            yield row_item(feed, dict(zip(header, cells, strict=True)))


def _check(cells: list[str], header: list[str]) -> None:
    if len(cells) != len(header):
        raise BadEvent("bad-row", f"{len(cells)} cells; the header has {len(header)}")
    for cell in cells:
        if not cell.isascii() and any("\udc80" <= character <= "\udcff" for character in cell):
            raise BadEvent("invalid-utf8", "the row holds bytes that are no UTF-8")


def _raw(text: _Text) -> str:
    joined = "\n".join(text.record)
    return joined.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
