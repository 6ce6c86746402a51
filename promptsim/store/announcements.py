"""A run's result ─► messages: what is flagged now and was not before, and that the run is done.

Called inside `save_run`'s transaction: a result and its messages are kept together, or neither.
"""

from __future__ import annotations

from dataclasses import dataclass

from promptsim.contract import rfc3339
from promptsim.records import Run
from promptsim.store.database import Connection
from promptsim.store.outbox import Message, post
from promptsim.store.verdicts import standing

MOST_ANNOUNCED = 1_000  # flagged subjects of one kind told of one by one; the run's own message counts the rest
_KINDS = {
    "family": ("families", ("event_count", "account_count", "score", "p_value", "first_seen", "last_seen")),
    "network": ("networks", ("json_array_length(account_ids)", "score", "p_value", "first_seen", "last_seen")),
}


@dataclass(frozen=True, slots=True)
class Flagged:
    """What the result held flagged before it was replaced."""

    family: frozenset[str]
    network: frozenset[str]


def flagged(connection: Connection) -> Flagged:
    """Ids that are flagged in the current result."""
    return Flagged(_ids(connection, "family"), _ids(connection, "network"))


def announce_run(connection: Connection, run: Run, before: Flagged) -> None:
    """Post the messages of a run that has just been written. A verdict by a person is left alone."""
    verdicts = standing(connection)
    messages: list[Message] = []
    left_out = 0
    for kind, known in (("family", before.family), ("network", before.network)):
        fresh = sorted(_ids(connection, kind) - known - {s for s, v in verdicts.items() if v.verdict == "benign"})
        messages += [_told(connection, kind, subject, run) for subject in fresh[:MOST_ANNOUNCED]]
        left_out += len(fresh[MOST_ANNOUNCED:])
    data: dict[str, object] = {
        "run_id": run.run_id,
        "state": run.state,
        "counts": {name: n for name, n in run.counts.items() if not name.startswith("cut_")},
        "changes": dict(run.changes),
        "announced": len(messages),
        "not_announced": left_out,
    }
    post(connection, [*messages, Message("run.finished", data, run.finished or run.started)])


def _ids(connection: Connection, kind: str) -> frozenset[str]:
    rows = connection.execute(f"SELECT {kind}_id FROM {_KINDS[kind][0]} WHERE flagged")
    return frozenset(row[0] for row in rows)


def _told(connection: Connection, kind: str, subject: str, run: Run) -> Message:
    """Ids and figures. Not the accounts: which of them are to be handed on is for the exports, and a person."""
    table, columns = _KINDS[kind]
    row = connection.execute(f"SELECT {', '.join(columns)} FROM {table} WHERE {kind}_id = ?", (subject,)).fetchone()
    names = [name if "(" not in name else "account_count" for name in columns]
    data: dict[str, object] = {f"{kind}_id": subject, "run_id": run.run_id, **dict(zip(names, row, strict=True))}
    for name in ("first_seen", "last_seen"):
        data[name] = rfc3339(int(str(data[name])))
    return Message(f"{kind}.flagged", data, run.finished or run.started)
