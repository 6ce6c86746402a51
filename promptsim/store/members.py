"""`Members` ◄─► blocks of raw arrays, by prompt and by family; memberships ─► who sent what in which family.

Millions of member rows are written in one short transaction because a block of them is one row of the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
import orjson

from promptsim.errors import NotFoundError
from promptsim.order import order_of
from promptsim.records import RELATIONS, Family, Int64s, MemberEvent, MemberPrompt, Members, Relation
from promptsim.store.core import blocks, chunks
from promptsim.store.database import Connection, explained
from promptsim.store.reading import Reading, prompt_id

BLOCK_ROWS = 2_048  # small enough to decode for one prompt of a search hit
FAMILY_CHUNK = 65_536
KINDS = (("prompt_no", "<i4"), ("family", "<i4"), ("wording", "<i4"), ("relation", "u1"), ("filling", "<u8"))
TYPES = (np.int64, np.int32, np.int32, np.uint8, np.uint64)
Entry = tuple[int, int, int]  # family, wording, relation, as numbers
Late = tuple[int, int, str, int, int, int]  # prompt_no, rank, family_id, wording, relation, filling


@dataclass(frozen=True, slots=True)
class Membership:
    """One family of one prompt."""

    family_id: str
    wording_id: str
    relation: Relation


class Memberships(Reading):
    """Reading who belongs where, and adding what ingest finds between runs."""

    def members(self) -> Members:
        """All rows of the last run, and after them those that ingest added since; without those of erased families.

        `family` counts the families that are left, in their order: an erased one leaves a gap in the stored numbers.
        """
        with self.snapshot() as connection, explained(self.home.database):
            left = [row[0] for row in connection.execute("SELECT family_no FROM families ORDER BY family_no")]
            sql = "SELECT rows, body FROM member_blocks ORDER BY last_prompt"
            stored = _whole(connection.execute(sql).fetchall())
            late = connection.execute(
                "SELECT prompt_no, family_no, wording, relation, filling FROM late_members ORDER BY prompt_no, rank"
            ).fetchall()
        return _counted_anew(_joined(stored, _from_rows(late)), np.array(left, np.int64))

    def families_of(self, prompt_nos: Sequence[int] | Int64s) -> dict[int, tuple[Membership, ...]]:
        """The families of each prompt that has any, its main one first."""
        with self.snapshot() as connection, explained(self.home.database):
            found = self._rows_of(connection, sorted({int(number) for number in prompt_nos}))
            names = self._family_names(connection, {row[0] for rows in found.values() for row in rows})
        named = {
            number: tuple(_membership(names[row[0]], row) for row in rows if row[0] in names)
            for number, rows in found.items()
        }
        return {number: memberships for number, memberships in named.items() if memberships}

    def wordings(self) -> dict[str, tuple[str, int]]:
        """Every wording of the last run: its family and its number there."""
        with self.snapshot() as connection, explained(self.home.database):
            names = self._family_names(connection, None)
        return {wording: (family, i) for family, wordings in names.values() for i, wording in enumerate(wordings)}

    def family_prompts(self, family_id: str) -> Int64s:
        """The numbers of a family's prompts, ascending; erased ones are left out."""
        with self.snapshot() as connection, explained(self.home.database):
            row = connection.execute("SELECT family_no FROM families WHERE family_id = ?", (family_id,)).fetchone()
            if row is None:
                raise NotFoundError(f"no family has the id {family_id!r}")
            sql = "SELECT prompts FROM family_prompts WHERE family_no = ? ORDER BY first_prompt"
            parts = [np.frombuffer(body, "<i4") for (body,) in connection.execute(sql, row)]
            late = connection.execute("SELECT prompt_no FROM late_members WHERE family_no = ?", row).fetchall()
            gone = connection.execute("SELECT prompt_no FROM erased_prompts").fetchall()
        numbers = np.concatenate([*parts, np.array(late, dtype=np.int64).ravel()]).astype(np.int64)
        return np.setdiff1d(numbers, np.array(gone, dtype=np.int64).ravel())

    def member_prompts(self, family_id: str, limit: int = 50, offset: int = 0) -> list[MemberPrompt]:
        """Prompts of a family as a reviewer reads them, by number."""
        with self.snapshot():
            numbers = self.family_prompts(family_id)[offset : offset + limit]
            memberships, senders = self.families_of(numbers), self.senders(numbers)
            prompts = self.prompts(numbers)
        found = []
        for prompt in prompts:
            mine = senders.prompt_no == prompt.prompt_no
            one = next(m for m in memberships[prompt.prompt_no] if m.family_id == family_id)
            counts = int(senders.events[mine].sum()), int(mine.sum())
            found.append(MemberPrompt(prompt.prompt_id, prompt.text, one.relation, one.wording_id, *counts))
        return found

    def member_events(self, family_ids: Iterable[str] | None = None) -> Iterator[MemberEvent]:
        """Every event in every family (or in these), by prompt, account and time; an event's main family first."""
        wanted = None if family_ids is None else set(family_ids)
        with self.database.streaming() as connection, explained(self.home.database):
            names = self._family_names(connection, None)
            chosen = {number for number, (name, _) in names.items() if wanted is None or name in wanted}
            for rows in self._rows_in_order(connection):
                kept = {number: [r for r in some if r[0] in chosen] for number, some in rows.items()}
                yield from _events_of(connection, {n: some for n, some in kept.items() if some}, names)

    def add_members(self, rows: Iterable[Late]) -> None:
        """Prompts that were put into known families since the last run; families that are gone are passed over."""
        with self.database.writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO late_members SELECT ?1, ?2, family_no, ?4, ?5, ?6 FROM families"
                " WHERE family_id = ?3",
                [(*row[:5], _signed(int(row[5]))) for row in rows],
            )

    # ---------------------------------------------------------------- inside
    def _rows_of(self, connection: Connection, numbers: Sequence[int]) -> dict[int, list[Entry]]:
        """(family, wording, relation) of each prompt: from the block that covers it, and from what came late."""
        found: dict[int, list[Entry]] = {}
        todo = np.array(numbers, dtype=np.int64)
        while len(todo):
            sql = (
                "SELECT last_prompt, rows, body FROM member_blocks WHERE last_prompt >= ? ORDER BY last_prompt LIMIT 1"
            )
            row = connection.execute(sql, (int(todo[0]),)).fetchone()
            if row is None:
                break
            here, todo = todo[todo <= row[0]], todo[todo > row[0]]
            prompt_no, family, wording, relation = _columns(row[1], row[2])[:4]
            starts, ends = (np.searchsorted(prompt_no, here, side=side).tolist() for side in ("left", "right"))
            for number, start, end in zip(here.tolist(), starts, ends, strict=True):
                if end > start:
                    part = (column[start:end].tolist() for column in (family, wording, relation))
                    found[number] = list(zip(*part, strict=True))
        for marks, some in chunks(numbers):
            sql = "SELECT prompt_no, family_no, wording, relation FROM late_members"
            for number, *entry in connection.execute(
                f"{sql} WHERE prompt_no IN ({marks}) ORDER BY prompt_no, rank", some
            ):
                found.setdefault(number, []).append((entry[0], entry[1], entry[2]))
        return found

    def _rows_in_order(self, connection: Connection) -> Iterator[dict[int, list[Entry]]]:
        """Memberships of all prompts, ascending, in pieces; a prompt's late ones follow those of the run."""
        spans = [row[0] for row in connection.execute("SELECT last_prompt FROM member_blocks ORDER BY last_prompt")]
        first = 0
        for last in [*spans, None]:
            bound = "" if last is None else f" AND prompt_no <= {last}"
            rows = connection.execute(
                f"SELECT DISTINCT prompt_no FROM late_members WHERE prompt_no >= ?{bound}", (first,)
            )
            late = [row[0] for row in rows]
            piece = {} if last is None else self._block_rows(connection, last)
            if late:
                for number, some in self._rows_of(connection, late).items():
                    piece[number] = some
            yield dict(sorted(piece.items()))
            first = 0 if last is None else last + 1

    def _block_rows(self, connection: Connection, last: int) -> dict[int, list[Entry]]:
        rows, body = connection.execute(
            "SELECT rows, body FROM member_blocks WHERE last_prompt = ?", (last,)
        ).fetchone()
        block = _whole([(rows, body)])
        pairs = zip(block.prompt_no.tolist(), _entries(block), strict=True)
        return {number: [entry for _, entry in some] for number, some in groupby(pairs, key=lambda pair: pair[0])}

    def _family_names(self, connection: Connection, numbers: set[int] | None) -> dict[int, tuple[str, tuple[str, ...]]]:
        """family_no → its id and the ids of its wordings."""
        sql = "SELECT family_no, family_id, wordings FROM families"
        found: dict[int, tuple[str, tuple[str, ...]]] = {}
        questions = (
            [("", ())] if numbers is None else [(f" WHERE family_no IN ({m})", s) for m, s in chunks(sorted(numbers))]
        )
        for where, values in questions:
            for number, name, wordings in connection.execute(sql + where, values):
                found[number] = name, tuple(item["wording_id"] for item in orjson.loads(wordings))
        return found


