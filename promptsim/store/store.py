"""`Store`: the nouns of this room on one open home."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from promptsim.store.access import Access
from promptsim.store.audit import Audit
from promptsim.store.backup import Backup
from promptsim.store.check import Check, Problem
from promptsim.store.database import Database, explained, require_sqlite
from promptsim.store.erasure import Erasure
from promptsim.store.events import Events
from promptsim.store.home import prepare
from promptsim.store.migrations import migrate
from promptsim.store.outbox import Outbox
from promptsim.store.reach import Reaches
from promptsim.store.reencoding import Reencoding
from promptsim.store.summaries import Summaries
from promptsim.store.timeline import Timeline
from promptsim.store.verdicts import Verdicts
from promptsim.store.watching import Watching


class Store(
    Events, Timeline, Summaries, Erasure, Verdicts, Check, Backup, Reencoding, Access, Watching, Reaches, Outbox, Audit
):
    """The truth of one home: many readers in many processes beside one writer. Use it as a context manager."""

    @classmethod
    def open(cls, home: Path | str, *, create: bool = True) -> Store:
        """Open a home, or make one; older ones are brought up to date."""
        require_sqlite()
        place = prepare(Path(home), create=create)
        database = Database(place.database)
        try:
            with explained(place.database):
                migrate(database.writer(), place)
                store = cls(place, database)
                store.mend()
        except BaseException:
            database.close()
            raise
        return store

    def mend(self) -> None:
        """Finish what a crash interrupted, make again what is missing and can be."""
        with self.snapshot() as connection:
            sound = self.columns.holds(self._event_count(connection))
        if not sound:
            self.rebuild_columns()
        self.finish_erasure()

    def check(self) -> list[Problem]:
        """Problems of the files, and of the audit log; an empty list when all is well."""
        found = super().check()
        damaged = any(problem.code == "database-damaged" for problem in found)
        return found if damaged else [*found, *self.audit_problems()]

    def close(self) -> None:
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
