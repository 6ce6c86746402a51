"""Events since a mark ─► which accounts turn up in families that a person judged coordinated, each told of once.

The mark is moved in the transaction that keeps what was found before it: after a crash the same events are looked at
again, and who was told of already is not told of twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from promptsim.contract import rfc3339
from promptsim.records import Int64s
from promptsim.store.database import explained
from promptsim.store.members import Memberships
from promptsim.store.outbox import Message, post
from promptsim.store.verdicts import standing


@dataclass(frozen=True, slots=True)
class Join:
    """An account's first send in a coordinated family that it was not in before."""

    family_id: str
    account_id: str
    time: int
    prompt_id: str


@dataclass(frozen=True, slots=True)
class EventBlock:
    """Some events by number, without the erased ones."""

    account_no: Int64s
    prompt_no: Int64s
    time: Int64s
    end: int


class Watching(Memberships):
    """What ingest asks and notes when there are coordinated families."""

    def watch_mark(self) -> int | None:
        """The number of the first event that was not looked at yet; None while nothing was ever watched."""
        mark = self._meta(self.database.reader(), "watched_events")
        return None if mark is None else int(mark)

    def events_end(self) -> int:
        """One more than the greatest event number."""
        return self._event_count(self.database.reader())

    def coordinated_families(self) -> tuple[str, ...]:
        """Families of the last run that are judged coordinated, or go on from one that is."""
        with self.snapshot() as connection, explained(self.home.database):
            verdicts = standing(connection)
            known = [row[0] for row in connection.execute("SELECT family_id FROM families ORDER BY family_id")]
        return tuple(f for f in known if f in verdicts and verdicts[f].verdict == "coordinated")

    def events_from(self, first: int, most: int) -> EventBlock:
        """At most so many events from a number on."""
        with self.snapshot() as connection:
            end = min(self._event_count(connection), first + most)
        account = self.columns.account(end)[first:end].astype(np.int64)
        alive = account >= 0
        prompt, time = self.columns.prompt(end)[first:end], self.columns.time(end)[first:end]
        return EventBlock(account[alive], prompt[alive].astype(np.int64), time[alive].astype(np.int64), max(end, first))

    def senders_before(self, family_id: str, event_no: int) -> Int64s:
        """The numbers of the accounts that sent something of a family before an event, ascending."""
        with self.snapshot() as connection:
            prompts, count = self.family_prompts(family_id), self._prompt_count(connection)
        inside = np.zeros(count, np.bool_)
        inside[prompts] = True
        account, prompt = self.columns.account(event_no), self.columns.prompt(event_no)
        senders = np.unique(account[inside[prompt]]).astype(np.int64)
        return senders[senders >= 0]

    def first_sends(self, family_id: str, account_nos: Int64s) -> list[tuple[int, int, int]]:
        """(account, time, prompt) of the first send of each of these accounts in a family."""
        with self.snapshot() as connection:
            events, count = self._event_count(connection), self._prompt_count(connection)
            prompts = self.family_prompts(family_id)
        inside = np.zeros(count, np.bool_)
        inside[prompts] = True
        account, prompt, time = (getattr(self.columns, name)(events) for name in ("account", "prompt", "time"))
        mine = np.flatnonzero(inside[prompt] & np.isin(account, account_nos))
        mine = mine[np.lexsort((time[mine], account[mine]))]
        numbers, first = np.unique(account[mine], return_index=True)
        chosen = mine[first]
        return list(zip(numbers.tolist(), time[chosen].tolist(), prompt[chosen].tolist(), strict=True))

    def add_joins(self, joins: Sequence[Join], mark: int) -> int:
        """Note who joined, post a message for each that is new, move the mark; returns how many are new."""
        with self.database.writing() as connection:
            fresh = []
            for join in joins:
                row = (join.family_id, join.account_id, join.time, join.prompt_id)
                if connection.execute("INSERT OR IGNORE INTO joined VALUES (?, ?, ?, ?)", row).rowcount:
                    fresh.append(join)
            post(connection, map(_message, fresh))
            sql = "UPDATE meta SET value = max(value, ?) WHERE key = 'watched_events'"
            connection.execute(sql, (mark,))
        return len(fresh)

    def joins(self, family_id: str | None = None, *, limit: int = 1_000) -> list[Join]:
        """Who joined coordinated families, the newest first."""
        where, values = ("", ()) if family_id is None else (" WHERE family_id = ?", (family_id,))
        sql = f"SELECT family_id, account_id, time, prompt_id FROM joined{where} ORDER BY time DESC, account_id LIMIT ?"
        with explained(self.home.database):
            return [Join(*row) for row in self.database.reader().execute(sql, (*values, limit))]

    def join_count(self) -> int:
        """How many alerts of this kind there ever were, less the erased ones."""
        with explained(self.home.database):
            return int(self.database.reader().execute("SELECT count(*) FROM joined").fetchone()[0])


def _message(join: Join) -> Message:
    """For a person to look at: one send does not make an account an attacker."""
    data = {
        "family_id": join.family_id,
        "account_id": join.account_id,
        "prompt_id": join.prompt_id,
        "first_sent": rfc3339(join.time),
        "proposal": "review",
    }
    return Message("account.joined", data, join.time, join.account_id)
