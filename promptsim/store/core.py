"""What every noun of the store stands on: the open database, the flat files, the finders of keys, and `meta`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from promptsim.errors import EncoderMismatchError
from promptsim.store.columns import GONE, Columns, Rows
from promptsim.store.database import Connection, Database, explained
from promptsim.store.home import Home
from promptsim.store.keys import KEY_BYTES, KeyFinder, Pairs, Source
from promptsim.store.owners import Owners
from promptsim.store.vectors import Vectors, sync_folder

FETCH = 16_384
CHUNK = 10_000  # values asked for in one statement
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Counts:
    """How much a home holds; `prompts` counts rows of `vectors()`, the erased ones among them."""

    events: int
    prompts: int
    accounts: int
    erased_prompts: int
    families: int
    networks: int
    runs: int
    verdicts: int


@dataclass(frozen=True, slots=True)
class EncoderIdentity:
    """What made the stored vectors, and which form of the text it was given."""

    name: str
    digest: str
    dimension: int
    text_version: str = ""


class Core:
    """Base of the store's nouns: opened once, then used by all of them."""

    def __init__(self, home: Home, database: Database) -> None:
        self.home = home
        self.database = database
        self.key = bytes(self._meta(database.writer(), "key"))
        self.columns = Columns(home.columns)
        self.owners = Owners(self.columns)
        self._event_finder = KeyFinder(home.keys, "events")
        self._prompt_finder = KeyFinder(home.keys, "prompts")
        self._expected: EncoderIdentity | None = None
        self._metadata_cache: dict[str, int] = {}
        self._metadata_epoch = -1

    # ---------------------------------------------------------------- states
    def snapshot(self) -> AbstractContextManager[Connection]:
        """One unchanging state for all that this thread reads inside the `with` block."""
        return self.database.snapshot()

    def version(self) -> int:
        """A number that grows with every commit of any process that changes content: equal numbers, equal content."""
        return int(self._meta(self.database.reader(), "version"))

    # ---------------------------------------------------------------- meta
    def _meta(self, connection: Connection, key: str) -> Any:
        row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def encoder(self) -> EncoderIdentity | None:
        """The encoder of the stored vectors; None while nothing has been stored."""
        return self._encoder(self.database.reader())

    def _encoder(self, connection: Connection) -> EncoderIdentity | None:
        name = self._meta(connection, "encoder_name")
        if name is None:
            return None
        digest, dimension, text = (self._meta(connection, f"encoder_{k}") for k in ("digest", "dimension", "text"))
        return EncoderIdentity(str(name), str(digest), int(dimension), str(text))

    def use_encoder(self, encoder: EncoderIdentity) -> None:
        """Bind the home to an encoder; refuse another one than that of the vectors it has."""
        self._expected = encoder
        if self.encoder() == encoder:
            return
        with self.database.writing() as connection:
            known = self._encoder(connection)
            if known is not None and self._prompt_count(connection):
                self._require_expected(known)
            self._put_encoder(connection, encoder)

    def _require_expected(self, known: EncoderIdentity | None) -> None:
        """Refuse to mix vectors: another process may have changed the home's encoder since this one was opened."""
        mine = self._expected
        if known is not None and mine is not None and known != mine:
            raise EncoderMismatchError(
                f"the vectors of {self.home.path} were made by {known.name} ({known.digest[:12]}, {known.dimension}"
                f" dimensions), not by {mine.name} ({mine.digest[:12]}, {mine.dimension}):"
                " use that model with --model, or run promptsim reindex with the new one"
            )

    def _put_encoder(self, connection: Connection, encoder: EncoderIdentity) -> None:
        fields = (encoder.name, encoder.digest, encoder.dimension, encoder.text_version)
        rows = zip(("name", "digest", "dimension", "text"), fields, strict=True)
        connection.executemany("REPLACE INTO meta VALUES ('encoder_' || ?, ?)", rows)

    # ---------------------------------------------------------------- counts
    def _prompt_count(self, connection: Connection) -> int:
        return int(connection.execute("SELECT ifnull(max(prompt_no) + 1, 0) FROM prompts").fetchone()[0])

    def _event_count(self, connection: Connection) -> int:
        """One more than the greatest event number ever given; numbers of events taken away are not given again."""
        last = connection.execute("SELECT ifnull(max(event_no) + 1, 0) FROM events").fetchone()[0]
        return max(int(last), int(self._meta(connection, "events_floor") or 0))

    def counts(self) -> Counts:
        """How much there is of everything."""
        tables = ("accounts WHERE account_id NOT NULL", "erased_prompts", "families", "networks", "runs", "verdicts")
        with self.snapshot() as connection, explained(self.home.database):
            some = [int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]) for table in tables]
            gone = int(self._meta(connection, "events_gone") or 0)
            events, prompts = self._event_count(connection) - gone, self._prompt_count(connection)
        return Counts(events, prompts, *some)

    # ---------------------------------------------------------------- keys
    def _event_key(self, event_id: str) -> bytes:
        return hashlib.blake2b(event_id.encode(), digest_size=KEY_BYTES, key=self.key).digest()

    def _event_source(self, connection: Connection) -> Source:
        def source(first: int, last: int) -> Iterator[Pairs]:
            sql = "SELECT event_no, event_id FROM events WHERE event_no >= ? AND event_no < ?"
            for rows in blocks(connection, sql, (first, last)):
                yield [self._event_key(row[1]) for row in rows], [row[0] for row in rows]

        return source

    def _prompt_source(self, connection: Connection) -> Source:
        def source(first: int, last: int) -> Iterator[Pairs]:
            sql = "SELECT prompt_no, fingerprint FROM prompts WHERE prompt_no >= ? AND prompt_no < ?"
            for rows in blocks(connection, sql + " AND fingerprint NOT NULL", (first, last)):
                yield [row[1] for row in rows], [row[0] for row in rows]

        return source

    def _caught_up_events(self, connection: Connection) -> KeyFinder:
        """The finder of event ids, as new as what `connection` sees."""
        count = self._event_count(connection)
        self._event_finder.catch_up(self._epoch(connection), count, self._event_source(connection))
        return self._event_finder

    def _caught_up_prompts(self, connection: Connection) -> KeyFinder:
        """The finder of fingerprints, as new as what `connection` sees."""
        count = self._prompt_count(connection)
        self._prompt_finder.catch_up(self._epoch(connection), count, self._prompt_source(connection))
        return self._prompt_finder

    def _epoch(self, connection: Connection) -> int:
        return int(self._meta(connection, "epoch"))

    # ---------------------------------------------------------------- files
    def _vectors(self, connection: Connection) -> Vectors:
        encoder = self._encoder(connection)
        return Vectors(self.home.vectors(self._generation(connection)), encoder.dimension if encoder else 0)

    def _generation(self, connection: Connection) -> int:
        return int(self._meta(connection, "vectors_generation") or 1)

    def _clear_vectors(self, connection: Connection) -> None:
        """Make the vectors of erased prompts zeros, and note the new digests of their batches."""
        gone = np.array(connection.execute("SELECT prompt_no FROM erased_prompts").fetchall(), np.int64).ravel()
        vectors = self._vectors(connection)
        vectors.clear(gone)
        for first, count in connection.execute("SELECT first_prompt, prompts FROM batches").fetchall():
            low, high = np.searchsorted(gone, (first, first + count))
            if high > low:
                digest = vectors.digest(first, count)
                connection.execute("UPDATE batches SET digest = ? WHERE first_prompt = ?", (digest, first))

    def rebuild_columns(self) -> None:
        """Write `events.cols` again from the database."""
        with self.database.writing() as connection:
            self._rebuild_columns(connection)

    def _rebuild_columns(self, connection: Connection) -> None:
        partial = Columns(self.home.columns.with_suffix(".partial"))
        partial.path.unlink(missing_ok=True)
        sql = "SELECT event_no, account_no, prompt_no, metadata_no, time FROM events ORDER BY event_no"
        first = 0
        for rows in blocks(connection, sql):
            table = np.array(rows, dtype=np.int64)
            last = int(table[-1, 0]) + 1
            full = np.zeros((last - first, 5), dtype=np.int64)
            full[:, 1] = GONE
            full[table[:, 0] - first] = table
            account, prompt, metadata = (full[:, i].astype(np.int32) for i in (1, 2, 3))
            partial.write(first, Rows(account, prompt, metadata, full[:, 4]))
            first = last
        count = self._event_count(connection)
        if first < count:
            zeros = np.zeros(count - first, dtype=np.int32)
            partial.write(first, Rows(zeros + GONE, zeros, zeros, zeros.astype(np.int64)))
        if count:
            os.replace(partial.path, self.home.columns)
        else:
            self.home.columns.unlink(missing_ok=True)
        sync_folder(self.home.path)


def blocks(connection: Connection, sql: str, parameters: tuple[object, ...] = ()) -> Iterator[list[Any]]:
    """The rows of a query, some thousand at a time."""
    cursor = connection.execute(sql, parameters)
    while rows := cursor.fetchmany(FETCH):
        yield rows


def chunks(values: Sequence[T]) -> Iterator[tuple[str, tuple[T, ...]]]:
    """Values some thousand at a time, with the question marks for them."""
    for start in range(0, len(values), CHUNK):
        some = tuple(values[start : start + CHUNK])
        yield ",".join("?" * len(some)), some
