"""`promptsim serve` as a process: started, waited for, stopped; what the tests of the real thing share."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

COMMAND = [sys.executable, "-c", "from promptsim.cli import main; main()"]


@dataclass
class Server:
    """One running server."""

    process: subprocess.Popen[str]
    url: str
    log: Path

    def client(self, token: str | None = None) -> httpx2.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=30)

    def kill(self) -> None:
        """As a power cut would: at once, with whatever it was doing."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        """As an operator would; its exit status."""
        self.process.terminate()
        return self.process.wait(30)

    def wait_until_ready(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        with self.client() as client:
            while time.monotonic() < deadline:
                if client.get("/readyz").status_code == 200:
                    return
                time.sleep(0.05)
        raise AssertionError(f"not ready: {self.log.read_text()}")


def command(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments, "--home", str(home)], capture_output=True, text=True, timeout=120, check=False
    )


def start(home: Path, *arguments: str) -> Server:
    """Start a server on a free port and wait until it listens."""
    log = home.parent / f"serve-{time.monotonic_ns()}.log"
    line = [*COMMAND, "serve", "--home", str(home), "--port", "0", *arguments]
    with log.open("w") as out:
        process = subprocess.Popen(line, stderr=out, stdout=out, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = re.search(r"at (http://\S+?)(?:,|\s)", log.read_text())
        if found:
            return Server(process, found[1], log)
        if process.poll() is not None:
            break
        time.sleep(0.02)
    process.kill()
    raise AssertionError(f"the server did not start: {log.read_text()}")


@contextmanager
def running(home: Path, arguments: Sequence[str] = ()) -> Iterator[Server]:
    """A ready server that is gone after the block."""
    server = start(home, *arguments)
    try:
        server.wait_until_ready()
        yield server
    finally:
        if server.process.poll() is None:
            server.kill()
