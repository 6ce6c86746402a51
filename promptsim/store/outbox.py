"""What happened ─► messages for webhooks, in the transaction of what caused them; ─► deliveries that fall due.

A message is written once, with one pending delivery for each webhook that asked for its type. Sending is the
enforcement room's; here is what must survive a restart: what is due, how often it was tried, how that ended.
"""

from __future__ import annotations

import secrets
import time as clock
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from promptsim.contract import rfc3339
from promptsim.errors import NotFoundError
from promptsim.store.audit import AuditEntry, append_audit
from promptsim.store.core import Core
from promptsim.store.database import Connection, explained

TYPES = ("family.flagged", "family.verdict", "network.flagged", "network.verdict", "run.finished", "account.joined")
MOST_BYTES = 20_000  # of a message, as Standard Webhooks recommends
CLAIM_US = 120_000_000  # a delivery that was taken up and never ended is due again after this
EACH = 5  # deliveries of one webhook taken up together: a receiver that is down does not hold up the others
_HOOK = 'webhook_id, url, types, secret, created, "by", disabled, why_disabled'
_DELIVERY = "message_id, webhook_id, type, state, tries, due, last_status, last_error, ended"


@dataclass(frozen=True, slots=True)
class Message:
    """Something that happened: its type, when, and ids and figures (never prompt text)."""

    type: str
    data: Mapping[str, object]
    time: int
    account_id: str | None = None  # the account that it names


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where messages of some types are sent; no types means all. The secret signs, and is shown once."""

    webhook_id: str
    url: str
    types: tuple[str, ...]
    secret: str
    created: int
    by: str
    disabled: int | None = None
    why_disabled: str | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """One delivery that was taken up: what to send where, and the how-manieth try this is."""

    message_no: int
    message_id: str
    body: bytes
    webhook: Webhook
    tries: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message on its way to one webhook, as a person sees it."""

    message_id: str
    webhook_id: str
    type: str
    state: str
    tries: int
    due: int
    last_status: int | None
    last_error: str | None
    ended: int | None


def post(connection: Connection, messages: Iterable[Message]) -> None:
    """Put messages into the outbox inside a transaction that is being written."""
    hooks = [_hook(row) for row in connection.execute(f"SELECT {_HOOK} FROM webhooks WHERE disabled IS NULL")]
    for message in messages:
        body = {"type": message.type, "timestamp": rfc3339(message.time), "data": message.data}
        text = orjson.dumps(body)
        if len(text) > MOST_BYTES:
            raise ValueError(f"a message of {len(text)} bytes: {MOST_BYTES} are the most")
        row = (f"msg_{secrets.token_urlsafe(18)}", message.type, message.time, message.account_id, text.decode())
        sql = "INSERT INTO outbox (message_id, type, time, account_id, body) VALUES (?, ?, ?, ?, ?)"
        number = connection.execute(sql, row).lastrowid
        now = clock.time_ns() // 1000
        connection.executemany(
            "INSERT INTO deliveries (message_no, webhook_id, state, tries, due) VALUES (?, ?, 'pending', 0, ?)",
            [(number, hook.webhook_id, now) for hook in hooks if message.type in (hook.types or TYPES)],
        )


