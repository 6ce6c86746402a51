"""Results → JSON Lines, CSV or Parquet with the columns of the contract, streamed; OCSF and STIX for other systems."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import orjson

from promptsim import contract
from promptsim.contract import Row
from promptsim.enforcement.ocsf import family_finding, network_finding
from promptsim.enforcement.stix import bundle
from promptsim.engine import Engine
from promptsim.errors import UsageError
from promptsim.records import Network
from promptsim.review import held_accounts

Rows = Iterable[Row]


def _members(engine: Engine, flagged: bool) -> Rows:
    held = held_accounts(engine) if flagged else {}
    return (contract.member_row(m) for m in engine.member_events(flagged=flagged) if m.account_id not in held)


def _networks(engine: Engine, flagged: bool) -> Rows:
    held = held_accounts(engine) if flagged else {}
    return (contract.network_row(_without(network, held)) for network in engine.networks(flagged=flagged))


def _accounts(engine: Engine, flagged: bool) -> Rows:
    held = held_accounts(engine) if flagged else {}
    return (contract.account_row(a) for a in engine.accounts(flagged=flagged) if a.account_id not in held)


def _without(network: Network, held: Container[str]) -> Network:
    """The network without the accounts that a person has to look at first."""
    left = tuple(account for account in network.account_ids if account not in held)
    strengths = {account: value for account, value in network.membership.items() if account not in held}
    return replace(network, account_ids=left, membership=strengths)


# What is flagged is exported for someone to act on: there, an account that may be a victim waits for a person.
KINDS: dict[str, tuple[tuple[str, ...], Callable[[Engine, bool], Rows]]] = {
    "members": (contract.MEMBER_COLUMNS, _members),
    "families": (contract.FAMILY_COLUMNS, lambda e, flagged: map(contract.family_row, e.families(flagged=flagged))),
    "networks": (contract.NETWORK_COLUMNS, _networks),
    "accounts": (contract.ACCOUNT_COLUMNS, _accounts),
    "verdicts": (contract.VERDICT_COLUMNS, lambda e, flagged: map(contract.verdict_row, e.verdicts())),  # noqa: ARG005
}
SECURITY_FORMATS = {"ocsf": ("families", "networks"), "stix": ("families",)}
FORMATS = ("jsonl", "csv", "parquet")
PARQUET_BLOCK = 50_000
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run a cell that begins so


def write_export(engine: Engine, what: str, *, format: str, out: Path | None, flagged: bool = False) -> int:
    """Write all rows of one kind to a file or standard output; returns how many."""
    pieces = exported(engine, what, format, flagged=flagged)
    with _target(out) as target:
        return sum(_counted(pieces, target))


def exported(engine: Engine, what: str, format: str, *, flagged: bool) -> Iterator[tuple[int, bytes]]:
    """(rows, bytes) pieces of an export in any format; UsageError where there is no such one."""
    if what not in KINDS:
        raise UsageError(f"export {what!r}: choose one of {', '.join(KINDS)}")
    if format in SECURITY_FORMATS:
        if what not in SECURITY_FORMATS[format]:
            raise UsageError(f"the format {format} is for {' and '.join(SECURITY_FORMATS[format])}, not for {what}")
        return security_chunks(engine, what, format, flagged=flagged)
    if format not in FORMATS:
        raise UsageError(f"--format {format!r}: choose one of {', '.join((*FORMATS, *SECURITY_FORMATS))}")
    columns, rows = KINDS[what]
    return chunks(columns, rows(engine, flagged), format)


def security_chunks(engine: Engine, what: str, format: str, *, flagged: bool) -> Iterator[tuple[int, bytes]]:
    """OCSF findings line by line, or one STIX bundle (of what is flagged, always: it is for peers)."""
    if format == "stix":
        chosen = engine.families(flagged=True)
        yield len(chosen), bundle(chosen).encode() + b"\n"
        return
    if what == "families":
        findings: Rows = map(family_finding, engine.families(flagged=flagged))
    else:
        held = tuple(held_accounts(engine))
        findings = (network_finding(network, held) for network in engine.networks(flagged=flagged))
    yield from ((1, orjson.dumps(found, option=orjson.OPT_APPEND_NEWLINE)) for found in findings)


def chunks(columns: Sequence[str], rows: Rows, format: str) -> Iterator[tuple[int, bytes]]:
    """(rows, bytes) pieces of an export, in order, never the whole of it."""
    if format == "jsonl":
        named = ({column: row[column] for column in columns} for row in rows)
        return ((1, orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)) for row in named)
    return _csv(columns, rows) if format == "csv" else _parquet(columns, rows)


def _counted(pieces: Iterable[tuple[int, bytes]], target: BinaryIO) -> Iterator[int]:
    for count, data in pieces:
        target.write(data)
        yield count


@contextmanager
def _target(out: Path | None) -> Iterator[BinaryIO]:
    """Standard output, or a file that appears whole or not at all."""
    if out is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    part = out.with_name(out.name + ".part")
    try:
        with part.open("wb") as handle:
            yield handle
    except OSError as error:
        raise UsageError(f"{out}: cannot be written: {error.strerror}") from None
    part.replace(out)


def _csv(columns: Sequence[str], rows: Rows) -> Iterator[tuple[int, bytes]]:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(columns)
    yield 0, _drain(buffer)
    for row in rows:
        writer.writerow([_cell(row[column]) for column in columns])
        yield 1, _drain(buffer)


def _drain(buffer: io.StringIO) -> bytes:
    data = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return data


def _cell(value: object) -> object:
    """One CSV cell: nested values as JSON, and text that a spreadsheet would run made inert."""
    if isinstance(value, (list, dict)):
        value = orjson.dumps(value).decode()
    if isinstance(value, str) and value.startswith(FORMULA):
        return "'" + value
    return value


class _Outgoing(io.RawIOBase):
    """A file that forgets what was taken from it: the Parquet writer only appends and asks for its position."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self._pieces.append(piece)
        self._position += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._position

    def take(self) -> bytes:
        """All bytes written since the last call."""
        taken, self._pieces = b"".join(self._pieces), []
        return taken


def _parquet(columns: Sequence[str], rows: Rows) -> Iterator[tuple[int, bytes]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(column, _arrow_type(column)) for column in columns])
    sink = _Outgoing()
    stream = iter(rows)
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        while block := list(islice(stream, PARQUET_BLOCK)):
            flat = [{column: _plain(row[column], column) for column in columns} for row in block]
            writer.write_table(pa.Table.from_pylist(flat, schema=schema))
            yield len(block), sink.take()
    yield 0, sink.take()


def _arrow_type(column: str) -> object:
    import pyarrow as pa

    if column in {"event_count", "prompt_count", "account_count"}:
        return pa.int64()
    if column in {"score", "p_value"}:
        return pa.float64()
    if column == "flagged":
        return pa.bool_()
    if column in {"account_ids", "family_ids", "network_ids"}:
        return pa.list_(pa.string())
    return pa.string()


def _plain(value: object, column: str) -> object:
    if column in {"slots", "wordings", "evidence", "lineage"}:
        return orjson.dumps(value).decode()
    return value
