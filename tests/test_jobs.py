"""Schedules are read, slots have one run however many servers there are, and failures are seen and tried again."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from api_samples import events

from promptsim import jobs
from promptsim.engine.shared import SharedEngine
from promptsim.errors import BusyError, UsageError
from promptsim.jobs import Runner, Scheduler, parse_schedule
from promptsim.records import Run


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[SharedEngine]:
    with SharedEngine.share(tmp_path / "home") as opened:
        opened.receive(orjson.dumps(events()))
        yield opened


def runner_of(engine: SharedEngine, told: list[Run] | None = None) -> Runner:
    return Runner(engine, engine._store.home.path, None, after_run=(told if told is not None else []).append)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ended(engine: SharedEngine, run: Run, seconds: float = 60) -> Run:
    """The run when it no longer runs."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        now = engine.run(run.run_id)
        if now.state != "running":
            return now
        time.sleep(0.05)
    raise AssertionError("the run did not end")


# ---------------------------------------------------------------- schedules
@pytest.mark.parametrize(
    ("text", "now", "slot"),
    [
        ("1h", "2026-03-01T12:34:56", "2026-03-01T12:00:00"),
        ("30m", "2026-03-01T12:34:56", "2026-03-01T12:30:00"),
        ("1d", "2026-03-01T12:34:56", "2026-03-01T00:00:00"),
        ("0 3 * * *", "2026-03-01T02:59:59", "2026-02-28T03:00:00"),
        ("*/15 * * * *", "2026-03-01T12:34:56", "2026-03-01T12:30:00"),
        ("0 6 * * 1", "2026-03-04T00:00:00", "2026-03-02T06:00:00"),  # a Monday: cron counts from Sunday
        ("0 6 * * 0", "2026-03-04T00:00:00", "2026-03-01T06:00:00"),
        ("0 6 * * 5-7", "2026-03-04T00:00:00", "2026-03-01T06:00:00"),
    ],
)
def test_a_slot_begins_when_a_run_became_due(text: str, now: str, slot: str) -> None:
    assert parse_schedule(text).slot(at(now)) == at(slot)


@pytest.mark.parametrize(
    "text", ["", "1", "1w", "0s", "1s", "-1h", "hourly", "* * *", "99 * * * *", "0 0 * * 9", "0 0 * * 5-1"]
)
def test_what_is_no_schedule_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match="--cluster-every"):
        parse_schedule(text)


# ---------------------------------------------------------------- once
def test_a_run_goes_on_in_a_process_of_its_own_and_is_recorded(engine: SharedEngine) -> None:
    told: list[Run] = []
    runner = runner_of(engine, told)
    started = runner.start()
    with pytest.raises(BusyError):
        runner.start()
    done = ended(engine, started)
    assert (done.state, done.error) == ("finished", None)
    assert done.counts["families"] >= 1
    assert set(done.seconds) >= {"finding families", "linking accounts"}
    deadline = time.monotonic() + 10
    while not told and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [run.run_id for run in told] == [started.run_id]
    runner.stop()


def test_two_servers_run_one_slot_once(engine: SharedEngine) -> None:
    schedule = parse_schedule("1d")
    with SharedEngine.share(engine._store.home.path) as other:
        first, second = (Scheduler(e, runner_of(e), schedule) for e in (engine, other))
        started = first.fire()
        assert started is not None
        assert second.fire() is None  # under way: the lease says so
        ended(engine, started)
        assert second.fire() is None  # done: the record says so
        assert first.fire() is None
    assert len(engine.runs()) == 1


def test_a_failed_run_leaves_its_slot_open(engine: SharedEngine) -> None:
    schedule = parse_schedule("1d")
    run = engine.begin_run(full=False)
    engine.give_up_run(run.run_id, "out of memory")
    assert engine.run(run.run_id).error == "out of memory"
    started = Scheduler(engine, runner_of(engine), schedule).fire()
    assert started is not None
    assert ended(engine, started).state == "finished"


def test_an_old_run_does_not_fill_todays_slot(engine: SharedEngine) -> None:
    yesterday = int((time.time() - 86_400) * 1e6)
    run = engine._store.start_run(now=yesterday)
    scheduler = Scheduler(engine, runner_of(engine), parse_schedule("1d"))
    assert engine.run(run.run_id).state == "running"  # of a process that died: its lease has run out
    assert scheduler._due(datetime.now(UTC))


