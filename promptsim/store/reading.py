"""Numbers, ids and filters ─► prompts, senders, accounts, events: what search and the pages read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import orjson

from promptsim.errors import NotFoundError
from promptsim.records import Bools, Event, Int64s, Prompt
from promptsim.store.core import Core, blocks, chunks
from promptsim.store.database import Connection, explained
from promptsim.store.filters import Filters

PREFIX = "p_"
UNKNOWN = -2  # no event has this account number


@dataclass(frozen=True, slots=True)
class Senders:
    """Who sent which of some prompts: one row for each (prompt, account), sorted by prompt, then account."""

    prompt_no: Int64s
    account_no: Int64s
    events: Int64s
    first_seen: Int64s
    last_seen: Int64s

    def __len__(self) -> int:
        return len(self.prompt_no)


@dataclass(frozen=True, slots=True)
class Account:
    """One account, as it is known from its events."""

    account_no: int
    account_id: str
    event_count: int
    prompt_count: int
    first_seen: int
    last_seen: int


def prompt_id(fingerprint: bytes) -> str:
    """The id of a prompt outside."""
    return PREFIX + fingerprint.hex()


class Reading(Core):
    """Looking things up."""

    # ---------------------------------------------------------------- prompts
    def prompts(self, numbers: Sequence[int] | Int64s) -> list[Prompt]:
        """The prompts of these numbers, in their order; erased and unknown ones are left out."""
        wanted = [int(number) for number in numbers]
        found: dict[int, Prompt] = {}
        with self.snapshot() as connection, explained(self.home.database):
            for marks, some in chunks(sorted(set(wanted))):
                sql = f"SELECT * FROM prompts WHERE prompt_no IN ({marks}) AND fingerprint NOT NULL"
                for number, fingerprint, first_seen, system, user in connection.execute(sql, some):
                    found[number] = Prompt(number, prompt_id(fingerprint), system, user, first_seen)
        return [found[number] for number in wanted if number in found]

    def prompt_by_id(self, identifier: str) -> Prompt:
        """The prompt of an id; NotFoundError if there is none."""
        with self.snapshot() as connection:
            try:
                fingerprint = bytes.fromhex(identifier.removeprefix(PREFIX))
            except ValueError:
                fingerprint = b""
            number = int(self._caught_up_prompts(connection).find([fingerprint])[0]) if len(fingerprint) == 16 else -1
            prompts = self.prompts([number]) if identifier.startswith(PREFIX) else []
        if not prompts:
            raise NotFoundError(f"no prompt has the id {identifier!r}")
        return prompts[0]

    def prompt_ids(self, numbers: Sequence[int] | Int64s) -> list[str]:
        """The ids of these prompts without their texts; erased and unknown ones give ""."""
        wanted = [int(number) for number in numbers]
        found: dict[int, str] = {}
        with self.snapshot() as connection, explained(self.home.database):
            for marks, some in chunks(sorted(set(wanted))):
                sql = (
                    f"SELECT prompt_no, fingerprint FROM prompts WHERE prompt_no IN ({marks}) AND fingerprint NOT NULL"
                )
                found.update((number, prompt_id(print_)) for number, print_ in connection.execute(sql, some))
        return [found.get(number, "") for number in wanted]

    # ---------------------------------------------------------------- senders
    def senders(self, prompt_nos: Sequence[int] | Int64s, filters: Filters | None = None) -> Senders:
        """Which accounts sent these prompts, how often and when, counting only events that pass the filters."""
        filters = filters or Filters()
        numbers = sorted({int(number) for number in prompt_nos})
        rows: list[tuple[int, int, int, int, int]] = []
        with self.snapshot() as connection, explained(self.home.database):
            where, values, possible = self._conditions(connection, filters)
            for marks, some in chunks(numbers) if possible else ():
                if filters.metadata:
                    rows.extend(self._senders_one_by_one(connection, marks, some, where, values, filters))
                    continue
                sql = (
                    "SELECT prompt_no, account_no, count(*), min(time), max(time)"
                    " FROM events INDEXED BY events_by_prompt"
                    f" WHERE prompt_no IN ({marks}){where}"
                    " GROUP BY prompt_no, account_no ORDER BY prompt_no, account_no"
                )
                rows.extend(connection.execute(sql, (*some, *values)))
        table = np.array(rows, dtype=np.int64).reshape(-1, 5)
        return Senders(*(np.ascontiguousarray(table[:, i]) for i in range(5)))

    def _conditions(self, connection: Connection, filters: Filters) -> tuple[str, tuple[int, ...], bool]:
        """The filters on account and time as SQL, and whether anything can pass them."""
        where = ""
        values: list[int] = []
        if filters.account_id is not None:
            number = self._known_account(connection, filters.account_id)
            if number is None:
                return "", (), False
            where, values = where + " AND account_no = ?", [*values, number]
        if filters.since is not None:
            where, values = where + " AND time >= ?", [*values, filters.since]
        if filters.until is not None:
            where, values = where + " AND time < ?", [*values, filters.until]
        return where, tuple(values), True

    def _senders_one_by_one(
        self,
        connection: Connection,
        marks: str,
        numbers: tuple[int, ...],
        where: str,
        values: tuple[int, ...],
        filters: Filters,
    ) -> Iterator[tuple[int, int, int, int, int]]:
        sql = (
            "SELECT prompt_no, account_no, time, metadata_no FROM events"
            f" WHERE prompt_no IN ({marks}){where} ORDER BY prompt_no, account_no"
        )
        accepted = _Accepted(connection, filters)
        sums: dict[tuple[int, int], tuple[int, int, int]] = {}
        for prompt, account, time, metadata in connection.execute(sql, (*numbers, *values)):
            if accepted(metadata):
                count, first, last = sums.get((prompt, account), (0, time, time))
                sums[prompt, account] = (count + 1, min(first, time), max(last, time))
        for pair, figures in sums.items():
            yield (*pair, *figures)

    # ---------------------------------------------------------------- filters
    def allowed(self, filters: Filters) -> Bools | None:
        """Which prompts have an event that passes the filters, by prompt number; None when nothing is asked."""
        if not filters:
            return None
        with self.snapshot() as connection, explained(self.home.database):
            prompts, events = self._prompt_count(connection), self._event_count(connection)
            passing = np.zeros(prompts, dtype=np.bool_)
            chosen = self._chosen_events(connection, filters, events)
        passing[self.columns.prompt(events)[chosen]] = True
        return passing

    def sent_by_others(self, accounts: Collection[int]) -> Bools:
        """Which prompts somebody else than these accounts may have sent, by prompt number."""
        with self.snapshot() as connection, explained(self.home.database):
            prompts, events = self._prompt_count(connection), self._event_count(connection)
            owner = self.owners.of(prompts, events)
        others = np.ones(len(owner), np.bool_)
        for account in accounts:
            others &= owner != account
        return others

    def _chosen_events(self, connection: Connection, filters: Filters, events: int) -> Bools:
        account = self.columns.account(events)
        chosen: Bools
        if filters.account_id is not None:
            number = self._known_account(connection, filters.account_id)
            chosen = account == (UNKNOWN if number is None else number)
        else:
            chosen = account >= 0
        if filters.since is not None or filters.until is not None:
            time = self.columns.time(events)
            chosen &= True if filters.since is None else time >= filters.since
            chosen &= True if filters.until is None else time < filters.until
        if filters.metadata:
            chosen &= np.isin(self.columns.metadata(events), self._passing_metadata(connection, filters))
        return chosen

    def _passing_metadata(self, connection: Connection, filters: Filters) -> Int64s:
        """The metadata that pass, found by a scan that looks for one quoted key first and parses only what has it."""
        key = orjson.dumps(next(iter(filters.metadata))).decode()
        sql = "SELECT metadata_no, body FROM metadata WHERE instr(body, ?)"
        numbers = [
            no for rows in blocks(connection, sql, (key,)) for no, body in rows if filters.accepts(orjson.loads(body))
        ]
        return np.array(numbers, dtype=np.int64)

    # ---------------------------------------------------------------- accounts and events
    def _known_account(self, connection: Connection, account_id: str) -> int | None:
        row = connection.execute("SELECT account_no FROM accounts WHERE account_id = ?", (account_id,)).fetchone()
        return None if row is None else int(row[0])

    def account(self, account_id: str) -> Account:
        """What is known of an account; NotFoundError if nothing is."""
        with self.snapshot() as connection, explained(self.home.database):
            number = self._known_account(connection, account_id)
            events = self._event_count(connection)
        mine = np.flatnonzero(self.columns.account(events) == (UNKNOWN if number is None else number))
        if number is None or len(mine) == 0:
            raise NotFoundError(f"no account has the id {account_id!r}")
        times, prompts = self.columns.at("time", mine, events), self.columns.at("prompt", mine, events)
        return Account(number, account_id, len(mine), len(np.unique(prompts)), int(times.min()), int(times.max()))

    def account_prompts(self, account_no: int) -> tuple[Int64s, Int64s]:
        """The distinct prompts of an account and how often it sent each, by prompt number."""
        with self.snapshot() as connection:
            events = self._event_count(connection)
        mine = np.flatnonzero(self.columns.account(events) == account_no)
        prompts, counts = np.unique(self.columns.at("prompt", mine, events), return_counts=True)
        return prompts.astype(np.int64), counts.astype(np.int64)

    def accounts(self, numbers: Sequence[int] | Int64s) -> list[str]:
        """The ids of these account numbers; "" for erased and unknown ones."""
        wanted = [int(number) for number in numbers]
        found: dict[int, str] = {}
        with self.snapshot() as connection, explained(self.home.database):
            for marks, some in chunks(sorted(set(wanted))):
                sql = f"SELECT account_no, account_id FROM accounts WHERE account_no IN ({marks})"
                found.update((number, name or "") for number, name in connection.execute(sql, some))
        return [found.get(number, "") for number in wanted]

    def event(self, event_id: str) -> Event:
        """The event of an id; NotFoundError if there is none."""
        with self.snapshot() as connection, explained(self.home.database):
            number = int(self._caught_up_events(connection).find([self._event_key(event_id)])[0])
            sql = (
                "SELECT event_id, account_id, time, system, user, ifnull(body, '{}'), turns_left_out FROM events"
                " JOIN accounts USING (account_no) JOIN prompts USING (prompt_no)"
                " LEFT JOIN metadata USING (metadata_no)"
                " WHERE event_no = ?"
            )
            row = connection.execute(sql, (number,)).fetchone()
        if row is None:
            raise NotFoundError(f"no event has the id {event_id!r}")
        return Event(row[0], row[1], row[2], row[3], row[4], orjson.loads(row[5]), row[6])


class _Accepted:
    """Whether a metadata number passes the filters, remembered for the length of one question."""

    def __init__(self, connection: Connection, filters: Filters) -> None:
        self._connection, self._filters = connection, filters
        self._known: dict[int, bool] = {0: filters.accepts({})}

    def __call__(self, number: int) -> bool:
        if number not in self._known:
            sql = "SELECT body FROM metadata WHERE metadata_no = ?"
            row = self._connection.execute(sql, (number,)).fetchone()
            body: Mapping[str, object] = orjson.loads(row[0])
            self._known[number] = self._filters.accepts(body)
        return self._known[number]
