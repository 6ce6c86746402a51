"""`promptsim serve` as a process: what an operator sees, and what survives."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from api_samples import FIXED, event, events
from api_server import command, running, start

from promptsim.engine import Engine

KILLS = int(os.environ.get("PROMPTSIM_TEST_KILLS", "4"))  # 100 for the figure in docs/api.md


def test_serve_ingest_search_run_and_stop(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running(home) as server:
        assert "no keys" in server.log.read_text()
        with server.client() as client:
            assert client.post("/v1/prompts", json=events()).json()["accepted"] == 50
            hits = client.post("/v1/search", json={"text": FIXED, "k": 7}).json()["hits"]
            assert len(hits) == 7
            started = client.post("/v1/runs", json={})
            assert started.status_code == 202
            assert client.post("/v1/runs", json={}).status_code == 409
            deadline = time.monotonic() + 60
            while client.get(started.headers["location"]).json()["state"] == "running" and time.monotonic() < deadline:
                time.sleep(0.1)
            run = client.get(started.headers["location"]).json()
            assert (run["state"], run["counts"]["families"] >= 1) == ("finished", True)
            assert client.post("/v1/match", json={"text": FIXED + "x"}).json()["known"] is True
        assert server.stop() == 0
        assert server.log.read_text().endswith("stopped\n")
    with Engine.open(home, create=False) as engine:
        assert engine.status()["events"] == 50
        assert engine.check() == []


def test_a_stop_answers_what_is_under_way_and_ends_a_run(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running(home) as server, server.client() as client:
        batch = [event(i, f"a{i % 50}", f"{FIXED} {i} " * 20) for i in range(3000)]
        answers: list[httpx2.Response] = []
        sender = threading.Thread(target=lambda: answers.append(client.post("/v1/prompts", json=batch)))
        sender.start()
        time.sleep(0.15)
        with server.client() as other:
            other.post("/v1/runs", json={})
        assert server.stop() == 0
        sender.join(30)
    assert [answer.status_code for answer in answers] == [200]
    with Engine.open(home, create=False) as engine:
        assert engine.status()["events"] == answers[0].json()["accepted"] == 3000
        assert {run.state for run in engine.runs()} <= {"failed", "finished"}


def test_without_keys_only_this_machine_is_served(tmp_path: Path) -> None:
    home = tmp_path / "home"
    refused = command(home, "serve", "--host", "0.0.0.0", "--port", "0")
    assert refused.returncode == 2
    assert "without keys the server listens on this machine only" in refused.stderr
    made = command(home, "keys", "create", "alice", "--role", "search", "--json")
    token, key_id = (json.loads(made.stdout)[name] for name in ("key", "key_id"))
    assert token.startswith("ps_")
    listed = command(home, "keys", "list", "--json")
    assert [(key["name"], key["role"], key["revoked"]) for key in json.loads(listed.stdout)] == [
        ("alice", "search", None)
    ]
    assert token not in listed.stdout
    with running(home, ["--host", "0.0.0.0"]) as server:
        server.url = server.url.replace("0.0.0.0", "127.0.0.1")
        assert "no keys" not in server.log.read_text()
        with server.client() as client:
            assert client.get("/v1/families").status_code == 401
        with server.client(token) as client:
            assert client.get("/v1/families").status_code == 200
            assert command(home, "keys", "revoke", key_id).returncode == 0
            assert client.get("/v1/families").status_code == 401


def test_unusable_calls_are_one_line(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert "--cluster-every 'often'" in command(home, "serve", "--port", "0", "--cluster-every", "often").stderr
    with running(home) as server:
        port = server.url.rpartition(":")[2]
        taken = command(tmp_path / "other", "serve", "--port", port)
        assert taken.returncode == 2
        assert "cannot listen" in taken.stderr


def test_a_schedule_makes_up_for_a_run_at_once(tmp_path: Path) -> None:
    with running(tmp_path / "home", ["--cluster-every", "1d"]) as server, server.client() as client:
        client.post("/v1/prompts", json=events())
        deadline = time.monotonic() + 60
        while not (runs := client.get("/v1/runs").json()["runs"]) or runs[0]["state"] == "running":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert [run["state"] for run in runs] == ["finished"]


def test_many_clients_read_while_others_write(tmp_path: Path) -> None:
    with running(tmp_path / "home") as server, server.client() as shared:
        shared.post("/v1/prompts", json=events())
        stop = threading.Event()

        def ask(number: int) -> list[int]:
            seen = []
            with server.client() as client:
                while not stop.is_set():
                    path, body = ("/v1/search", {"text": FIXED}) if number % 2 else ("/v1/match", {"text": FIXED})
                    seen.append(client.post(path, json=body).status_code)
            return seen

        def send(number: int) -> list[int]:
            seen = []
            with server.client() as client:
                for i in range(15):
                    batch = [
                        event(10_000 * number + 100 * i + j, f"s{number}", f"text {number} {i} {j}") for j in range(50)
                    ]
                    seen.append(client.post("/v1/prompts", json=batch).status_code)
            return seen

        with ThreadPoolExecutor(20) as pool:
            readers = [pool.submit(ask, i) for i in range(16)]
            writers = [pool.submit(send, i) for i in range(1, 4)]
            assert {status for w in writers for status in w.result()} == {200}
            stop.set()
            assert {status for r in readers for status in r.result()} == {200}
        page = shared.get("/metrics").text
        assert "promptsim_events 2300.0" in page
        log = server.log.read_text()
        assert "locked" not in log
        assert "Traceback" not in log


def test_no_acknowledged_event_is_lost_when_the_server_is_killed(tmp_path: Path) -> None:
    """kill -9 at random moments under ingest load, again and again on one home."""
    home, rng = tmp_path / "home", random.Random(5)
    acknowledged: set[str] = set()
    lock, begun, kills, number = threading.Lock(), threading.Event(), 0, 0

    def send(url: str, first: int) -> None:
        with httpx2.Client(base_url=url, timeout=10) as client:
            for i in range(10_000):
                batch = [event(first + 20 * i + j, f"k{j}", f"text {first + 20 * i + j}") for j in range(20)]
                try:
                    answer = client.post("/v1/prompts", json=batch)
                except httpx2.HTTPError:
                    return
                if answer.status_code == 200:
                    begun.set()
                    with lock:
                        acknowledged.update(item["event_id"] for item in answer.json()["items"])

    while kills < KILLS:
        server = start(home)
        senders = [threading.Thread(target=send, args=(server.url, number + k * 1_000_000)) for k in range(3)]
        number += 10_000_000
        begun.clear()
        try:
            for sender in senders:
                sender.start()
            assert begun.wait(30), server.log.read_text()
            time.sleep(rng.uniform(0.0, 0.5))
        finally:
            server.kill()
        kills += 1
        for sender in senders:
            sender.join()
    with Engine.open(home, create=False) as engine:
        assert engine.check() == []
        stored = {each for each in acknowledged if engine._store.event(each).event_id == each}
    print(f"{kills} kills, {len(acknowledged):,} acknowledged events, {len(acknowledged - stored)} lost")
    assert len(acknowledged) > 100
    assert stored == acknowledged


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_loopback_has_several_names(host: str) -> None:
    from promptsim.cli.serve import is_loopback

    assert is_loopback(host)
    assert not is_loopback("192.0.2.1")
    assert not is_loopback("example.org")
