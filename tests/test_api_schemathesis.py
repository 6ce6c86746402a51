"""Schemathesis against the real server: all its checks on every operation, with and without stateful links."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from api_samples import events
from api_server import command, running

TESTS = Path(__file__).resolve().parent
SECONDS = 40


def test_the_server_keeps_to_its_document(tmp_path: Path) -> None:
    home = tmp_path / "home"
    token = command(home, "keys", "create", "tester", "--role", "admin").stdout.strip()
    with running(home, ["--rate-limit", "100000/second"]) as server:
        with server.client(token) as client:
            assert client.post("/v1/prompts", json=events()).json()["accepted"] == 50
        line = [
            str(Path(sys.executable).parent / "schemathesis"),
            "--config-file", str(TESTS / "schemathesis.toml"),
            "run", f"{server.url}/openapi.json",
            "--checks", "all",
            "--header", f"Authorization: Bearer {token}",
            "--max-examples", "4", "--max-time", str(SECONDS), "--seed", "1",
            "--suppress-health-check", "all", "--no-color", "--continue-on-failure",
        ]  # fmt: skip
        environment = os.environ | {"SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(TESTS)}
        done = subprocess.run(
            line, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout.partition("FAILURES")[2][:8000] or done.stdout[-4000:]
        assert "Traceback" not in server.log.read_text()
