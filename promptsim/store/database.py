"""A file ─► connections: one for writing, one for reading in each thread; transactions and errors made plain.

Under everything else in this room. WAL mode: readers never wait for the writer nor it for them; a second writer waits.
`synchronous=FULL`: a commit returns when the log is on the disk, so that what was acknowledged survives a power cut
too; with some thousand events a transaction the one flush is lost in the noise.
"""

from __future__ import annotations

import errno
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlite_utils.utils import sqlite3

from promptsim.errors import BusyError, DamagedError, HomeError, PromptsimError, StorageFullError

Connection = Any  # sqlite3.Connection of whichever SQLite is bundled: untyped at this edge, and only here
REQUIRED = (3, 51, 3)  # older ones can corrupt a WAL database that two connections use
PAGE_SIZE = 8192
CHECKPOINT_PAGES = 8192  # 64 MiB of log between checkpoints: fewer flushes, and still a fast recovery
BUSY_SECONDS = 120.0
_FULL = {"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_TRUNCATE"}


def require_sqlite() -> None:
    """Refuse an SQLite with the WAL corruption bug, and say which package brings a sound one."""
    if tuple(sqlite3.sqlite_version_info) < REQUIRED:
        need = ".".join(map(str, REQUIRED))
        raise HomeError(f"SQLite {sqlite3.sqlite_version} is too old: {need} is needed; run pip install pysqlite3")


@contextmanager
def explained(what: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the file system into the package's own."""
    try:
        yield
    except sqlite3.Error as error:
        raise _explanation(error, what) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFullError(
                f"no space left for {what}: free some and try again; nothing acknowledged is lost"
            ) from error
        raise


def _explanation(error: Exception, what: Path) -> Exception:
    name = str(getattr(error, "sqlite_errorname", ""))
    if name in _FULL:
        return StorageFullError(f"no space left for {what}: free some and try again; nothing acknowledged is lost")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return BusyError(f"another process is writing to {what}: try again when it is done")
    if name.startswith("SQLITE_NOTADB"):
        return HomeError(f"{what} is not a database of promptsim: choose another folder with --home")
    if name.startswith("SQLITE_CORRUPT"):
        return DamagedError(f"{what} is damaged ({error}): restore a snapshot with promptsim restore")
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return HomeError(f"{what} cannot be written: mend its permissions, or choose another folder with --home")
    return error


def connect(path: Path, *, cache_mib: int) -> Connection:
    """A connection with this package's settings; transactions are begun and ended by hand."""
    connection = sqlite3.connect(str(path), timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")  # takes effect while the file is new
    _use_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {2 * CHECKPOINT_PAGES * PAGE_SIZE}")
    connection.execute(f"PRAGMA cache_size = {-1024 * cache_mib}")
    connection.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten: erasure must leave nothing
    connection.execute("PRAGMA recursive_triggers = ON")  # INSERT OR REPLACE must not slip past append-only triggers
    connection.execute("PRAGMA foreign_keys = OFF")
    return connection


def _use_wal(connection: Connection) -> None:
    """Switching a new file to WAL needs it alone and does not wait by itself: of two first starts one tries again."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if not str(getattr(error, "sqlite_errorname", "")).startswith("SQLITE_BUSY") or time.monotonic() > deadline:
                raise
        time.sleep(0.01)


class _Reader:
    """A thread's own connection, closed when the thread ends: web servers start and end threads all the time."""

    def __init__(self, path: Path) -> None:
        self.connection = connect(path, cache_mib=16)
        self.connection.execute("PRAGMA query_only = ON")

    def close(self) -> None:
        """Close it once, whoever comes first: the thread that ends, or the database that is closed meanwhile."""
        connection: Connection | None = vars(self).pop("connection", None)  # in one step, unlike a look and a close
        if connection is not None:
            connection.close()

    def __del__(self) -> None:
        with suppress(sqlite3.Error):
            self.close()


class Database:
    """Connections to one file: `reader()` is the calling thread's own, `writing()` holds the single writer."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._readers: weakref.WeakSet[_Reader] = weakref.WeakSet()  # held by their threads
        self._guard = threading.Lock()
        self._write_lock = threading.RLock()
        self._writer: Connection | None = None
        self._closed = False

    def reader(self) -> Connection:
        """The calling thread's connection for reading, inside its snapshot if it has one open."""
        reader: _Reader | None = getattr(self._local, "reader", None)
        if reader is None:
            self._require_open()
            with explained(self.path):
                reader = _Reader(self.path)
            self._local.reader = reader
            self._local.depth = 0
            with self._guard:
                self._readers.add(reader)
        return reader.connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """One unchanging state for everything that this thread reads inside; may be nested."""
        connection = self.reader()
        if self._local.depth == 0:
            with explained(self.path):
                connection.execute("BEGIN")
                connection.execute("SELECT 1 FROM meta LIMIT 1").fetchone()  # the state is taken at the first read
        self._local.depth += 1
        try:
            yield connection
        finally:
            self._local.depth -= 1
            if self._local.depth == 0 and connection.in_transaction:
                connection.execute("ROLLBACK")

    @contextmanager
    def streaming(self) -> Iterator[Connection]:
        """One state for a generator that may be left half-way: the open snapshot, else a connection of its own."""
        if self.reader() and self._local.depth:
            with self.snapshot() as connection:
                yield connection
            return
        with explained(self.path):
            connection = connect(self.path, cache_mib=4)
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def writing(self, *, counted: bool = True) -> Iterator[Connection]:
        """One durable transaction: all of it or nothing. A second writer, here or in another process, waits.

        Not `counted`: what changes is nobody's content (the audit log, deliveries), so that no index looks again.
        """
        with self._write_lock, explained(self.path):
            connection = self.writer()
            connection.execute("BEGIN IMMEDIATE")
            try:
                before = connection.total_changes
                yield connection
                if counted and connection.total_changes != before:
                    connection.execute("UPDATE meta SET value = value + 1 WHERE key = 'version'")
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def empty_log(self, seconds: float = 5.0) -> bool:
        """Move the log into the database and truncate it; False if a reader of an older state still needs it."""
        with self._write_lock, explained(self.path):
            connection = self.writer()
            connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
            try:
                busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
        return not busy

    def writer(self) -> Connection:
        if self._writer is None:
            self._require_open()
            self._writer = connect(self.path, cache_mib=64)
        return self._writer

    def close(self) -> None:
        with self._guard, self._write_lock:
            self._closed = True
            for reader in tuple(self._readers):
                reader.close()
            if self._writer is not None:
                self._writer.close()
            self._readers.clear()
            self._writer = None
            self._local = threading.local()

    def _require_open(self) -> None:
        if self._closed:
            raise PromptsimError(f"{self.path} was closed")
