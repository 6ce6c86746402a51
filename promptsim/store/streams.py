"""The whole home ─► documents, incidence, activity as arrays: what a clustering run reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import orjson

from promptsim.order import firsts, order_of, put_ties_in_order
from promptsim.records import Activity, Bools, DocumentBatch, Incidence, Int32s, Int64s
from promptsim.store.core import Core, blocks, chunks
from promptsim.store.database import Connection, explained
from promptsim.store.filters import as_text
from promptsim.store.vectors import Halves

VALUES_A_KEY = 1_000  # distinct metadata values kept for one account and key


class Streams(Core):
    """Reading everything, in the order of its numbers."""

    def documents(self, batch: int = 50_000, since_no: int = 0) -> Iterator[DocumentBatch]:
        """Every prompt from number `since_no` on, ascending, without the erased ones; one state throughout."""
        sql = "SELECT prompt_no, system, user FROM prompts WHERE prompt_no >= ? AND fingerprint NOT NULL"
        with self.database.streaming() as connection, explained(self.home.database):
            cursor = connection.execute(sql + " ORDER BY prompt_no", (since_no,))
            while rows := cursor.fetchmany(batch):
                numbers, system, user = zip(*rows, strict=True)
                yield DocumentBatch(np.array(numbers, dtype=np.int64), system, user)

    def documents_of(self, numbers: Int64s) -> Iterator[DocumentBatch]:
        """The prompts of these numbers, ascending, without the erased ones."""
        for marks, some in chunks(np.unique(numbers).tolist()):
            sql = f"SELECT prompt_no, system, user FROM prompts WHERE prompt_no IN ({marks}) AND fingerprint NOT NULL"
            with self.snapshot() as connection, explained(self.home.database):
                rows = connection.execute(sql + " ORDER BY prompt_no", some).fetchall()
            if rows:
                found, system, user = zip(*rows, strict=True)
                yield DocumentBatch(np.array(found, dtype=np.int64), system, user)

    def vectors(self) -> Halves:
        """Row `prompt_no` of every prompt, mapped and read-only; zeros for erased ones."""
        with self.snapshot() as connection:
            return self._vectors(connection).mapped(self._prompt_count(connection))

    def alive(self) -> Bools:
        """Which prompts are not erased, by prompt number."""
        with self.snapshot() as connection:
            alive = np.ones(self._prompt_count(connection), dtype=np.bool_)
            gone = [row[0] for row in connection.execute("SELECT prompt_no FROM erased_prompts")]
        alive[np.array(gone, dtype=np.int64)] = False
        return alive

    def numbered_events(self) -> int:
        """Events that have a number, erased ones among them."""
        with self.snapshot() as connection:
            return self._event_count(connection)

    def incidence(self, events: int | None = None) -> Incidence:
        """Who sent which prompt, how often and when.

        `events`: of the first so many, as a snapshot has them, so that another thread can ask beside it.
        """
        events = self.numbered_events() if events is None else events
        prompt, account = self.columns.prompt(events), self.columns.account(events)
        order = _by_prompt_and_account(prompt, account)
        prompt, account, time = prompt[order], account[order], self.columns.time(events)[order]
        starts = np.flatnonzero(firsts(prompt, account))
        return Incidence(
            prompt_no=prompt[starts].astype(np.int64),
            account_no=account[starts].astype(np.int32),
            events=np.diff(np.append(starts, len(prompt))).astype(np.int32),
            first_seen=np.minimum.reduceat(time, starts) if len(starts) else time,
            last_seen=np.maximum.reduceat(time, starts) if len(starts) else time,
        )

    def activity(self) -> Activity:
        """Every event by time, with the ids and the metadata of the accounts."""
        with self.snapshot() as connection, explained(self.home.database):
            events = self._event_count(connection)
            names = self._account_ids(connection)
            account, metadata = self.columns.account(events), self.columns.metadata(events)
            values, left_out = self._account_metadata(connection, account, metadata)
        time = self.columns.time(events)
        order = order_of(time)
        order = order[account[order] >= 0]
        prompt = self.columns.prompt(events)[order].astype(np.int64)
        cuts = {"metadata values of an account and key": left_out} if left_out else {}
        return Activity(account[order], prompt, time[order], names, values, cuts)

    def _account_ids(self, connection: Connection) -> tuple[str, ...]:
        rows = connection.execute("SELECT account_no, account_id FROM accounts ORDER BY account_no").fetchall()
        names = [""] * (rows[-1][0] + 1 if rows else 0)
        for number, name in rows:
            names[number] = name or ""
        return tuple(names)

    def _account_metadata(
        self, connection: Connection, account: Int32s, metadata: Int32s
    ) -> tuple[Mapping[str, Mapping[int, tuple[str, ...]]], int]:
        """Distinct values by key and account, sorted, and how many were left out where an account had too many."""
        there = (account >= 0) & (metadata > 0)
        pairs = np.sort((metadata[there].astype(np.int64) << 32) | account[there])
        pairs = pairs[np.append(True, pairs[1:] != pairs[:-1])[: len(pairs)]]  # np.unique hashes: six times slower
        numbers, owners = pairs >> 32, (pairs & 0xFFFFFFFF).tolist()
        starts = np.searchsorted(numbers, np.arange(int(numbers[-1]) + 2 if len(numbers) else 1)).tolist()
        found: dict[str, dict[int, set[str]]] = {}
        for rows in blocks(connection, "SELECT metadata_no, body FROM metadata ORDER BY metadata_no"):
            for number, body in rows:
                users = owners[starts[number] : starts[number + 1]] if number + 1 < len(starts) else ()
                for key, value in orjson.loads(body).items() if users else ():
                    if value is not None:
                        text, by_account = as_text(value), found.setdefault(key, {})
                        for user in users:
                            by_account.setdefault(user, set()).add(text)
        left_out = sum(max(0, len(v) - VALUES_A_KEY) for by_account in found.values() for v in by_account.values())
        sorted_out = {
            key: {user: tuple(sorted(values)[:VALUES_A_KEY]) for user, values in sorted(by_account.items())}
            for key, by_account in sorted(found.items())
        }
        return sorted_out, left_out


def _by_prompt_and_account(prompt: Int32s, account: Int32s) -> Int64s:
    """The order of the events that are not erased. Most prompts are sent once."""
    order = order_of(prompt)
    order = order[account[order] >= 0]
    put_ties_in_order(order, [prompt], [account])
    return order