class Outbox(Core):
    """Webhooks, and the messages on their way to them."""

    # ---------------------------------------------------------------- webhooks
    def add_webhook(self, webhook: Webhook) -> None:
        """Register a webhook; its messages begin with what happens next."""
        with self.database.writing(counted=False) as connection:
            row = (webhook.webhook_id, webhook.url, orjson.dumps(webhook.types).decode(), webhook.secret)
            sql = 'INSERT INTO webhooks (webhook_id, url, types, secret, created, "by") VALUES (?, ?, ?, ?, ?, ?)'
            connection.execute(sql, (*row, webhook.created, webhook.by))
            told = {"types": list(webhook.types)}
            append_audit(connection, [AuditEntry(webhook.by, "webhook.created", webhook.webhook_id, told)])

    def webhooks(self) -> list[Webhook]:
        """All webhooks, the oldest first; disabled ones too."""
        sql = f"SELECT {_HOOK} FROM webhooks ORDER BY created, webhook_id"
        with explained(self.home.database):
            return [_hook(row) for row in self.database.reader().execute(sql)]

    def webhook(self, webhook_id: str) -> Webhook:
        """One webhook; NotFoundError if there is none of this id."""
        found = [hook for hook in self.webhooks() if hook.webhook_id == webhook_id]
        if not found:
            raise NotFoundError(f"no webhook has the id {webhook_id!r}; `promptsim webhooks list` shows them")
        return found[0]

    def remove_webhook(self, webhook_id: str, *, by: str) -> None:
        """Forget a webhook and what was still on its way to it."""
        self.webhook(webhook_id)
        with self.database.writing(counted=False) as connection:
            connection.execute("DELETE FROM deliveries WHERE webhook_id = ?", (webhook_id,))
            connection.execute("DELETE FROM webhooks WHERE webhook_id = ?", (webhook_id,))
            append_audit(connection, [AuditEntry(by, "webhook.removed", webhook_id)])

    def disable_webhook(self, webhook_id: str, why: str, *, now: int) -> None:
        """Send it nothing more; what was on its way has failed."""
        with self.database.writing(counted=False) as connection:
            sql = "UPDATE webhooks SET disabled = ?, why_disabled = ? WHERE webhook_id = ? AND disabled IS NULL"
            connection.execute(sql, (now, why, webhook_id))
            sql = "UPDATE deliveries SET state = 'failed', ended = ?, last_error = ?"
            connection.execute(f"{sql} WHERE webhook_id = ? AND state = 'pending'", (now, why, webhook_id))
            append_audit(connection, [AuditEntry("promptsim", "webhook.disabled", webhook_id, {"why": why})])

    def enable_webhook(self, webhook_id: str, *, by: str) -> None:
        """Send to it again, from what happens next on; older messages can be replayed."""
        self.webhook(webhook_id)
        with self.database.writing(counted=False) as connection:
            sql = "UPDATE webhooks SET disabled = NULL, why_disabled = NULL WHERE webhook_id = ?"
            connection.execute(sql, (webhook_id,))
            append_audit(connection, [AuditEntry(by, "webhook.enabled", webhook_id)])

    # ---------------------------------------------------------------- deliveries
    def take_due(self, *, now: int, limit: int = 20) -> list[Due]:
        """Take up deliveries that are due: no other process gets them until they end or the claim lapses."""
        if not self._any_due(now):
            return []
        sql = (
            "SELECT message_no, message_id, body, webhook_id, tries FROM ("
            "SELECT *, row_number() OVER (PARTITION BY webhook_id ORDER BY due, message_no) AS place FROM deliveries"
            " WHERE state = 'pending' AND due <= ?"
            f") JOIN outbox USING (message_no) WHERE place <= {EACH} ORDER BY place, webhook_id LIMIT ?"
        )
        with self.database.writing(counted=False) as connection:
            rows = connection.execute(sql, (now, limit)).fetchall()
            hooks = {row[0]: _hook(row) for row in connection.execute(f"SELECT {_HOOK} FROM webhooks")}
            connection.executemany(
                "UPDATE deliveries SET due = ?, tries = tries + 1 WHERE webhook_id = ? AND message_no = ?",
                [(now + CLAIM_US, row[3], row[0]) for row in rows],
            )
        return [Due(row[0], row[1], row[2].encode(), hooks[row[3]], row[4] + 1) for row in rows]

    def end_try(
        self, due: Due, *, state: str, now: int, again: int = 0, status: int | None = None, error: str | None = None
    ) -> None:
        """Record how a try ended: `delivered`, `failed` for good, or `pending` until `again`."""
        ended = None if state == "pending" else now
        sql = "UPDATE deliveries SET state = ?, due = ?, last_status = ?, last_error = ?, ended = ?"
        values = (state, again, status, error, ended, due.webhook.webhook_id, due.message_no)
        with self.database.writing(counted=False) as connection:
            connection.execute(f"{sql} WHERE webhook_id = ? AND message_no = ? AND state = 'pending'", values)

    def replay(self, message_id: str, *, by: str, now: int, webhook_id: str | None = None) -> int:
        """Send a message again, under the same id, to its webhooks (or to one); returns to how many."""
        with self.database.writing(counted=False) as connection:
            row = connection.execute("SELECT message_no FROM outbox WHERE message_id = ?", (message_id,)).fetchone()
            if row is None:
                raise NotFoundError(f"no message has the id {message_id!r}; `promptsim webhooks messages` shows them")
            hooks = [row[0] for row in connection.execute("SELECT webhook_id FROM webhooks WHERE disabled IS NULL")]
            chosen = [name for name in hooks if webhook_id in (None, name)]
            connection.executemany(
                "REPLACE INTO deliveries (message_no, webhook_id, state, tries, due) VALUES (?, ?, 'pending', 0, ?)",
                [(row[0], name, now) for name in chosen],
            )
            append_audit(connection, [AuditEntry(by, "webhook.replayed", message_id, {"webhooks": len(chosen)})])
        return len(chosen)

    def deliveries(self, *, limit: int = 100, state: str | None = None) -> list[Delivery]:
        """Deliveries, of the newest messages first."""
        where, values = ("", ()) if state is None else (" WHERE state = ?", (state,))
        sql = f"SELECT {_DELIVERY} FROM deliveries JOIN outbox USING (message_no){where}"
        with explained(self.home.database):
            rows = self.database.reader().execute(
                sql + " ORDER BY message_no DESC, webhook_id LIMIT ?", (*values, limit)
            )
            return [Delivery(*row) for row in rows]

    def messages(self, *, limit: int = 100) -> list[tuple[str, bytes]]:
        """Messages, the newest first: id and body, whether or not anyone was there to be sent them."""
        sql = "SELECT message_id, body FROM outbox ORDER BY message_no DESC LIMIT ?"
        with explained(self.home.database):
            return [(row[0], row[1].encode()) for row in self.database.reader().execute(sql, (limit,))]

    def outbox_depth(self) -> int:
        """Deliveries that have not ended."""
        sql = "SELECT count(*) FROM deliveries WHERE state = 'pending'"
        with explained(self.home.database):
            return int(self.database.reader().execute(sql).fetchone()[0])

    def forget_messages(self, before: int) -> int:
        """Take away messages from before a time that are on their way to nobody; returns how many."""
        old = "time < ? AND message_no NOT IN (SELECT message_no FROM deliveries WHERE state = 'pending')"
        with self.database.writing(counted=False) as connection:
            gone = connection.execute(f"SELECT message_no FROM outbox WHERE {old}", (before,)).fetchall()
            take_away(connection, gone)
        return len(gone)

    def _any_due(self, now: int) -> bool:
        sql = "SELECT 1 FROM deliveries WHERE state = 'pending' AND due <= ? LIMIT 1"
        with explained(self.home.database):
            return self.database.reader().execute(sql, (now,)).fetchone() is not None


def take_away(connection: Connection, numbers: Sequence[tuple[int]]) -> None:
    """Delete messages with their deliveries."""
    connection.executemany("DELETE FROM deliveries WHERE message_no = ?", numbers)
    connection.executemany("DELETE FROM outbox WHERE message_no = ?", numbers)


def _hook(row: Sequence[object]) -> Webhook:
    values = list(row)
    values[2] = tuple(orjson.loads(str(row[2])))
    return Webhook(*values)  # type: ignore[arg-type]
