"""Verdicts: a person's word on a family, network or account; only ever added, an undo is a further verdict.

A verdict goes with what continues its family: `standing` follows the lineage of every run since.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from promptsim.errors import UsageError
from promptsim.records import Family, Verdict
from promptsim.store import rows
from promptsim.store.audit import AuditEntry, append_audit
from promptsim.store.core import Core
from promptsim.store.database import Connection, explained
from promptsim.store.outbox import Message, post

TWO_PERSONS = 100  # accounts from which on a verdict needs a second person
_TABLES = {"family": "families", "network": "networks"}


class Verdicts(Core):
    """Adding and reading verdicts."""

    def add_verdict(self, verdict: Verdict) -> None:
        """Record a verdict for good; it needs a reason and a name."""
        self.add_verdicts([verdict])

    def add_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Record verdicts that were given at once, with their messages and audit entries: all of them or none."""
        for verdict in verdicts:
            if not verdict.reason.strip() or not verdict.by.strip():
                raise UsageError("a verdict needs a reason and the name of the person who gives it")
        with self.database.writing() as connection:
            watched = any(v.verdict == "coordinated" for v in standing(connection).values())
            marks = ", ".join("?" * 10)
            for verdict in verdicts:
                sql = f"INSERT INTO verdicts ({rows.VERDICT_COLUMNS}) VALUES ({marks})"
                connection.execute(sql, rows.verdict_to_row(verdict))
            given = [v for v in verdicts if v.state == "given"]
            if not watched and any(v.verdict == "coordinated" for v in given):
                count = self._event_count(connection)
                connection.execute("REPLACE INTO meta VALUES ('watched_events', ?)", (count,))
            append_audit(connection, map(_audited, verdicts))
            post(connection, [m for v in verdicts for m in _messages(connection, v)])

    def verdicts(self, subject_id: str | None = None) -> list[Verdict]:
        """All verdicts, or those on one subject, in the order in which they were given; proposals among them."""
        where, values = ("", ()) if subject_id is None else (" WHERE subject_id = ?", (subject_id,))
        sql = f"SELECT {rows.VERDICT_COLUMNS} FROM verdicts{where} ORDER BY position"
        with explained(self.home.database):
            return [rows.verdict_from_row(row) for row in self.database.reader().execute(sql, values)]

    def latest_verdicts(self) -> dict[str, Verdict]:
        """The verdict that counts for each subject that has one, its own or that of what it continues."""
        with explained(self.home.database):
            return standing(self.database.reader())

    def proposals(self, subject_id: str | None = None) -> list[Verdict]:
        """Verdicts that still wait for a second person, in order."""
        last: dict[str, list[Verdict]] = {}
        for verdict in self.verdicts(subject_id):
            waiting = last.setdefault(verdict.subject_id, [])
            if verdict.state == "given":
                waiting.clear()
            else:
                waiting.append(verdict)
        return sorted((v for some in last.values() for v in some), key=lambda v: (v.time, v.verdict_id))

    def two_persons_from(self) -> int:
        """The number of accounts from which on a verdict needs a second person."""
        kept = self._meta(self.database.reader(), "two_persons_from")
        return TWO_PERSONS if kept is None else int(kept)

    def set_two_persons_from(self, accounts: int, *, by: str) -> None:
        """Change that number; it goes into the audit log."""
        before = self.two_persons_from()
        with self.database.writing() as connection:
            connection.execute("REPLACE INTO meta VALUES ('two_persons_from', ?)", (accounts,))
            told = {"before": before, "after": accounts}
            append_audit(connection, [AuditEntry(by, "policy.two-persons", "", told)])


# ------------------------------------------------------------------ what counts now
def standing(connection: Connection) -> dict[str, Verdict]:
    """Subject → the verdict that counts: its own last one, else that of the families it goes on from."""
    sql = (
        f"SELECT {rows.VERDICT_COLUMNS} FROM verdicts WHERE position IN"
        " (SELECT max(position) FROM verdicts WHERE state = 'given' GROUP BY subject_id) ORDER BY position"
    )
    own = {row[1]: rows.verdict_from_row(row) for row in connection.execute(sql)}
    if not own:
        return {}
    parents: dict[str, list[str]] = {}
    for subject, ancestor in connection.execute("SELECT subject_id, ancestor_id FROM ancestry"):
        parents.setdefault(subject, []).append(ancestor)
    found = dict(own)
    for subject in parents:
        inherited = _inherited(subject, own, parents)
        if subject not in own and inherited is not None:
            found[subject] = inherited
    return found


def _inherited(subject: str, own: Mapping[str, Verdict], parents: Mapping[str, Sequence[str]]) -> Verdict | None:
    """The verdict of the nearest ancestors that have one; none where they contradict each other."""
    nearest: list[Verdict] = []
    seen, todo = {subject}, [subject]
    while todo:
        for ancestor in parents.get(todo.pop(), ()):
            if ancestor in own:
                nearest.append(own[ancestor])
            elif ancestor not in seen:
                todo.append(ancestor)
            seen.add(ancestor)
    said = [v for v in nearest if v.verdict != "open"]
    if len({v.verdict for v in said}) != 1:
        return None
    return max(said, key=lambda v: (v.accounts, v.time, v.verdict_id))


def note_ancestry(connection: Connection, families: Iterable[Family]) -> None:
    """Remember which families of a run go on from which others."""
    found = []
    for family in families:
        lineage = family.lineage
        links = [*((a, "continues") for a in lineage.continues), *((a, "merged") for a in lineage.merged_from)]
        links += [(lineage.split_from, "split")] if lineage.split_from else []
        found += [(family.family_id, a, how) for a, how in links if a != family.family_id]
    connection.executemany("INSERT OR IGNORE INTO ancestry VALUES (?, ?, ?)", found)


def _audited(verdict: Verdict) -> AuditEntry:
    """The decision, with a digest that holds its reason to what it was."""
    text = "\0".join([verdict.verdict_id, verdict.subject_id, verdict.verdict, verdict.reason, verdict.by])
    detail: dict[str, object] = {
        "verdict_id": verdict.verdict_id,
        "verdict": verdict.verdict,
        "state": verdict.state,
        "accounts": verdict.accounts,
        "events": verdict.events,
        "digest": hashlib.blake2b(text.encode(), digest_size=16).hexdigest(),
    }
    if verdict.confirms:
        detail["confirms"] = verdict.confirms
    return AuditEntry(verdict.by, "verdict", verdict.subject_id, detail, verdict.time)


def _messages(connection: Connection, verdict: Verdict) -> list[Message]:
    """What webhooks are told: never the reason, which may quote a prompt."""
    for kind, table in _TABLES.items():
        sql = f"SELECT 1 FROM {table} WHERE {kind}_id = ?"
        if connection.execute(sql, (verdict.subject_id,)).fetchone() is not None:
            data: dict[str, object] = {
                f"{kind}_id": verdict.subject_id,
                "verdict_id": verdict.verdict_id,
                "verdict": verdict.verdict,
                "state": verdict.state,
                "by": verdict.by,
                "account_count": verdict.accounts,
                "event_count": verdict.events,
            }
            return [Message(f"{kind}.verdict", data, verdict.time)]
    return []
