"""Clustering runs beside a server: each in a process of its own, once however many servers there are, on a schedule.

    schedule ─► due? ─► lease (store) ─► child process, lower priority ─► run record ─► after_run

The lease makes two runs at a time impossible; slots of time that all servers count alike make one slot one run.
A run that fails, or whose process was killed, is recorded with its error and leaves its slot open: it is tried again
after a pause that grows with each failure.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptsim.engine.shared import SharedEngine, build_index, carry_out
from promptsim.errors import BusyError, PromptsimError, UsageError
from promptsim.records import Run
from promptsim.settings import MODEL_VARIABLE, WORDING_MODEL_VARIABLE

if TYPE_CHECKING:
    from apscheduler.schedulers.background import BackgroundScheduler

log = logging.getLogger("promptsim.jobs")
NICENESS = {"run": 10, "index": 2}  # of a child: search goes before a run, and gains from an index that is soon built
STOP_SECONDS = 10.0  # that a child has to record its end before it is killed
SHORTEST = timedelta(seconds=10)
LOOK_SECONDS = 15  # between looks whether a run of this slot is to be tried again
PAUSES = (60.0, 300.0, 900.0, 3600.0)  # seconds after the first failure in a slot, the second …; the last one lasts
_INTERVAL = re.compile(r"(\d{1,6})\s*(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
AfterRun = Callable[[Run], None]


# ---------------------------------------------------------------- the schedule
@dataclass(frozen=True, slots=True)
class Schedule:
    """When runs are due: every so often (slots counted from 1970, the same for every server), or by a cron line."""

    text: str
    interval: timedelta | None = None

    def trigger(self) -> Any:
        """What APScheduler fires by."""
        from apscheduler.triggers.cron import CronTrigger
        from apscheduler.triggers.interval import IntervalTrigger

        if self.interval is not None:
            start = datetime.fromtimestamp(0, UTC)
            return IntervalTrigger(seconds=int(self.interval.total_seconds()), start_date=start, timezone=UTC)
        *fields, weekdays = self.text.split()
        return CronTrigger.from_crontab(" ".join([*fields, _weekdays(weekdays)]), timezone=UTC)

    def slot(self, now: datetime) -> datetime:
        """The beginning of the slot that `now` lies in: the last time at which a run became due."""
        if self.interval is not None:
            return datetime.fromtimestamp(
                now.timestamp() // self.interval.total_seconds() * self.interval.total_seconds(), UTC
            )
        trigger, looked_back = self.trigger(), timedelta(minutes=1)
        while looked_back < timedelta(days=3660):
            fired, found = trigger.get_next_fire_time(None, now - looked_back), None
            while fired is not None and fired <= now:
                found, fired = fired, trigger.get_next_fire_time(fired, fired + timedelta(seconds=1))
            if found is not None:
                begun: datetime = found.astimezone(UTC)
                return begun
            looked_back *= 4
        return datetime.fromtimestamp(0, UTC)


def parse_schedule(text: str) -> Schedule:
    """`1h`, `30m`, `90s`, `1d`, or five fields of cron (UTC). UsageError for anything else."""
    plain = " ".join(text.split())
    found = _INTERVAL.fullmatch(plain)
    if found:
        interval = timedelta(**{_UNITS[found[2]]: int(found[1])})
        if interval < SHORTEST:
            raise UsageError(f"--cluster-every {text!r}: at least {SHORTEST.seconds}s")
        return Schedule(plain, interval)
    try:
        schedule = Schedule(plain)
        schedule.trigger()
    except ValueError as error:
        raise UsageError(
            f"--cluster-every {text!r}: write 1h, 30m or 5 fields of cron such as '0 3 * * *' ({error})"
        ) from None
    return schedule


def _weekdays(field: str) -> str:
    """cron counts weekdays from Sunday (0 or 7), APScheduler from Monday: numbers become names."""
    if not re.search(r"\d", field) or field.startswith("*"):
        return field
    days: list[str] = []
    for part in field.split(","):
        span = re.fullmatch(r"([0-7])(?:-([0-7])(?:/([1-7]))?)?", part)
        if span is None:
            raise ValueError(f"day of the week {part!r}")
        first, last = int(span[1]), int(span[2] or span[1])
        if last < first:
            raise ValueError(f"days of the week {part!r} run backwards")
        days.extend(_DAYS[day % 7] for day in range(first, last + 1, int(span[3] or 1)))
    return ",".join(dict.fromkeys(days))


# ---------------------------------------------------------------- a run in a process of its own
class Runner:
    """Starts clustering runs and index builds as child processes, one of each at a time, and waits for them."""

    def __init__(
        self,
        engine: SharedEngine,
        home: Path,
        model: str | None,
        wording_model: str | None = None,
        after_run: AfterRun = lambda _run: None,
    ) -> None:
        self._engine, self._home, self._after_run = engine, home, after_run
        self._models = {MODEL_VARIABLE: model, WORDING_MODEL_VARIABLE: wording_model}
        self._lock = threading.Lock()
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._waiter: threading.Thread | None = None
        self._stopping = False
        self.failures = 0

    def start(self, *, full: bool = False) -> Run:
        """Take the lease and start a run; BusyError while one is under way here or anywhere else."""
        with self._lock:
            if self._stopping:
                raise BusyError("the server is stopping: start the run again when it is back")
            run = self._engine.begin_run(full=full)
            try:
                child = self._child("run", run.run_id)
            except OSError as error:
                self._engine.give_up_run(run.run_id, f"its process could not be started: {error}")
                raise
        self._waiter = threading.Thread(target=self._wait_for_run, args=(run, child), name="run", daemon=True)
        self._waiter.start()
        return run

    def build_index(self) -> bool:
        """Fold the newest prompts into the index beside the searches; returns when done, whether it succeeded."""
        with self._lock:
            if self._stopping or "index" in self._children:
                return False
            child = self._child("index")
        status = child.wait()
        self._forget("index")
        return status == 0

    def stop(self) -> None:
        """End what is under way; a run records that it was stopped."""
        with self._lock:
            self._stopping = True
            children = dict(self._children)
        for child in children.values():
            child.terminate()
        for name, child in children.items():
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            if name != "index":
                self._engine.give_up_run(name, "stopped with the server")
        if self._waiter is not None:
            self._waiter.join(STOP_SECONDS)

    # ---------------------------------------------------------------- inside
    def _child(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "promptsim.jobs", arguments[0], str(self._home), *arguments[1:]]
        environment = os.environ | {
            "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // 2))
        }  # the rest is for search
        environment |= {name: model for name, model in self._models.items() if model}
        child = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self._children[arguments[-1] if len(arguments) > 1 else arguments[0]] = child
        return child

    def _forget(self, name: str) -> None:
        with self._lock:
            self._children.pop(name, None)

    def _wait_for_run(self, run: Run, child: subprocess.Popen[bytes]) -> None:
        status = child.wait()
        self._forget(run.run_id)
        with suppress(PromptsimError):  # the home may be closed by now: then its next opening sees the lease run out
            if status != 0:
                self.failures += 1
                self._engine.give_up_run(run.run_id, f"its process ended with status {status}")
            self._after_run(self._engine.run(run.run_id))


class Scheduler:
    """Starts runs when they are due; APScheduler with its jobs in memory, since the store knows what was done."""

    def __init__(self, engine: SharedEngine, runner: Runner, schedule: Schedule) -> None:
        self._engine, self._runner, self.schedule = engine, runner, schedule
        self._scheduler: BackgroundScheduler | None = None

    def start(self) -> None:
        """Begin; a slot that has had no run yet is made up for at once."""
        from apscheduler.schedulers.background import BackgroundScheduler

        scheduler = BackgroundScheduler(timezone=UTC)
        options: dict[str, Any] = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        scheduler.add_job(self.fire, self.schedule.trigger(), id="cluster", **options)
        scheduler.add_job(self.try_again, "interval", seconds=LOOK_SECONDS, id="again", **options)
        if self.schedule.interval is not None:
            soon = datetime.now(UTC) + timedelta(seconds=5)
            scheduler.add_job(self.fire, "date", run_date=soon, id="catch-up", **options)
        scheduler.start()
        self._scheduler = scheduler

    def stop(self) -> None:
        """No more firings."""
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)

    def fire(self) -> Run | None:
        """Start a run if the slot has had none; None where there was nothing to do, or another process does it."""
        if not self._due(datetime.now(UTC)):
            return None
        try:
            return self._runner.start()
        except BusyError as busy:
            log.debug("scheduled run not started: %s", busy)
        except Exception:
            log.exception("scheduled run not started; tried again when next due")
        return None

    def try_again(self) -> Run | None:
        """Start the run of this slot that was started and did not finish, once its pause is over."""
        now = datetime.now(UTC)
        tried = self._of_slot(now)
        if not tried or (pause_until(tried) or 0) > now.timestamp() * 1e6:
            return None
        return self.fire()

    def _due(self, now: datetime) -> bool:
        """Whether the slot has no result yet; one that is under way holds the lease, and one that died has lost it."""
        return not any(run.state == "finished" for run in self._of_slot(now))

    def _of_slot(self, now: datetime) -> list[Run]:
        slot = self.schedule.slot(now).timestamp() * 1e6
        return [run for run in self._engine.runs_from(limit=20, offset=0) if run.started >= slot]


def pause_until(tried: Sequence[Run]) -> float | None:
    """When the failed runs of a slot, the newest first, may be tried again; None where the newest did not fail."""
    ended = tried[0].finished
    if tried[0].state != "failed" or ended is None:
        return None
    return ended + 1e6 * PAUSES[min(len(tried), len(PAUSES)) - 1]


# ---------------------------------------------------------------- the child process
class _Recorded:
    """Progress of a run into its record: the stages that are done, with their seconds."""

    def __init__(self, record: Callable[[dict[str, float]], None]) -> None:
        self._record = record
        self._seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[_Recorded]:  # noqa: ARG002
        began = time.perf_counter()
        yield self
        self._seconds[name] = round(time.perf_counter() - began, 3)
        self._record(self._seconds)

    def advance(self, steps: int) -> None:
        """Stages are recorded when they are done."""


def main(arguments: list[str]) -> int:
    """`python -m promptsim.jobs run HOME RUN_ID` or `index HOME`: what a `Runner` starts."""
    import signal

    def stopped(_number: int, _frame: object) -> None:
        raise SystemExit("stopped with the server")

    signal.signal(signal.SIGTERM, stopped)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at the server is for the server, which ends its children
    what, home = arguments[0], Path(arguments[1])
    with suppress(OSError):
        os.nice(NICENESS[what])
    model, wording_model = (os.environ.get(name) or None for name in (MODEL_VARIABLE, WORDING_MODEL_VARIABLE))
    try:
        if what == "index":
            build_index(home, model=model)
        else:
            carry_out(home, arguments[2], model=model, wording_model=wording_model, progress_to=_Recorded)
    except PromptsimError as error:
        print(f"promptsim: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
