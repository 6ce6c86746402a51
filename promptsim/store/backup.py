"""A home in use ─► a copy of one state, itself a home; a copy ─► a home again."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from promptsim.errors import DamagedError, HomeError
from promptsim.store.columns import Columns
from promptsim.store.core import Core
from promptsim.store.database import connect, explained
from promptsim.store.home import DATABASE, Home, prepare
from promptsim.store.vectors import sync_folder

PIECE = 16 * 1024 * 1024


class Backup(Core):
    """Copying while others read and write."""

    def copy_to(self, destination: Path | str) -> None:
        """Copy one state of the home into a new folder; it appears under its name only when it is complete."""
        target = Path(destination)
        if target.exists():
            raise HomeError(f"{target} exists already: name a new folder for the snapshot")
        partial = target.with_name(target.name + ".partial")
        with explained(target):
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            try:
                self._copy(Home(partial))
                sync_folder(partial)
                os.replace(partial, target)
                sync_folder(target.parent)
            finally:
                shutil.rmtree(partial, ignore_errors=True)

    def _copy(self, target: Home) -> None:
        with self.database.streaming() as connection:
            vectors, prompts = self._vectors(connection), self._prompt_count(connection)
            generation, events = self._generation(connection), self._event_count(connection)
            copy = connect(target.database, cache_mib=16)
            try:
                connection.backup(copy)
                copy.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                copy.close()
            if prompts:
                _copy_file(vectors.path, target.vectors(generation), prompts * vectors.row_bytes)
        if events and self.columns.holds(events):
            _copy_file(self.columns.path, target.columns, Columns(target.columns).length(events))


def restore(source: Path | str, home: Path | str) -> None:
    """Make a home from a snapshot; refuses a folder that holds anything, and a snapshot that is not whole.

    The database comes last under its name: an interrupted restore leaves no home that could be used by mistake.
    """
    from promptsim.store.store import Store

    origin = Path(source)
    if not (origin / DATABASE).is_file():
        raise HomeError(f"{origin} is not a snapshot: it has no {DATABASE}")
    if (Path(home) / DATABASE).exists():
        raise HomeError(f"{home} is a home already: restore into a new folder, then rename it")
    target = prepare(Path(home), create=True)
    with explained(target.path):
        for path in sorted(origin.glob("vectors*.f16")) + sorted(origin.glob("events.cols")):
            _copy_file(path, target.path / path.name, path.stat().st_size)
        waiting = target.database.with_name(DATABASE + ".restoring")
        _copy_file(origin / DATABASE, waiting, (origin / DATABASE).stat().st_size)
        os.replace(waiting, target.database)
        sync_folder(target.path)
    with Store.open(target.path, create=False) as store:
        problems = store.check()
    if problems:
        raise DamagedError(f"the snapshot {origin} is damaged ({problems[0].detail}): use another one")


def _copy_file(source: Path, target: Path, length: int) -> None:
    """The first `length` bytes, flushed to the disk."""
    with open(source, "rb") as reader, open(target, "wb") as writer:
        while length > 0 and (piece := reader.read(min(PIECE, length))):
            writer.write(piece)
            length -= len(piece)
        writer.flush()
        os.fsync(writer.fileno())
