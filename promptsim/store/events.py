"""Events + fingerprints + new vectors ─► one durable transaction; fingerprints ─► prompt numbers.

The heart of ingest. An event is known by its id alone; a prompt by its fingerprint. The same text from a second
account is a new event on the known prompt.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import orjson

from promptsim.errors import UsageError
from promptsim.records import Event, Ingested, Int64s
from promptsim.store.columns import Rows
from promptsim.store.core import Core, EncoderIdentity, chunks
from promptsim.store.database import Connection, explained
from promptsim.store.keys import KEY_BYTES

METADATA_CACHE = 65_536
Vector = npt.NDArray[np.generic]


@dataclass(slots=True)
class _Batch:
    """What one call is about to write."""

    outcomes: list[bool] = field(default_factory=list)
    conflicts: int = 0
    keys: list[bytes] = field(default_factory=list)
    events: list[tuple[int, str, int, int, int, int, int]] = field(default_factory=list)
    prompts: list[tuple[int, bytes, int, str, str]] = field(default_factory=list)
    vectors: list[Vector] = field(default_factory=list)
    earliest: dict[int, int] = field(default_factory=dict)
    bodies: dict[str, int] = field(default_factory=dict)


class Events(Core):
    """Taking events in."""

    def lookup(self, fingerprints: Sequence[bytes]) -> Int64s:
        """The prompt number of each fingerprint, or -1."""
        with self.snapshot() as connection, explained(self.home.database):
            finder, count = self._caught_up_prompts(connection), self._prompt_count(connection)
        numbers = finder.find(fingerprints)
        numbers[numbers >= count] = -1  # committed after the state that this thread reads
        return numbers

    def append(self, events: Sequence[Event], fingerprints: Sequence[bytes], new: Mapping[bytes, Vector]) -> Ingested:
        """Store a batch: durable when this returns, and either all of it or nothing.

        `fingerprints` are the events' prompts; `new` has the vector of every fingerprint that `lookup` did not know.
        """
        if len(events) != len(fingerprints):
            raise ValueError(f"{len(events)} events with {len(fingerprints)} fingerprints")
        keys = [self._event_key(event.event_id) for event in events]
        with self.database.writing() as connection:
            batch = self._sorted_out(connection, events, keys, fingerprints, new)
            if batch.events:
                first_event, first_prompt = batch.events[0][0], self._prompt_count(connection)
                self._write_files(connection, batch, first_event, first_prompt)
                self._write_rows(connection, batch)
        if batch.events:
            self._remember(batch, first_event, first_prompt)
        accepted = len(batch.events)
        return Ingested(accepted, len(events) - accepted, len(batch.prompts), tuple(batch.outcomes), batch.conflicts)

    # ---------------------------------------------------------------- in the transaction
    def _sorted_out(
        self,
        connection: Connection,
        events: Sequence[Event],
        keys: Sequence[bytes],
        fingerprints: Sequence[bytes],
        new: Mapping[bytes, Vector],
    ) -> _Batch:
        """Which events are new, on which prompts; another writer may have stored some since `lookup`."""
        batch = _Batch()
        stored = self._caught_up_events(connection).find(keys)
        batch.conflicts = self._conflicts(connection, events, keys, fingerprints, stored)
        chosen = _fresh(keys, stored, batch)
        accounts = self._account_numbers(connection, [events[i].account_id for i in chosen])
        numbers = self._prompt_numbers(connection, [fingerprints[i] for i in chosen])
        event_no = self._event_count(connection)
        self._expire_metadata_cache(connection)
        for i in chosen:
            event, fingerprint = events[i], fingerprints[i]
            number, known = numbers[fingerprint]
            if not known:
                numbers[fingerprint] = number, True
                batch.vectors.append(_vector(new, fingerprint))
                batch.prompts.append((number, fingerprint, event.time, event.system, event.user))
            batch.earliest[number] = min(event.time, batch.earliest.get(number, event.time))
            metadata = self._metadata_no(connection, event, batch) if event.metadata else 0
            account, turns = accounts[event.account_id], event.turns_left_out
            batch.keys.append(keys[i])
            batch.events.append((event_no, event.event_id, account, number, event.time, metadata, turns))
            event_no += 1
        return batch

    def _conflicts(
        self,
        connection: Connection,
        events: Sequence[Event],
        keys: Sequence[bytes],
        fingerprints: Sequence[bytes],
        known: Int64s,
    ) -> int:
        """How many events come with the id of an earlier one, but are of another account or prompt."""
        first: dict[bytes, int] = {}
        twice = [(i, first[key]) for i, key in enumerate(keys) if first.setdefault(key, i) != i and known[i] < 0]
        conflicts = sum(
            events[i].account_id != events[j].account_id or fingerprints[i] != fingerprints[j] for i, j in twice
        )
        again = np.flatnonzero(known >= 0)
        if not again.size:
            return conflicts
        count = self._event_count(connection)
        account, prompt = (self.columns.at(name, known[again], count) for name in ("account", "prompt"))
        accounts = self._known_accounts(connection, {events[i].account_id for i in again.tolist()})
        sent = [accounts.get(events[i].account_id, -1) for i in again.tolist()]
        numbers = self._caught_up_prompts(connection).find([fingerprints[i] for i in again.tolist()])
        return conflicts + int(np.count_nonzero((account != np.array(sent)) | (prompt != numbers)))

    def _prompt_numbers(self, connection: Connection, fingerprints: Sequence[bytes]) -> dict[bytes, tuple[int, bool]]:
        """The number of each prompt, and whether it was stored before; new ones are numbered in order."""
        found: dict[bytes, tuple[int, bool]] = {}
        next_no = self._prompt_count(connection)
        numbers = self._caught_up_prompts(connection).find(fingerprints).tolist()
        for fingerprint, number in zip(fingerprints, numbers, strict=True):
            if number >= 0:
                found[fingerprint] = number, True
            elif fingerprint not in found:
                found[fingerprint] = next_no, False
                next_no += 1
        return found

    def _account_numbers(self, connection: Connection, account_ids: Sequence[str]) -> dict[str, int]:
        """The number of each account; new ones are numbered in order."""
        distinct = list(dict.fromkeys(account_ids))
        found = self._known_accounts(connection, distinct)
        first = connection.execute("SELECT ifnull(max(account_no) + 1, 0) FROM accounts").fetchone()[0]
        rows = list(enumerate((name for name in distinct if name not in found), first))
        connection.executemany("INSERT INTO accounts VALUES (?, ?)", rows)
        found.update((name, number) for number, name in rows)
        return found

    def _known_accounts(self, connection: Connection, account_ids: Collection[str]) -> dict[str, int]:
        """The number of each account that is stored."""
        found: dict[str, int] = {}
        for marks, some in chunks(list(account_ids)):
            sql = f"SELECT account_id, account_no FROM accounts WHERE account_id IN ({marks})"
            found.update(connection.execute(sql, some))
        return found

    def _metadata_no(self, connection: Connection, event: Event, batch: _Batch) -> int:
        """Events of an account mostly share their metadata; what was stored lately is used again."""
        body = orjson.dumps(event.metadata, option=orjson.OPT_SORT_KEYS).decode()
        number = self._metadata_cache.get(body) or batch.bodies.get(body)
        if number is None:
            sql = "INSERT INTO metadata (body) VALUES (?) RETURNING metadata_no"
            number = batch.bodies[body] = int(connection.execute(sql, (body,)).fetchone()[0])
        return number

    def _expire_metadata_cache(self, connection: Connection) -> None:
        epoch = self._epoch(connection)
        if epoch != self._metadata_epoch or len(self._metadata_cache) > METADATA_CACHE:
            self._metadata_cache.clear()
            self._metadata_epoch = epoch

    def _write_files(self, connection: Connection, batch: _Batch, first_event: int, first_prompt: int) -> None:
        if batch.vectors:
            known = self._encoder(connection)
            self._require_expected(known)
            if known is None:
                self._put_encoder(connection, EncoderIdentity("unnamed", "", len(batch.vectors[0])))
            vectors = self._vectors(connection)
            wrong = next((v for v in batch.vectors if v.shape != (vectors.dimension,)), None)
            if wrong is not None:
                raise UsageError(f"a vector of shape {wrong.shape} for a home of dimension {vectors.dimension}")
            digest = vectors.write(first_prompt, batch.vectors)
            connection.execute("INSERT INTO batches VALUES (?, ?, ?)", (first_prompt, len(batch.vectors), digest))
        table = np.array([(row[2], row[3], row[5], row[4]) for row in batch.events], dtype=np.int64)
        account, prompt, metadata = (table[:, i].astype(np.int32) for i in range(3))
        self.columns.write(first_event, Rows(account, prompt, metadata, table[:, 3]))

    def _write_rows(self, connection: Connection, batch: _Batch) -> None:
        connection.executemany("INSERT INTO prompts VALUES (?, ?, ?, ?, ?)", batch.prompts)
        connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", batch.events)
        earlier = [(time, number) for number, time in batch.earliest.items()]
        connection.executemany("UPDATE prompts SET first_seen = ?1 WHERE prompt_no = ?2 AND first_seen > ?1", earlier)

    # ---------------------------------------------------------------- after it
    def _remember(self, batch: _Batch, first_event: int, first_prompt: int) -> None:
        self._event_finder.add(batch.keys, first_event)
        self._prompt_finder.add([prompt[1] for prompt in batch.prompts], first_prompt)
        self._event_finder.settle()
        self._prompt_finder.settle()
        self._metadata_cache.update(batch.bodies)


def _fresh(keys: Sequence[bytes], known: Int64s, batch: _Batch) -> list[int]:
    """The places of events that are new, the first of each id in the batch."""
    seen: set[bytes] = set()
    for key, number in zip(keys, known.tolist(), strict=True):
        batch.outcomes.append(number < 0 and key not in seen)
        seen.add(key)
    return [i for i, fresh in enumerate(batch.outcomes) if fresh]


def _vector(new: Mapping[bytes, Vector], fingerprint: bytes) -> Vector:
    if len(fingerprint) != KEY_BYTES:
        raise ValueError(f"a fingerprint has {KEY_BYTES} bytes, not {len(fingerprint)}")
    try:
        return np.asarray(new[fingerprint])
    except KeyError:
        raise ValueError(f"no vector for the new fingerprint {fingerprint.hex()}") from None
