"""Parquet, row group by row group → events and rejections. `line` of a rejection counts rows from 1."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO, Any

from promptsim.errors import UsageError
from promptsim.intake.batch import Feed, Item
from promptsim.intake.event import FIELDS
from promptsim.intake.rows import row_item
from promptsim.intake.stream import CHUNK, DamagedStream
from promptsim.intake.timestamp import EARLIEST, LATEST

ROWS = 1024
_BUFFER = 1 << 20


def read_parquet(feed: Feed) -> Iterator[Item]:
    """Every row's event or rejection; only the columns that are needed are read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _seekable(feed) as source:
        try:
            table = pq.ParquetFile(source, buffer_size=_BUFFER, pre_buffer=False)
        except pa.ArrowException as error:
            raise UsageError(f"{feed.name or 'the input'} is no Parquet file that can be read: {error}") from None
        names = list(table.schema_arrow.names)
        feed.mapper.check_columns(feed.name, names)
        batches = table.iter_batches(batch_size=ROWS, columns=_wanted(table.schema_arrow, feed), use_threads=False)
        size = source.seek(0, 2) if feed.stream.path is not None else 0
        while True:
            try:
                rows = next(batches, None)
            except (pa.ArrowException, OSError) as error:
                raise DamagedStream(f"the Parquet file cannot be read to its end: {error}") from None
            if rows is None:
                return
            yield from _rows(rows, feed)
            feed.stream.reached(size * feed.at // table.metadata.num_rows)


def _seekable(feed: Feed) -> IO[bytes]:
    """The file itself, or a temporary copy on disk of what comes from a pipe or was compressed."""
    if feed.stream.path is not None:
        return feed.stream.path.open("rb")
    copy = tempfile.TemporaryFile()  # noqa: SIM115  # the caller closes it
    while chunk := feed.stream.read(CHUNK):
        copy.write(chunk)
    copy.seek(0)
    return copy


def _wanted(schema: Any, feed: Feed) -> list[str]:
    """Columns of the contract, those that the mapping names, and plain ones, which become metadata."""
    paths = [path for path in feed.mapper.mapping.values() if path]
    return [
        column.name
        for column in schema
        if column.name in FIELDS
        or any(p == column.name or p.startswith(column.name + ".") for p in paths)
        or (_is_plain(column.type) and not column.name.startswith("__"))  # pandas keeps row numbers as __index…
    ]


def _is_plain(kind: Any) -> bool:
    """One text, number, truth value or time a row."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return _is_plain(kind.value_type)
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    is_other = pa.types.is_boolean(kind) or pa.types.is_date(kind) or pa.types.is_timestamp(kind)
    return bool(is_text or is_number or is_other)


def _rows(batch: Any, feed: Feed) -> Iterator[Item]:
    names = batch.schema.names
    time = feed.mapper.mapping.get("timestamp", "timestamp")
    columns = [_values(batch.column(i), feed) if name == time else batch.column(i).to_pylist()
               for i, name in enumerate(names)]  # fmt: skip
    for cells in zip(*columns, strict=True):
        feed.at += 1
        yield row_item(feed, dict(zip(names, cells, strict=True)))


def _values(column: Any, feed: Feed) -> list[Any]:
    """Python values; times as whole microseconds, which cannot be taken for another unit between 1990 and 2200."""
    import pyarrow as pa

    if not pa.types.is_timestamp(column.type):
        values: list[Any] = column.to_pylist()
        return values
    if column.type.tz is None:
        feed.counts["times-without-offset-read-as-utc"] += len(column) - column.null_count
    times = column.cast(pa.timestamp("us", tz=column.type.tz), safe=False).cast(pa.int64()).to_pylist()
    # a time out of range could be in range in another unit: made negative, it is refused in all of them
    return [t if t is None or EARLIEST <= t < LATEST else -abs(t) for t in times]
