"""A Simulation → files: events as JSON lines (gzip by suffix), and the truth in one file or a folder.

The folder has `truth_events.jsonl.gz`, `truth_accounts.jsonl` and `truth_families.jsonl`, the layout that scorers
read. One file (a name that ends in .jsonl or .jsonl.gz) holds the same rows, each with a "type": event, account or
family.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import msgspec

from promptsim.errors import UsageError
from promptsim.simulate.ledger import Row
from promptsim.simulate.traffic import Simulation


def write_events(simulation: Simulation, path: Path) -> None:
    """The events of the contract, one a line."""
    with _opened(path) as out:
        _write(simulation.events, out)


def write_truth(simulation: Simulation, path: Path) -> None:
    """What is planted: into a folder, or into one file where the name ends in .jsonl or .jsonl.gz."""
    if path.name.endswith((".jsonl", ".jsonl.gz")) and not path.is_dir():
        with _opened(path) as out:
            _write(_typed("event", simulation.truth_events), out)
            _write(_typed("account", simulation.truth_accounts), out)
            _write(_typed("family", simulation.truth_families), out)
        return
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"the truth cannot be written to {path}: {error.strerror}") from None
    for name, rows in (
        ("truth_events.jsonl.gz", simulation.truth_events),
        ("truth_accounts.jsonl", simulation.truth_accounts),
        ("truth_families.jsonl", simulation.truth_families),
    ):
        with _opened(path / name) as out:
            _write(rows, out)


def _typed(name: str, rows: Iterable[Row]) -> Iterator[Row]:
    return ({"type": name, **row} for row in rows)


def _write(rows: Iterable[Row], out: IO[bytes]) -> None:
    encode = msgspec.json.Encoder().encode
    for row in rows:
        out.write(encode(row) + b"\n")


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """gzip without a time stamp or a name in it: the same seed gives the same bytes."""
    try:
        with path.open("wb") as raw:
            if path.suffix != ".gz":
                yield raw
                return
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
                yield cast(IO[bytes], packed)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
