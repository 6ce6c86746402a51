"""What a server keeps while it runs, for all that speak HTTP: one shared engine, who may call, runs, hooks, threads.

    request ─► api or web ─► Service.call (a bounded pool of threads) ─► SharedEngine
                   └► Service.caller (which key, which role)

Neither `api` nor `web` is imported here: both stand on this.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from promptsim.engine.receiving import Receipt
from promptsim.engine.shared import SharedEngine
from promptsim.errors import BusyError, PromptsimError
from promptsim.jobs import Runner, Schedule, Scheduler
from promptsim.records import Run
from promptsim.store.access import ROLES

log = logging.getLogger("promptsim.service")
Answer = TypeVar("Answer")
WATCH_SECONDS = 1.0
MOST_WAITING = 200  # calls that wait for a thread, in each pool; the next ones are told to come back


class NotReadyError(PromptsimError):
    """The index does not answer yet: it is being opened or built."""

    code = "not-ready"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the name of the key, which verdicts and the audit log are signed with, and what it may do."""

    name: str
    role: str
    key_id: str | None = None

    def may(self, role: str) -> bool:
        """Whether this caller's role covers another."""
        return ROLES.index(self.role) >= ROLES.index(role)


LOCAL = Caller("local", "admin")  # everyone on this machine, while no key was ever made


@dataclass(frozen=True, slots=True)
class Hooks:
    """What other rooms add: called after the fact, in a thread of the pool; an error is logged and costs nothing."""

    after_ingest: tuple[Callable[[SharedEngine, Receipt], None], ...] = ()
    after_run: tuple[Callable[[SharedEngine, Run], None], ...] = ()
    after_read: tuple[Callable[[SharedEngine, Caller, str, str], None], ...] = ()  # caller, action, what


class Pool:
    """A fixed number of threads that last, so that each keeps its connection to the store; a bounded queue."""

    def __init__(self, name: str, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self.threads, self.waiting = threads, 0

    async def call(self, work: Callable[[], Answer]) -> Answer:
        """The answer of `work`, computed off the event loop; BusyError when too many wait already."""
        if self.waiting >= MOST_WAITING + self.threads:
            raise BusyError("too many requests are waiting: try again in a moment")
        self.waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self.waiting -= 1

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)


class Service:
    """One open home, served. `searching`, `writing` and `reading` are its pools; `match` must not wait for exports."""

    def __init__(
        self,
        engine: SharedEngine,
        home: Path,
        model: str | None,
        *,
        wording_model: str | None = None,
        schedule: Schedule | None = None,
        hooks: Hooks | None = None,
    ) -> None:
        self.engine, self.home, self.hooks = engine, home, hooks or Hooks()
        self.searching, self.matching = Pool("search", 2), Pool("match", 1)
        self.writing, self.reading = Pool("write", 2), Pool("read", 3)
        self.runner = Runner(engine, home, model, wording_model, after_run=self._after_run)
        self.scheduler = Scheduler(engine, self.runner, schedule) if schedule else None
        self._ready, self._stop = threading.Event(), threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watch", daemon=True)

    @classmethod
    def open(
        cls,
        home: Path,
        *,
        model: str | None = None,
        wording_model: str | None = None,
        schedule: Schedule | None = None,
        hooks: Hooks | None = None,
    ) -> Service:
        """Open the home and begin to warm up; `ready` says when the index answers."""
        engine = SharedEngine.share(home, model=model)
        service = cls(engine, home, model, wording_model=wording_model, schedule=schedule, hooks=hooks)
        service._watcher.start()
        if service.scheduler is not None:
            service.scheduler.start()
        return service

    def close(self) -> None:
        """Finish what was accepted, end child processes, close the home."""
        if self.scheduler is not None:
            self.scheduler.stop()
        self._stop.set()
        self.runner.stop()
        for pool in (self.searching, self.matching, self.writing, self.reading):
            pool.close()
        self._watcher.join(timeout=5)
        self.engine.close()

    # ---------------------------------------------------------------- readiness
    @property
    def ready(self) -> bool:
        """Whether the index answers."""
        return self._ready.is_set()

    def wait_until_ready(self, seconds: float) -> bool:
        """Whether the index answers within so many seconds."""
        return self._ready.wait(seconds)

    def require_ready(self) -> None:
        """NotReadyError while searches would have to read everything one by one."""
        if not self.ready:
            raise NotReadyError("the index is being opened or built: try again in a moment")

    def _watch(self) -> None:
        """Keep the index near the store: refresh it between searches, and have it built when its tail is long."""
        wait = 0.0
        while not self._stop.wait(wait):
            wait = WATCH_SECONDS
            try:
                self.engine.catch_up(force=not self.ready)
                if self.engine.needs_rebuild and self.runner.build_index():
                    self.engine.catch_up(force=True)
                if not self.engine.needs_rebuild and not self.ready:
                    self.engine.warm()
                    self._ready.set()
            except Exception:
                log.exception("the index could not be brought up to date; tried again")
                wait = 10 * WATCH_SECONDS

    # ---------------------------------------------------------------- who calls
    def caller(self, token: str | None) -> Caller | None:
        """Who sends this bearer key; everyone is `local` while no key was ever made (then only loopback listens)."""
        if token is not None:
            key = self.engine.key_of(token)
            return None if key is None else Caller(key.name, key.role, key.key_id)
        return None if self.engine.has_keys() else LOCAL

    # ---------------------------------------------------------------- hooks
    def receive(self, body: bytes) -> Receipt:
        """Store the items of an ingest request; durable when this returns."""
        receipt = self.engine.receive(body)
        if receipt.accepted:
            self._each(self.hooks.after_ingest, self.engine, receipt)
        return receipt

    def read(self, caller: Caller, action: str, what: str) -> None:
        """Note that somebody was shown prompt text."""
        self._each(self.hooks.after_read, self.engine, caller, action, what)

    def _after_run(self, run: Run) -> None:
        self._each(self.hooks.after_run, self.engine, run)

    def _each(self, hooks: tuple[Callable[..., None], ...], *arguments: object) -> None:
        for hook in hooks:
            try:
                hook(*arguments)
            except Exception:
                log.exception("%s failed", getattr(hook, "__qualname__", hook))
