"""Who was shown prompt text ─► the audit log, a few entries a transaction.

A decision is logged in the transaction that makes it (store room). A read is not worth a flush to the disk of its own
under load: reads are gathered for at most `FLUSH_SECONDS` and kept together; a kill loses at most those. A reader who
asks for many is still one entry each, with what was asked for as an id, a figure or a keyed hash: never prompt text.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from typing import Protocol

from promptsim.store.audit import AuditEntry
from promptsim.store.store import Store

log = logging.getLogger("promptsim.audit")
FLUSH_SECONDS = 0.25
MOST_WAITING = 1_000  # entries that wait at most: the reader whose entry fills it up waits for the disk
_PLAIN = re.compile(
    r"((f|w|p|v|r|k|net|msg|wh)_[A-Za-z0-9_-]{1,64}|\d+ hits|members|families|networks|accounts|verdicts)"
)


class Named(Protocol):
    """Whoever asks, by name."""

    @property
    def name(self) -> str: ...


class Trail:
    """Notes reads from any thread; closing it writes what waits."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[AuditEntry] = []
        self._state = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="audit", daemon=True)
        self._thread.start()

    def read(self, actor: str, action: str, subject: str, **detail: object) -> None:
        """Note that somebody was shown prompt text: what kind of view, and of what (an id, or a figure)."""
        entry = read_entry(self._store, actor, action, subject, **detail)
        with self._state:
            self._waiting.append(entry)
            full = len(self._waiting) >= MOST_WAITING
            self._state.notify()
        if full:
            self.flush()

    def after_read(self, _engine: object, caller: Named, action: str, subject: str) -> None:
        """`read`, as the service calls it."""
        self.read(caller.name, action, subject)

    def flush(self) -> None:
        """Write what waits; it is durable when this returns."""
        with self._state:
            entries, self._waiting = self._waiting, []
        try:
            self._store.add_audit(entries)
        except BaseException:
            with self._state:
                self._waiting = entries + self._waiting  # nothing is dropped: the next flush tries again
            raise

    def close(self) -> None:
        """Write what waits and end."""
        with self._state:
            self._stopped = True
            self._state.notify()
        self._thread.join(timeout=10)
        self.flush()

    def _work(self) -> None:
        while True:
            with self._state:
                self._state.wait_for(lambda: self._waiting or self._stopped)
                if self._stopped:
                    return
            time.sleep(FLUSH_SECONDS)
            try:
                self.flush()
            except Exception:
                log.exception("reads could not be logged; tried again")
                time.sleep(1.0)


def read_entry(store: Store, actor: str, action: str, subject: str, **detail: object) -> AuditEntry:
    """One read. What is not plainly an id of ours or a figure (an account, a text) stands there as a keyed hash."""
    shown = subject if not subject or _PLAIN.fullmatch(subject) else store.pseudonym(subject)
    return AuditEntry(actor, f"read.{action.replace(' ', '-')}", shown, detail, time.time_ns() // 1000)