# ------------------------------------------------------------------ writing, called by findings.py
def write_members(connection: Connection, families: Sequence[Family], members: Members) -> None:
    """Replace all member rows by a run's."""
    for table in ("member_blocks", "family_prompts", "late_members"):
        connection.execute(f"DELETE FROM {table}")
    for start, end in _cuts(members.prompt_no):
        part = _slice(members, start, end)
        row = (int(part.prompt_no[-1]), end - start, _encoded(part))
        connection.execute("INSERT INTO member_blocks VALUES (?, ?, ?)", row)
    connection.executemany("INSERT INTO family_prompts VALUES (?, ?, ?)", _by_family(len(families), members))


def _by_family(families: int, members: Members) -> Iterator[tuple[int, int, bytes]]:
    """Family, first prompt and all prompts of each row: members come by prompt, and so do those of one family."""
    order = order_of(members.family)
    bounds = np.searchsorted(members.family[order], np.arange(families + 1)).tolist()
    prompts = members.prompt_no[order].astype("<i4")
    for family in range(families):
        for start in range(bounds[family], bounds[family + 1], FAMILY_CHUNK):
            some = prompts[start : min(start + FAMILY_CHUNK, bounds[family + 1])]
            yield family, int(some[0]), some.tobytes()


def late_rows(connection: Connection, since_no: int) -> list[Late]:
    """What ingest added for prompts that a run did not see, by the family's id, which outlives its number."""
    sql = (
        "SELECT prompt_no, rank, family_id, wording, relation, filling FROM late_members"
        " JOIN families USING (family_no) WHERE prompt_no >= ?"
    )
    return [tuple(row) for row in connection.execute(sql, (since_no,))]


