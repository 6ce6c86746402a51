"""The registry of formats, their detection by magic and content, and `read`: a source → batches.

    source ─► stream (gzip, zstd) ─► lines | rows ─► record ─► [shape] ─► [mapping] ─► event rules ─► Batch

A further format is one module with a shape (`recognises`, `records`) or a reader, and one line in `FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from promptsim.errors import UsageError
from promptsim.intake import batch_api, langfuse, litellm, otel, rejects
from promptsim.intake.batch import Batch, Feed, Item, batches
from promptsim.intake.event import FIELDS
from promptsim.intake.jsonl import Shape, decode, pieces, read_json
from promptsim.intake.lines import MAX_LINE_BYTES, split_elements
from promptsim.intake.mapping import Mapper
from promptsim.intake.parquet import read_parquet
from promptsim.intake.problems import BadEvent
from promptsim.intake.shapes import Record
from promptsim.intake.stream import ByteStream, Counted, open_source
from promptsim.intake.table import columns, read_table

__all__ = ["FORMATS", "Batch", "Format", "detect", "read", "read_items"]


@dataclass(frozen=True, slots=True)
class Format:
    """A way in: `read` for a container of its own, or `records` (and `recognises`) for JSON of another product."""

    name: str
    about: str
    read: Callable[[Feed], Iterator[Item]] | None = None
    recognises: Callable[[Record], bool] | None = None
    records: Shape | None = None
    needs: Mapping[str, str] = field(default_factory=dict)  # what only --map can say, with an example


FORMATS: dict[str, Format] = {
    each.name: each
    for each in (
        Format("jsonl", "native events: JSON lines, a JSON array or one object", read=read_json),
        Format("csv", "a table with commas (or semicolons), first row the column names", read=read_table),
        Format("tsv", "the same with tabs", read=lambda feed: read_table(feed, "\t")),
        Format("parquet", "Parquet with the columns of the contract", read=read_parquet),
        Format(
            "litellm",
            "LiteLLM generic_api logs",
            recognises=litellm.recognises,
            records=litellm.records,
            needs={"account_id": "metadata.user_api_key_hash"},
        ),
        Format("rejects", "what --rejects wrote, mended", recognises=rejects.recognises, records=rejects.records),
        Format("otel", "OpenTelemetry GenAI and OpenInference spans", recognises=otel.recognises, records=otel.records),
        Format("langfuse", "Langfuse observations", recognises=langfuse.recognises, records=langfuse.records),
        Format(
            "openai-batch",
            "OpenAI batch requests",
            recognises=batch_api.is_openai,
            records=batch_api.openai,
            needs={"timestamp": "=2026-03-01T00:00:00Z"},
        ),
        Format(
            "anthropic-batch",
            "Anthropic batch requests",
            recognises=batch_api.is_anthropic,
            records=batch_api.anthropic,
            needs={"timestamp": "=2026-03-01T00:00:00Z"},
        ),
    )
}
_PROBED_LINES = 20
_BOM = b"\xef\xbb\xbf"
_BY_SUFFIX = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv", ".tsv": "tsv"}


def read(
    source: Path | BinaryIO,
    *,
    format: str = "auto",
    mapping: Mapping[str, str] | None = None,
    source_name: str = "",
    key: bytes = b"",
    max_line_bytes: int = MAX_LINE_BYTES,
) -> Iterator[Batch]:
    """Batches of events and rejections from a file, `Path("-")` or any open binary stream, in bounded memory.

    `mapping` gives the contract's field the name that it has in the source; `key` keys the ids that are derived.
    """
    _check_name(format)
    mapper = Mapper(mapping or {})
    name = source_name or _name(source)
    with open_source(source, name or "the input") as stream:
        feed = Feed(stream, name, mapper, key, max_line_bytes)
        for number, batch in enumerate(batches(_items(feed, format), feed)):
            if number == 0:
                mapper.check_found(feed.name)
            yield batch


def read_items(
    source: BinaryIO, *, format: str = "jsonl", key: bytes = b"", max_line_bytes: int = MAX_LINE_BYTES
) -> Iterator[Item]:
    """Events and rejections one by one, in the order of the source: for a request that answers item by item."""
    _check_name(format)
    with open_source(source) as stream:
        yield from _items(Feed(stream, "", Mapper({}), key, max_line_bytes), format)


def _items(feed: Feed, name: str) -> Iterator[Item]:
    chosen = FORMATS[name] if name != "auto" else detect(feed)
    for target, example in chosen.needs.items():
        if not feed.mapper.mapping.get(target):
            raise UsageError(
                f"{feed.name or 'the input'} is {chosen.name}: say what {target} is, "
                f"for example --map {target}={example}"
            )
    return chosen.read(feed) if chosen.read else read_json(feed, chosen.records)


def _check_name(name: str) -> None:
    if name != "auto" and name not in FORMATS:
        raise UsageError(f"no format {name!r}; known are auto, {', '.join(FORMATS)}")


def _name(source: Path | BinaryIO) -> str:
    return "" if not isinstance(source, Path) else "standard input" if str(source) == "-" else str(source)


def detect(feed: Feed) -> Format:
    """The format of a stream by magic bytes, then by its first lines, then by the file's name."""
    head = feed.stream.head(_PROBED_LINES).removeprefix(_BOM)
    if head.startswith(b"PAR1"):
        return FORMATS["parquet"]
    objects = list(_objects(head))
    if objects or not head.strip():
        return _json_format(objects)
    cut = columns(head)
    for delimiter, header in cut.items():
        if _is_header(header, feed.mapper):
            return FORMATS["tsv" if delimiter == "\t" else "csv"]
    by_name = _BY_SUFFIX.get(Path(feed.name.removesuffix(".gz").removesuffix(".zst")).suffix.lower())
    if by_name:
        return FORMATS[by_name]
    if head.lstrip()[:1] in (b"{", b"["):
        return FORMATS["jsonl"]
    shown = head.lstrip()[:40].decode("utf-8", "backslashreplace")
    names = ", ".join(FORMATS)
    raise UsageError(
        f"{feed.name or 'the input'} begins with {shown!r}, which is no known format; say which: --format {names}"
    )


def _objects(head: bytes) -> Iterator[Record]:
    """JSON objects among the first lines, or the first element of an array."""
    stream = BytesIO(head)
    array = head.lstrip()[:1] == b"["
    probe = ByteStream(Counted(stream), stream, None)
    for _, data, _, _ in pieces(probe) if not array else split_elements(probe, array=True):
        try:
            record = decode(data)
        except BadEvent:
            continue
        if isinstance(record, dict):
            yield record


def _json_format(objects: list[Record]) -> Format:
    """Native where one of the first objects looks so, else the first shape that knows one of them."""
    for record in objects:
        if "account_id" in record and "timestamp" in record:
            break
        for each in FORMATS.values():
            if each.recognises is not None and each.recognises(record):
                return each
    return FORMATS["jsonl"]


def _is_header(names: list[str], mapper: Mapper) -> bool:
    """Two columns of the contract, or every column that the mapping needs."""
    paths = [path for path in mapper.mapping.values() if path]
    mapped = bool(paths) and all(any(p == n or p.startswith(n + ".") for n in names) for p in paths)
    return len(names) > 1 and (mapped or len(FIELDS.intersection(names)) > 1)
