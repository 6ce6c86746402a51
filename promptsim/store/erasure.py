"""Accounts or times to forget ─► nothing left of them in any file of the store.

Events are deleted; a prompt that nobody else sent is blanked and keeps only its number, its vector becomes zeros;
findings lose the account's id, quoted fillings and any text that no remaining prompt shares. Deleted database content
is overwritten (`secure_delete`), the log is emptied. The index room's files are for the caller to build again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from promptsim.errors import NotFoundError
from promptsim.records import Bools, Evidence, Family, Int64s, Slot
from promptsim.store import rows
from promptsim.store.columns import GONE
from promptsim.store.database import Connection
from promptsim.store.findings import Findings
from promptsim.store.outbox import take_away

WITNESSES = 50  # remaining members that are asked whether they share a template's fixed text
_SLOT = re.compile(r"(?<!\{)\{\d+\}(?!\})")


@dataclass(frozen=True, slots=True)
class Erased:
    """What was taken away; `prompt_nos` are the prompts that were blanked.

    Not `complete`: a reader of an older state kept the log from being emptied; opening the home again finishes it.
    """

    events: int
    prompts: int
    accounts: int
    prompt_nos: Int64s
    complete: bool = True


class Erasure(Findings):
    """Taking away, for good."""

    def erase_account(self, account_id: str) -> Erased:
        """Erase all that an account sent; NotFoundError if nothing is known of it."""
        with self.database.writing() as connection:
            number = self._known_account(connection, account_id)
            if number is None:
                raise NotFoundError(f"no account has the id {account_id!r}")
            erased = self._take_away(connection, self.columns.account(self._event_count(connection)) == number)
        return replace(erased, complete=self._clear_files())

    def retain(self, since: int) -> Erased:
        """Erase every event from before `since`."""
        with self.database.writing() as connection:
            events = self._event_count(connection)
            old = (self.columns.time(events) < since) & (self.columns.account(events) != GONE)
            erased = self._take_away(connection, old)
        return replace(erased, complete=self._clear_files())

    def finish_erasure(self) -> None:
        """Complete an erasure that was interrupted between the database and the files."""
        if self._meta(self.database.reader(), "erasure_unfinished"):
            self._clear_files()

    # ---------------------------------------------------------------- the database
    def _take_away(self, connection: Connection, doomed: Bools) -> Erased:
        events = len(doomed)
        account, prompt, metadata = (getattr(self.columns, name)(events) for name in ("account", "prompt", "metadata"))
        kept = (account != GONE) & ~doomed
        orphans = np.setdiff1d(prompt[doomed], prompt[kept]).astype(np.int64)
        unused = np.setdiff1d(metadata[doomed], np.append(metadata[kept], 0))
        leavers = np.setdiff1d(account[doomed], account[kept])
        names = [name for name in self.accounts(leavers) if name]
        self._scrub_findings(connection, orphans, names)
        numbers = np.flatnonzero(doomed)
        _each(connection, "DELETE FROM events WHERE event_no = ?", numbers)
        _each(connection, "DELETE FROM metadata WHERE metadata_no = ?", unused)
        _each(connection, "UPDATE accounts SET account_id = NULL WHERE account_no = ?", leavers)
        blank = "UPDATE prompts SET fingerprint = NULL, system = '', user = '', first_seen = 0 WHERE prompt_no = ?"
        _each(connection, blank, orphans)
        _each(connection, "INSERT OR IGNORE INTO erased_prompts VALUES (?)", orphans)
        shared = np.setdiff1d(prompt[doomed], orphans)
        earliest = "SELECT min(time) FROM events WHERE events.prompt_no = prompts.prompt_no"
        _each(connection, f"UPDATE prompts SET first_seen = ({earliest}) WHERE prompt_no = ?", shared)
        self._note_erasure(connection, events)
        return Erased(len(numbers), len(orphans), len(leavers), orphans)

    def _note_erasure(self, connection: Connection, count: int) -> None:
        left = connection.execute("SELECT count(*) FROM events").fetchone()[0]
        notes = (("events_floor", count), ("events_gone", count - left), ("erasure_unfinished", 1))
        connection.executemany("REPLACE INTO meta VALUES (?, ?)", notes)
        connection.execute("UPDATE meta SET value = value + 1 WHERE key = 'epoch'")

    # ---------------------------------------------------------------- findings
    def _scrub_findings(self, connection: Connection, orphans: Int64s, accounts: list[str]) -> None:
        """Called before anything is deleted, while it is still known who is in which family."""
        rows_of = self._rows_of(connection, orphans.tolist())
        touched = sorted({row[0] for some in rows_of.values() for row in some})
        gone = set(orphans.tolist())
        for number in touched:
            sql = f"SELECT {rows.FAMILY_COLUMNS} FROM families WHERE family_no = ?"
            row = connection.execute(sql, (number,)).fetchone()
            if row is not None:
                self._scrub_family(connection, number, rows.family_from_row(row), gone)
        if accounts:
            self._scrub_accounts(connection, set(accounts))

    def _scrub_family(self, connection: Connection, number: int, family: Family, gone: set[int]) -> None:
        remaining = [n for n in self.family_prompts(family.family_id).tolist() if n not in gone]
        texts = [prompt.text for prompt in self.prompts(remaining[:WITNESSES])]

        def shared(template: str) -> str:
            return template if any(_shares(text, template) for text in texts) else ""

        wordings = tuple(
            replace(w, template=shared(w.template), slots=_without_examples(w.slots)) for w in family.wordings
        )
        scrubbed = replace(
            family, template=shared(family.template), slots=_without_examples(family.slots), wordings=wordings
        )
        self._update(connection, "families", rows.FAMILY_COLUMNS, rows.family_to_row(scrubbed))
        if not remaining:
            connection.execute("DELETE FROM families WHERE family_no = ?", (number,))
            connection.execute("DELETE FROM family_prompts WHERE family_no = ?", (number,))
        sql = "SELECT position, text FROM skeletons WHERE family_id = ?"
        for position, text in connection.execute(sql, (family.family_id,)).fetchall():
            if not remaining:
                connection.execute("DELETE FROM skeletons WHERE position = ?", (position,))
            elif not shared(text):
                connection.execute("UPDATE skeletons SET text = '' WHERE position = ?", (position,))

    def _scrub_accounts(self, connection: Connection, names: set[str]) -> None:
        for name in names:
            connection.execute("DELETE FROM account_findings WHERE subject_id = ?", (name,))
            connection.execute("DELETE FROM joined WHERE account_id = ?", (name,))
            sql = "SELECT message_no FROM outbox WHERE account_id = ?"
            take_away(connection, connection.execute(sql, (name,)).fetchall())
        for row in connection.execute(f"SELECT {rows.NETWORK_COLUMNS} FROM networks").fetchall():
            network = rows.network_from_row(row)
            left = tuple(name for name in network.account_ids if name not in names)
            membership = {name: value for name, value in network.membership.items() if name not in names}
            evidence = _without_mention(network.evidence, names)
            scrubbed = replace(network, account_ids=left, membership=membership, evidence=evidence)
            if scrubbed != network:
                self._update(connection, "networks", rows.NETWORK_COLUMNS, rows.network_to_row(scrubbed))
            if not left:
                connection.execute("DELETE FROM networks WHERE network_id = ?", (network.network_id,))
        for table, key in (("families", "family_id"), ("account_findings", "subject_id")):
            for identifier, text in connection.execute(f"SELECT {key}, evidence FROM {table}").fetchall():
                evidence = _without_mention(rows.evidence_from_json(text), names)
                if len(evidence) < len(json.loads(text)):
                    sql = f"UPDATE {table} SET evidence = ? WHERE {key} = ?"
                    connection.execute(sql, (rows.evidence_to_json(evidence), identifier))

    def _update(self, connection: Connection, table: str, columns: str, row: tuple[Any, ...]) -> None:
        """Replace the row with the same id, which is the first column."""
        names = columns.split(", ")
        sets = ", ".join(f"{name} = ?" for name in names[1:])
        connection.execute(f"UPDATE {table} SET {sets} WHERE {names[0]} = ?", (*row[1:], row[0]))

    # ---------------------------------------------------------------- the files
    def _clear_files(self) -> bool:
        """After the commit, so that no crash can leave a living prompt without its vector; repeatable."""
        with self.database.writing() as connection:
            self._clear_vectors(connection)
            self._rebuild_columns(connection)
        for path in self.home.keys.iterdir() if self.home.keys.is_dir() else ():
            path.unlink(missing_ok=True)
        self._metadata_cache.clear()
        emptied = self.database.empty_log()
        if emptied:
            with self.database.writing() as connection:
                connection.execute("DELETE FROM meta WHERE key = 'erasure_unfinished'")
        return emptied


def _each(connection: Connection, sql: str, numbers: Iterable[int] | Int64s) -> None:
    connection.executemany(sql, ((int(number),) for number in numbers))


def _without_examples(slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
    return tuple(replace(slot, examples=()) for slot in slots)


def _without_mention(evidence: tuple[Evidence, ...], names: set[str]) -> tuple[Evidence, ...]:
    """Evidence that quotes none of these accounts."""
    return tuple(e for e in evidence if not any(name in e.sentence or name == e.value for name in names))


def _shares(text: str, template: str) -> bool:
    """Whether a text has every fixed part of a template, white space and case aside."""
    flat = _flat(text)
    parts = (part.replace("{{", "{").replace("}}", "}") for part in _SLOT.split(template))
    return all(_flat(part) in flat for part in parts)


def _flat(text: str) -> str:
    return "".join(text.casefold().split())