def keep_late(connection: Connection, rows: Sequence[Late]) -> None:
    """Put such rows under the new numbers of their families, where those still are."""
    connection.executemany(
        "INSERT INTO late_members SELECT ?1, ?2, family_no, min(?4, json_array_length(wordings) - 1), ?5, ?6"
        " FROM families WHERE family_id = ?3",
        rows,
    )


def _cuts(prompt_no: Int64s) -> Iterator[tuple[int, int]]:
    """Borders of blocks that never part the rows of one prompt."""
    if len(prompt_no) and (np.diff(prompt_no) < 0).any():
        raise ValueError("member rows are not sorted by prompt")
    start = 0
    while start < len(prompt_no):
        end = min(start + BLOCK_ROWS, len(prompt_no))
        end = int(np.searchsorted(prompt_no, prompt_no[end - 1], side="right"))
        yield start, end
        start = end


def _slice(members: Members, start: int, end: int) -> Members:
    columns = {name: getattr(members, name)[start:end] for name, _ in KINDS}
    return Members(**columns, place=None if members.place is None else members.place[start:end])


def _entries(part: Members) -> list[Entry]:
    return list(zip(part.family.tolist(), part.wording.tolist(), part.relation.tolist(), strict=True))


def _encoded(part: Members) -> bytes:
    body = b"".join(getattr(part, name).astype(kind).tobytes() for name, kind in KINDS)
    return body if part.place is None else body + part.place.astype("u1").tobytes()


