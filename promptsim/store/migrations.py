"""An older database ─► this release's: numbered steps, each committed with the record that it was taken.

Runs when a home is opened. A step that has been released is never edited; a further one is added below it.
"""

from __future__ import annotations

import secrets
from typing import Any

from sqlite_utils import Database as SqliteUtilsDatabase
from sqlite_utils.migrations import Migrations

from promptsim.errors import HomeError
from promptsim.store.database import Connection
from promptsim.store.home import Home
from promptsim.store.schema import ACCESS, ENFORCEMENT, EVENTS, FINDINGS, REVIEW, WORTH

SET_NAME = "promptsim"
migrations = Migrations(SET_NAME)


def _first(db: Any) -> None:
    for statement in _statements(EVENTS + FINDINGS + REVIEW):
        db.execute(statement)
    # `key` is the home's secret: fingerprints and event keys cannot be made, or tried out, without it.
    # `version` counts commits, `epoch` those that took something away (which caches of keys must notice).
    rows = [("key", secrets.token_bytes(32)), ("version", 0), ("epoch", 0)]
    for row in rows:
        db.execute("INSERT INTO meta (key, value) VALUES (?, ?)", row)


migrations(name="0001-events-findings-review")(_first)


def _access(db: Any) -> None:
    for statement in _statements(ACCESS):
        db.execute(statement)


migrations(name="0002-access-keys")(_access)


def _enforcement(db: Any) -> None:
    for statement in _statements(ENFORCEMENT):
        db.execute(statement)


migrations(name="0003-enforcement")(_enforcement)


def _worth(db: Any) -> None:
    for statement in _statements(WORTH):
        db.execute(statement)


migrations(name="0004-worth-of-skeletons")(_worth)


def _statements(script: str) -> list[str]:
    """A script's statements, one by one: run as a whole it would end the migration's transaction."""
    statements, current = [], ""
    for line in script.splitlines():
        current += line.split("--")[0] + "\n"
        inside_trigger = "CREATE TRIGGER" in current and "END;" not in current
        if current.rstrip().endswith(";") and not inside_trigger:
            statements.append(current.strip())
            current = ""
    return statements


def migrate(connection: Connection, home: Home) -> None:
    """Bring the database up to date; refuse one that a newer release has changed."""
    db = SqliteUtilsDatabase(connection, execute_plugins=False)
    known = {migration.name for migration in migrations._migrations}
    connection.execute("BEGIN")  # one state for both questions: another process may be making this home right now
    applied = {migration.name for migration in migrations.applied(db)}
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    connection.execute("ROLLBACK")
    newer = sorted(applied - known)
    if newer:
        raise HomeError(
            f"{home.path} was written by a newer promptsim ({newer[-1]}): upgrade with pip install -U promptsim"
        )
    if tables and not applied:
        raise HomeError(f"{home.database} is another program's database: choose another folder with --home")
    if known - applied:
        _apply(connection, db)


def _apply(connection: Connection, db: Any) -> None:
    """All steps in one transaction. Of two first starts at once the second waits here and finds nothing to do."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        migrations.apply(db)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
