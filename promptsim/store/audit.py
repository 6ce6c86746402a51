"""Who did what, and who read prompt text ─► one chain of entries, each sealed with the one before; the head is signed.

An entry's digest covers its number, its content and the digest of the entry before it, keyed with the home's secret:
what is edited, deleted or moved no longer fits at its place, and what is cut off at the end is missed by the head.
Account ids stand in it only as keyed hashes, and prompt text never: erasure has nothing to take away here.
"""

from __future__ import annotations

import hashlib
import hmac
import time as clock
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import orjson

from promptsim.store.check import Problem
from promptsim.store.core import Core, blocks
from promptsim.store.database import Connection, explained

START = b"\0" * 32
MOST_PROBLEMS = 20
FIX = "someone changed the log: compare it with a snapshot or with a head noted elsewhere (promptsim audit --head)"
_COLUMNS = "entry_no, time, actor, action, subject, detail, digest"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the log. `detail` holds figures and ids, never prompt text."""

    actor: str
    action: str
    subject: str = ""
    detail: Mapping[str, object] = field(default_factory=dict)
    time: int = 0
    entry_no: int = 0


@dataclass(frozen=True, slots=True)
class AuditHead:
    """The end of the chain: how many entries, the digest of the last, and the home's signature of both."""

    entries: int
    digest: str
    signature: str

    def __str__(self) -> str:
        return f"{self.entries}:{self.digest}:{self.signature}"


def append_audit(connection: Connection, entries: Iterable[AuditEntry]) -> None:
    """Add entries inside a transaction that is being written: they are kept with what they tell of, or not at all."""
    key = _key(connection)
    head = _head(connection)
    number, digest = (0, START) if head is None else (head.entries, bytes.fromhex(head.digest))
    for entry in entries:
        number += 1
        when = entry.time or clock.time_ns() // 1000
        row = (number, when, entry.actor, entry.action, entry.subject, _text(entry.detail))
        digest = _sealed(key, digest, row)
        connection.execute(f"INSERT INTO audit ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, digest))
    if digest != START:
        new = AuditHead(number, digest.hex(), _signature(key, number, digest))
        connection.execute("REPLACE INTO meta VALUES ('audit_head', ?)", (str(new),))


class Audit(Core):
    """Writing, reading and checking the log."""

    def add_audit(self, entries: Iterable[AuditEntry]) -> None:
        """Record entries durably, in a transaction of their own."""
        kept = list(entries)
        if kept:
            with self.database.writing(counted=False) as connection:
                append_audit(connection, kept)

    def audit(self, *, limit: int = 100, before: int | None = None, subject: str | None = None) -> list[AuditEntry]:
        """Entries, the newest first; those before entry number `before`."""
        sql = f"SELECT {_COLUMNS} FROM audit WHERE entry_no < ?"
        parameters: list[object] = [2**62 if before is None else before]
        if subject is not None:
            sql, parameters = sql + " AND subject = ?", [*parameters, subject]
        with explained(self.home.database):
            rows = self.database.reader().execute(sql + " ORDER BY entry_no DESC LIMIT ?", (*parameters, limit))
            return [AuditEntry(r[2], r[3], r[4], orjson.loads(r[5]), r[1], r[0]) for r in rows]

    def audit_head(self) -> AuditHead | None:
        """What to note elsewhere, so that a log that was cut back and signed again is found out too."""
        return _head(self.database.reader())

    def audit_problems(self, noted: str | None = None) -> list[Problem]:
        """What was edited, deleted, moved or cut off, and where; `noted` is a head that was kept outside."""
        with self.database.streaming() as connection, explained(self.home.database):
            found = list(_chain_problems(connection))
            if noted is not None:
                found += _noted_problems(connection, noted)
        return found[:MOST_PROBLEMS]

    def pseudonym(self, account_id: str) -> str:
        """An account's name in the log: the same for the same account, of no use without the home's secret."""
        return (
            "a_" + hashlib.blake2b(account_id.encode(), digest_size=8, key=self.key, person=b"audit-name").hexdigest()
        )


def _chain_problems(connection: Connection) -> Iterator[Problem]:
    key, head = _key(connection), _head(connection)
    expected, before = 1, START
    for rows in blocks(connection, f"SELECT {_COLUMNS} FROM audit ORDER BY entry_no"):
        for row in rows:
            number, digest = int(row[0]), bytes(row[6])
            if number != expected:
                yield _problem("deleted", f"audit entries {expected} to {number - 1} are missing")
                before = b""  # what stood before this one is unknown: its own seal cannot be tested
            if before and not hmac.compare_digest(_sealed(key, before, row[:6]), digest):
                yield _problem("changed", f"audit entry {number} is not what was written there")
            expected, before = number + 1, digest
    yield from _head_problems(key, head, expected - 1, before)


def _head_problems(key: bytes, head: AuditHead | None, entries: int, last: bytes) -> Iterator[Problem]:
    if head is None:
        if entries:
            yield _problem("head", "the signed head of the audit log is missing")
        return
    digest = bytes.fromhex(head.digest)
    if not hmac.compare_digest(_signature(key, head.entries, digest), head.signature):
        yield _problem("head", "the signature of the audit log's head is not this home's")
    elif entries < head.entries:
        yield _problem("truncated", f"audit entries {entries + 1} to {head.entries} are cut off at the end")
    elif entries > head.entries:
        yield _problem("added", f"audit entries {head.entries + 1} to {entries} were never signed")
    elif digest != last:
        yield _problem("changed", f"audit entry {entries} is not the one that was signed")


def _noted_problems(connection: Connection, noted: str) -> list[Problem]:
    """Whether a head from outside is an entry of this chain, as it was then."""
    head = _parsed(noted)
    if head is None or head.signature != _signature(_key(connection), head.entries, bytes.fromhex(head.digest)):
        return [_problem("head", "the noted head was not signed by this home")]
    row = connection.execute("SELECT digest FROM audit WHERE entry_no = ?", (head.entries,)).fetchone()
    if row is None:
        return [_problem("truncated", f"the log once had {head.entries} entries; entry {head.entries} is gone")]
    if bytes(row[0]).hex() != head.digest:
        return [_problem("changed", f"entry {head.entries} or one before it was replaced since the head was noted")]
    return []


def _problem(kind: str, detail: str) -> Problem:
    return Problem(f"audit-{kind}", detail, FIX)


def _key(connection: Connection) -> bytes:
    secret = connection.execute("SELECT value FROM meta WHERE key = 'key'").fetchone()[0]
    return hashlib.blake2b(b"", digest_size=32, key=bytes(secret), person=b"audit-chain").digest()


def _sealed(key: bytes, before: bytes, row: tuple[object, ...]) -> bytes:
    return hashlib.blake2b(before + orjson.dumps(list(row)), digest_size=32, key=key).digest()


def _signature(key: bytes, entries: int, digest: bytes) -> str:
    text = b"%d:" % entries + digest
    return hashlib.blake2b(text, digest_size=32, key=key, person=b"audit-head").hexdigest()


def _head(connection: Connection) -> AuditHead | None:
    row = connection.execute("SELECT value FROM meta WHERE key = 'audit_head'").fetchone()
    return None if row is None else _parsed(row[0])


def _parsed(text: str) -> AuditHead | None:
    parts = text.split(":")
    try:
        bytes.fromhex(parts[1])
        return AuditHead(int(parts[0]), parts[1], parts[2])
    except (IndexError, ValueError):
        return None


def _text(detail: Mapping[str, object]) -> str:
    return orjson.dumps(dict(detail), option=orjson.OPT_SORT_KEYS).decode()
