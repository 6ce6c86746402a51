"""The store's files ─► what is wrong with them, each with the command that mends it; nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from promptsim.store.columns import FIELDS, GONE
from promptsim.store.core import Core, blocks
from promptsim.store.database import Connection, explained

RESTORE = "restore a snapshot with promptsim restore"
REINDEX = "run promptsim reindex"
MOST = 20  # problems told of one kind; further ones are counted


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and what mends it."""

    code: str
    detail: str
    fix: str

    def __str__(self) -> str:
        return f"{self.detail}: {self.fix}"


class Check(Core):
    """Comparing everything that is recorded twice."""

    def check(self) -> list[Problem]:
        """Problems of the database, the vectors, the columns and the keys; an empty list when all is well."""
        with self.database.streaming() as connection, explained(self.home.database):
            found = list(self._database_problems(connection))
            if not found:
                found += self._vector_problems(connection)
                found += self._column_problems(connection)
                found += self._key_problems(connection)
        return found

    def _database_problems(self, connection: Connection) -> Iterator[Problem]:
        for (line,) in connection.execute(f"PRAGMA integrity_check({MOST})"):
            if line != "ok":
                yield Problem("database-damaged", f"{self.home.database}: {line}", RESTORE)
        for child, parent in (("prompt_no", "prompts"), ("account_no", "accounts")):
            sql = f"SELECT count(*) FROM events WHERE {child} NOT IN (SELECT {child} FROM {parent})"
            lost = connection.execute(sql).fetchone()[0]
            if lost:
                yield Problem("rows-missing", f"{lost} events point at {parent} that are not there", RESTORE)
        count = connection.execute("SELECT count(*) FROM prompts").fetchone()[0]
        if count != self._prompt_count(connection):
            yield Problem("rows-missing", f"{self._prompt_count(connection) - count} prompts are not there", RESTORE)

    def _vector_problems(self, connection: Connection) -> Iterator[Problem]:
        vectors, count = self._vectors(connection), self._prompt_count(connection)
        if vectors.row_bytes and vectors.rows() < count:
            detail = f"{vectors.path} has {vectors.rows()} rows for {count} prompts"
            yield Problem("vectors-missing", detail, f"{REINDEX} with --model to embed them again, or {RESTORE}")
            return
        covered, bad = 0, 0
        for first, prompts, digest in connection.execute("SELECT * FROM batches ORDER BY first_prompt"):
            if first != covered or vectors.digest(first, prompts) != digest:
                bad += 1
                if bad <= MOST:
                    detail = f"{vectors.path}: rows {first} to {first + prompts - 1} are not what was written"
                    yield Problem(
                        "vectors-damaged", detail, f"{REINDEX} with --model to embed them again, or {RESTORE}"
                    )
            covered = first + prompts
        if bad > MOST:
            yield Problem("vectors-damaged", f"{bad - MOST} further batches of vectors are damaged", RESTORE)
        if covered != count:
            yield Problem("vectors-damaged", f"batches cover {covered} of {count} prompts", RESTORE)

    def _column_problems(self, connection: Connection) -> Iterator[Problem]:
        count = self._event_count(connection)
        if not self.columns.holds(count):
            yield Problem("columns-missing", f"{self.home.columns} is too short", REINDEX)
            return
        stored = [self.columns.column(name, count) for name, _ in FIELDS]
        seen, wrong = np.zeros(count, dtype=np.bool_), 0
        sql = "SELECT event_no, account_no, prompt_no, metadata_no, time FROM events ORDER BY event_no"
        for rows in blocks(connection, sql):
            table = np.array(rows, dtype=np.int64)
            seen[table[:, 0]] = True
            differs = [column[table[:, 0]] != table[:, i + 1] for i, column in enumerate(stored)]
            wrong += int(np.logical_or.reduce(differs).sum())
        wrong += int((stored[0][~seen] != GONE).sum())
        if wrong:
            yield Problem(
                "columns-damaged", f"{self.home.columns} differs from the database in {wrong} events", REINDEX
            )

    def _key_problems(self, connection: Connection) -> Iterator[Problem]:
        """Every stored key must lead back to its own number; a duplicate cannot."""
        for kind, finder, source in (
            ("event ids", self._caught_up_events(connection), self._event_source(connection)),
            ("fingerprints", self._caught_up_prompts(connection), self._prompt_source(connection)),
        ):
            count = self._event_count(connection) if kind == "event ids" else self._prompt_count(connection)
            wrong = sum(int((finder.find(keys) != numbers).sum()) for keys, numbers in source(0, count))
            if wrong:
                detail = f"{wrong} {kind} are stored twice or not found"
                yield Problem("keys-damaged", detail, f"delete {self.home.keys}; if that does not help, {RESTORE}")
