"""The outbox ─► signed requests to webhooks, tried again for four days, never into the operator's own network.

    take up what is due ─► resolve once ─► sign ─► POST to that address ─► delivered, due again, failed, or disabled

Standard Webhooks: the same `webhook-id` in every try, so that a receiver can drop what it has seen; a fresh timestamp
and signature in each.
"""

from __future__ import annotations

import asyncio
import email.utils
import logging
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b

import httpx2
from standardwebhooks.webhooks import Webhook as Signer

from promptsim.enforcement.addresses import IpNetwork, Resolver, Target, resolve
from promptsim.errors import PromptsimError
from promptsim.store.outbox import Due, Webhook
from promptsim.store.store import Store

log = logging.getLogger("promptsim.webhooks")
SECOND = 1_000_000
GAPS = (0, 5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)  # before each try
JITTER = 0.1  # of a gap, at most, added: a receiver that comes back is not met by everything at once
LONGEST_WAIT = 24 * 3600  # that a receiver may ask for
TIMEOUT = 15.0  # seconds for one request, all of it
KEPT_US = 30 * 86_400 * SECOND  # messages are kept so long, for replay by hand
GONE = 410
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one try ended: an HTTP status, or the reason why there is none; what the receiver asked for."""

    status: int | None = None
    error: str | None = None
    retry_after: float = 0.0


Send = Callable[[str, bytes, Webhook, int], Outcome]  # message id, body, webhook, now


def deliver_due(store: Store, send: Send, *, now: int | None = None) -> int:
    """One round: try everything that is due, and record how it ended; returns how many tries."""
    moment = time.time_ns() // 1000 if now is None else now
    taken = store.take_due(now=moment)
    if not taken:
        return 0
    with ThreadPoolExecutor(min(AT_ONCE, len(taken)), thread_name_prefix="webhook") as pool:
        outcomes = pool.map(lambda due: send(due.message_id, due.body, due.webhook, moment), taken)
        for due, outcome in zip(taken, outcomes, strict=True):
            _record(store, due, outcome, moment)
    return len(taken)


def _record(store: Store, due: Due, outcome: Outcome, now: int) -> None:
    status, error = outcome.status, outcome.error
    if status is not None and 200 <= status < 300:
        store.end_try(due, state="delivered", now=now, status=status)
        return
    if status == GONE:
        store.end_try(due, state="failed", now=now, status=status, error="the receiver is gone (410)")
        store.disable_webhook(due.webhook.webhook_id, "the receiver answered 410 Gone", now=now)
        return
    if error is None:
        error = "redirects are not followed" if status is not None and 300 <= status < 400 else f"status {status}"
    wait = next_gap(due.message_id, due.tries, outcome.retry_after)
    if wait is None:
        store.end_try(due, state="failed", now=now, status=status, error=error)
        log.warning("webhook %s: given up %s after %d tries", due.webhook.webhook_id, due.message_id, due.tries)
        return
    store.end_try(due, state="pending", now=now, again=now + int(wait * SECOND), status=status, error=error)


def next_gap(message_id: str, tries: int, retry_after: float = 0.0) -> float | None:
    """Seconds until the next try after so many; None after the last. The jitter is the message's own."""
    if tries >= len(GAPS):
        return None
    drawn = int.from_bytes(blake2b(f"{message_id}:{tries}".encode(), digest_size=4).digest(), "big") / 2**32
    return max(GAPS[tries] * (1 + JITTER * drawn), min(retry_after, LONGEST_WAIT))


class Sender:
    """Signs and sends one message; one connection for each, to an address that was looked at first."""

    def __init__(
        self, allow: Sequence[IpNetwork] = (), *, resolver: Resolver | None = None, timeout: float = TIMEOUT
    ) -> None:
        self._allow, self._resolver, self._timeout = tuple(allow), resolver, timeout
        self._trust = ssl.create_default_context()

    def __call__(self, message_id: str, body: bytes, webhook: Webhook, now: int) -> Outcome:
        """One try. Nothing of the answer but its status and `Retry-After` is read."""
        try:
            target = resolve(webhook.url, self._allow, self._resolver)
        except PromptsimError as problem:
            return Outcome(error=str(problem))
        headers = signed(message_id, body, webhook.secret, now) | {
            "host": target.host_header,
            "content-type": "application/json",
            "user-agent": "promptsim",
        }
        try:
            return asyncio.run(self._posted(target, body, headers, now))
        except TimeoutError:  # of all of it: a receiver that sends a byte now and then holds nobody up
            return Outcome(error=f"no answer within {self._timeout:.0f} seconds")
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            return Outcome(error=f"{type(error).__name__}: {error}"[:300])

    async def _posted(self, target: Target, body: bytes, headers: Mapping[str, str], now: int) -> Outcome:
        client = httpx2.AsyncClient(
            verify=self._trust,
            timeout=self._timeout,
            follow_redirects=False,
            trust_env=False,  # no proxy: it would resolve
        )
        async with asyncio.timeout(self._timeout), client:
            request = client.stream(
                "POST", target.url, content=body, headers=dict(headers), extensions={"sni_hostname": target.host}
            )
            async with request as answer:
                return Outcome(answer.status_code, retry_after=_asked(answer.headers.get("retry-after"), now))


def signed(message_id: str, body: bytes, secret: str, now: int) -> dict[str, str]:
    """The three headers of Standard Webhooks."""
    moment = datetime.fromtimestamp(now // SECOND, UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(now // SECOND),
        "webhook-signature": Signer(secret).sign(message_id, moment, body.decode()),
    }


def _asked(value: str | None, now: int) -> float:
    """`Retry-After` as seconds: a number, or a date."""
    if value is None:
        return 0.0
    if value.strip().isdecimal():
        return float(min(int(value), LONGEST_WAIT))
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now / SECOND)
    except (ValueError, TypeError):
        return 0.0


class Courier:
    """Delivers in a thread of its own until it is stopped; several processes may each have one."""

    def __init__(self, store: Store, allow: Sequence[IpNetwork] = (), *, every: float = 1.0) -> None:
        self._store, self._sender, self._every = store, Sender(allow), every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="webhooks", daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def stop(self) -> None:
        """End after the request that is under way; what is not delivered stays in the outbox."""
        self._stop.set()
        self._thread.join(timeout=TIMEOUT + 5)

    def _work(self) -> None:
        wait, cleaned = 0.0, 0.0
        while not self._stop.wait(wait):
            wait = self._every
            try:
                if deliver_due(self._store, self._sender):
                    wait = 0.0
                if time.monotonic() - cleaned > 3600 or not cleaned:
                    self._store.forget_messages(time.time_ns() // 1000 - KEPT_US)
                    cleaned = time.monotonic()
            except Exception:
                log.exception("webhooks could not be delivered; tried again")
                wait = 10 * self._every
