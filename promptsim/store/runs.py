"""Clustering runs: their records, and the lease that lets only one go on at a time.

A run holds the lease while it renews it. One whose process died leaves a lease that ends by itself; the next run then
records it as failed.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import replace

from promptsim.errors import BusyError, NotFoundError
from promptsim.records import Run
from promptsim.store import rows
from promptsim.store.core import Core
from promptsim.store.database import Connection, explained

LEASE = "clustering"
LEASE_SECONDS = 60.0
INTERRUPTED = "interrupted: its process ended before the run did"


def now_us() -> int:
    return time.time_ns() // 1000


def new_run_id() -> str:
    return f"r_{secrets.token_hex(8)}"


class Runs(Core):
    """Starting, renewing, ending and reading runs."""

    def start_run(
        self, *, full: bool = False, run_id: str | None = None, seconds: float = LEASE_SECONDS, now: int | None = None
    ) -> Run:
        """Take the lease and record a running run; BusyError while another one holds it.

        Who has to know the run's id even if this call is interrupted gives one: see `new_run_id`.
        """
        now = now_us() if now is None else now
        run = Run(run_id or new_run_id(), "running", now, None, full, {}, {}, {})
        with self.database.writing() as connection:
            held = connection.execute("SELECT owner, expires FROM leases WHERE name = ?", (LEASE,)).fetchone()
            if held is not None and held[1] > now:
                left = (held[1] - now) / 1e6
                raise BusyError(
                    f"a clustering run is under way ({held[0]}): try again when it is done, or in {left:.0f} s"
                )
            connection.execute(
                "UPDATE runs SET state = 'failed', finished = ?, error = ? WHERE state = 'running'", (now, INTERRUPTED)
            )
            connection.execute("REPLACE INTO leases VALUES (?, ?, ?)", (LEASE, run.run_id, now + int(seconds * 1e6)))
            self._put_run(connection, run)
        return run

    def renew_lease(
        self,
        run_id: str,
        *,
        counts: Mapping[str, int] | None = None,
        timings: Mapping[str, float] | None = None,
        seconds: float = LEASE_SECONDS,
        now: int | None = None,
    ) -> None:
        """Hold on for another `seconds`, and record how far the run is; BusyError when the lease was lost."""
        now = now_us() if now is None else now
        with self.database.writing() as connection:
            self._require_lease(connection, run_id)
            connection.execute("UPDATE leases SET expires = ? WHERE name = ?", (now + int(seconds * 1e6), LEASE))
            if counts is not None or timings is not None:
                run = self._run(connection, run_id)
                self._put_run(connection, replace(run, counts=counts or run.counts, seconds=timings or run.seconds))

    def fail_run(self, run_id: str, error: str, *, now: int | None = None) -> None:
        """Record that a run failed and give its lease back; the result of the run before stays."""
        now = now_us() if now is None else now
        with self.database.writing() as connection:
            connection.execute("DELETE FROM leases WHERE name = ? AND owner = ?", (LEASE, run_id))
            sql = "UPDATE runs SET state = 'failed', finished = ?, error = ? WHERE run_id = ? AND state = 'running'"
            connection.execute(sql, (now, error, run_id))

    def run(self, run_id: str) -> Run:
        """One run; NotFoundError if there is none of this id."""
        return self._run(self.database.reader(), run_id)

    def runs(self, limit: int = 100, offset: int = 0) -> list[Run]:
        """Runs, the newest first."""
        sql = f"SELECT {rows.RUN_COLUMNS} FROM runs ORDER BY started DESC, run_id LIMIT ? OFFSET ?"
        with explained(self.home.database):
            return [rows.run_from_row(row) for row in self.database.reader().execute(sql, (limit, offset))]

    def last_run(self) -> Run | None:
        """The newest finished run."""
        sql = f"SELECT {rows.RUN_COLUMNS} FROM runs WHERE state = 'finished' ORDER BY finished DESC, run_id LIMIT 1"
        with explained(self.home.database):
            row = self.database.reader().execute(sql).fetchone()
        return None if row is None else rows.run_from_row(row)

    # ---------------------------------------------------------------- inside
    def _run(self, connection: Connection, run_id: str) -> Run:
        with explained(self.home.database):
            row = connection.execute(f"SELECT {rows.RUN_COLUMNS} FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        if row is None:
            raise NotFoundError(f"no run has the id {run_id!r}")
        return rows.run_from_row(row)

    def _put_run(self, connection: Connection, run: Run) -> None:
        sql = f"REPLACE INTO runs ({rows.RUN_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        connection.execute(sql, rows.run_to_row(run))

    def _require_lease(self, connection: Connection, run_id: str) -> None:
        held = connection.execute("SELECT owner FROM leases WHERE name = ?", (LEASE,)).fetchone()
        if held is None or held[0] != run_id:
            raise BusyError(f"run {run_id} has lost its lease to another run: its result is not stored")

    def _end_lease(self, connection: Connection, run_id: str) -> None:
        self._require_lease(connection, run_id)
        connection.execute("DELETE FROM leases WHERE name = ?", (LEASE,))
