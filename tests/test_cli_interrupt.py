"""Ctrl-C at any moment: what was acknowledged is kept, nothing is there twice, and the same command goes on."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from promptsim.store.store import Store

WORDS = [a + b for a in ("ba", "ce", "di", "fo", "gu", "ha") for b in ("band", "dust", "fern", "glow", "harp")]
EVENTS = 120_000


def start(home: Path, *arguments: str) -> subprocess.Popen[str]:
    code = "from promptsim.cli.app import run; run()"
    call = [sys.executable, "-c", code, "--home", str(home), *arguments]
    return subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def interrupted(process: subprocess.Popen[str], when: Callable[[], bool]) -> str:
    """Send Ctrl-C as soon as `when` holds; what the command says on standard error."""
    until = time.monotonic() + 120
    while not when() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 130, said  # 128 + SIGINT, as shells expect
    return said


def finished(process: subprocess.Popen[str]) -> str:
    out, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    return out + said


def events_in(home: Path) -> int:
    if not (home / "promptsim.db").exists():
        return 0
    with Store.open(home, create=False) as store:
        return store.counts().events


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = random.Random(1)
    path = tmp_path_factory.mktemp("traffic") / "traffic.jsonl"
    with path.open("w", encoding="utf-8") as out:
        for number in range(EVENTS):
            text = f"Say in one word what this is about: {' '.join(rng.choices(WORDS, k=30))}"
            stamp = f"2025-03-01T00:{number // 60 % 60:02}:{number % 60:02}Z"
            event = {"id": f"e{number}", "account_id": f"a{number % 500}", "timestamp": stamp, "text": text}
            out.write(json.dumps(event) + "\n")
    return path


def test_an_ingest_goes_on_where_it_was_interrupted(tmp_path: Path, traffic: Path) -> None:
    said = interrupted(start(tmp_path, "ingest", str(traffic)), lambda: events_in(tmp_path) > 0)
    kept = events_in(tmp_path)
    assert "interrupted" in said
    assert 0 < kept < EVENTS
    out = finished(start(tmp_path, "ingest", str(traffic)))
    assert f"{EVENTS - kept:,} accepted, {kept:,} already known" in out
    assert events_in(tmp_path) == EVENTS


def test_a_run_that_is_interrupted_leaves_the_last_result_and_the_way_free(tmp_path: Path, traffic: Path) -> None:
    finished(start(tmp_path, "ingest", str(traffic)))
    process = start(tmp_path, "cluster")
    with Store.open(tmp_path, create=False) as store:
        running = interrupted(process, lambda: any(run.state == "running" for run in store.runs(limit=1)))
        assert "interrupted" in running
        assert [run.state for run in store.runs(limit=5)] == ["failed"]
        assert store.families() == []
        finished(start(tmp_path, "cluster"))  # at once: the lease was given back
        assert [run.state for run in store.runs(limit=5)] == ["finished", "failed"]
        assert [(family.event_count, family.account_count) for family in store.families()] == [(EVENTS, 500)]