def test_a_run_whose_process_was_killed_is_run_again_when_its_lease_has_ended(engine: SharedEngine) -> None:
    scheduler = Scheduler(engine, runner_of(engine), parse_schedule("1d"))
    assert scheduler.try_again() is None  # nothing was started in this slot: that is the schedule's to do
    dead = engine._store.start_run()  # a server that was killed, and its child with it
    assert scheduler.try_again() is None
    assert scheduler.fire() is None
    engine._store.renew_lease(dead.run_id, seconds=-1)
    again = scheduler.try_again()
    assert again is not None
    assert ended(engine, again).state == "finished"
    assert (engine.run(dead.run_id).state, scheduler.try_again()) == ("failed", None)
    assert "interrupted" in str(engine.run(dead.run_id).error)


def test_failed_runs_are_tried_again_after_growing_pauses(
    engine: SharedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = Scheduler(engine, runner_of(engine), parse_schedule("0 3 * * *"))
    failed = [Run(f"r_{i}", "failed", i, i * 1_000_000, False, {}, {}, {}) for i in range(6)]
    waits = [(jobs.pause_until(failed[-n:][::-1]) or 0) / 1e6 - 5 for n in range(1, 6)]
    assert waits == [60, 300, 900, 3600, 3600]
    run = engine.begin_run(full=False)
    engine.give_up_run(run.run_id, "out of memory")
    assert scheduler.try_again() is None  # the pause is not over
    monkeypatch.setattr(jobs, "PAUSES", (0.0,))
    again = scheduler.try_again()
    assert again is not None
    assert ended(engine, again).state == "finished"
    assert scheduler.try_again() is None


# ---------------------------------------------------------------- ends
def test_a_killed_child_is_recorded_as_a_failure(engine: SharedEngine) -> None:
    runner = runner_of(engine)
    started = runner.start()
    runner._children[started.run_id].kill()
    done = ended(engine, started)
    assert (done.state, "status -9" in str(done.error)) == ("failed", True)
    assert runner.failures == 1
    runner.start()  # the lease was given back
    runner.stop()


def test_stopping_ends_a_run_and_says_so(engine: SharedEngine) -> None:
    runner = runner_of(engine)
    started = runner.start()
    runner.stop()
    done = engine.run(started.run_id)
    assert done.state == "failed"
    with pytest.raises(BusyError, match="stopping"):
        runner.start()


def test_a_child_that_cannot_start_gives_the_lease_back(engine: SharedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = runner_of(engine)
    monkeypatch.setattr(jobs.sys, "executable", "/nonexistent/python")
    with pytest.raises(OSError):
        runner.start()
    assert engine.runs()[0].state == "failed"
    monkeypatch.undo()
    runner.start()
    runner.stop()


def test_the_index_is_built_by_another_process_and_adopted(
    engine: SharedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from promptsim.index import index

    monkeypatch.setattr(index, "TAIL_ROWS", 10)
    engine.catch_up(force=True)
    assert engine.needs_rebuild
    with SharedEngine.share(engine._store.home.path) as builder:
        builder._index.refresh(builder._store.vectors(), builder._store.alive())
        builder._index.rebuild()
    engine.catch_up(force=True)
    assert not engine.needs_rebuild
    assert engine.index_lag == 0
    assert runner_of(engine).build_index()  # nothing to do is no failure


def test_a_child_runs_at_lower_priority(engine: SharedEngine) -> None:
    runner = runner_of(engine)
    started = runner.start()
    child = runner._children[started.run_id].pid
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            niceness = os.getpriority(os.PRIO_PROCESS, child)
        except ProcessLookupError:
            break
        if niceness >= jobs.NICENESS["run"]:
            break
        time.sleep(0.02)
    assert niceness >= jobs.NICENESS["run"]
    runner.stop()


def test_a_child_is_given_the_models(engine: SharedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, str]] = []

    class Child:
        def __init__(self, _command: list[str], env: dict[str, str], **_options: object) -> None:
            given.append(env)

        def wait(self) -> int:
            return 0

    monkeypatch.delenv("PROMPTSIM_MODEL", raising=False)
    monkeypatch.setattr(jobs.subprocess, "Popen", Child)
    assert Runner(engine, engine._store.home.path, None, "another").build_index()
    assert given[0]["PROMPTSIM_WORDING_MODEL"] == "another"
    assert "PROMPTSIM_MODEL" not in given[0]