def _columns(rows: int, body: bytes) -> list[Any]:
    """The columns of a block as they lie there; the last is empty where places are not known."""
    found: list[Any] = []
    start = 0
    for _, kind in (*KINDS, ("place", "u1")):
        size = rows if start < len(body) else 0
        found.append(np.frombuffer(body, kind, count=size, offset=min(start, len(body))))
        start += found[-1].nbytes
    return found


def _from_rows(rows: Sequence[Sequence[int]]) -> Members:
    table = np.array(rows, dtype=np.int64).reshape(-1, len(KINDS))
    filling = np.ascontiguousarray(table[:, 4]).view(np.uint64)
    columns: dict[str, Any] = {name: table[:, i].astype(TYPES[i]) for i, (name, _) in enumerate(KINDS[:4])}
    return Members(**columns, filling=filling)


def _whole(blocks: Sequence[tuple[int, bytes]]) -> Members:
    """All blocks decoded, each into its place."""
    count = sum(rows for rows, _ in blocks)
    columns: dict[str, Any] = {name: np.empty(count, wanted) for (name, _), wanted in zip(KINDS, TYPES, strict=True)}
    place, known = np.zeros(count, np.uint8), False
    start = 0
    for rows, body in blocks:
        *some, at = _columns(rows, body)
        for column, values in zip(columns.values(), some, strict=True):
            column[start : start + rows] = values
        place[start : start + len(at)] = at
        known |= len(at) > 0
        start += rows
    return Members(**columns, place=place if known else None)


def _joined(stored: Members, late: Members) -> Members:
    """The second after the first; where those have one, a place of 0."""
    columns = {name: np.concatenate([getattr(stored, name), getattr(late, name)]) for name, _ in KINDS}
    if stored.place is None:
        return Members(**columns)
    return Members(**columns, place=np.concatenate([stored.place, np.zeros(len(late.prompt_no), np.uint8)]))


def _counted_anew(members: Members, left: Int64s) -> Members:
    """Rows of the families whose stored numbers are left, with each family's place among them instead."""
    if not len(left) or left[-1] == len(left) - 1:  # no gaps
        return members if len(left) else _rows_at(members, np.zeros(0, np.int64))
    place = np.searchsorted(left, members.family)
    there = np.flatnonzero(left[np.minimum(place, len(left) - 1)] == members.family)
    return replace(_rows_at(members, there), family=place[there].astype(np.int32))


def _rows_at(members: Members, rows: Int64s) -> Members:
    columns = {name: getattr(members, name)[rows] for name, _ in KINDS}
    return Members(**columns, place=None if members.place is None else members.place[rows])


def _signed(filling: int) -> int:
    """SQLite's integers are signed: the same 64 bits."""
    return filling - 2**64 if filling >= 2**63 else filling


def _membership(name: tuple[str, tuple[str, ...]], row: Entry) -> Membership:
    return Membership(name[0], name[1][row[1]], RELATIONS[row[2]])


def _events_of(
    connection: Connection,
    rows: Mapping[int, Sequence[Entry]],
    names: Mapping[int, tuple[str, tuple[str, ...]]],
) -> Iterator[MemberEvent]:
    """The events of these prompts, each once for every family."""
    sql = (
        "SELECT prompt_no, fingerprint, event_id, account_id, time FROM events"
        " JOIN prompts USING (prompt_no) JOIN accounts USING (account_no) WHERE prompt_no IN ({})"
        " ORDER BY prompt_no, account_no, time, event_id"
    )
    for marks, some in chunks(list(rows)):
        for events in blocks(connection, sql.format(marks), some):
            for number, fingerprint, event_id, account_id, time in events:
                outside = prompt_id(fingerprint)
                for row in rows[number]:
                    family, wordings = names[row[0]]
                    relation = RELATIONS[row[2]]
                    yield MemberEvent(event_id, outside, account_id, time, family, wordings[row[1]], relation)
