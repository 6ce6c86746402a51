"""A process that is killed at any moment loses nothing that it acknowledged, and leaves nothing half-written."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from store_samples import DIMENSION, print_of, vector_of

from promptsim.store.store import Store

KILLS = 100
# Ingests for ever: forks a child at each line read, so that a hundred processes start without a hundred imports.
WRITER = """
import os, sys

def say(line):  # in one write: a kill must not leave half a line
    os.write(1, f"{line}\\n".encode())

sys.path.insert(0, sys.argv[2])
from pathlib import Path
from store_samples import put, sent
from promptsim.store.store import Store

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        number = int(line)
        say(f"pid {os.getpid()}")
        with Store.open(Path(sys.argv[1])) as store:
            while True:
                events = [sent(i, user=f"text {i // 2}", note=i % 5) for i in range(number, number + 15)]
                put(store, events)
                number += 15
                say(f"upto {number}")
    os.waitpid(child, 0)
    say("dead")
"""


def test_kill_nine_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    home, rng = tmp_path / "home", random.Random(11)
    command = [sys.executable, "-c", WRITER, str(home), str(Path(__file__).parent)]
    parent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdin is not None
    assert parent.stdout is not None
    acknowledged: set[int] = set()
    first, restarts = 0, []
    try:
        for kill in range(KILLS):
            parent.stdin.write(f"{first}\n")
            parent.stdin.flush()
            pid = int(parent.stdout.readline().split()[1])
            time.sleep(rng.uniform(0.0, 0.14))
            os.kill(pid, signal.SIGKILL)
            start = first
            for line in parent.stdout:
                if line == "dead\n":
                    break
                upto = int(line.split()[1])
                acknowledged.update(range(start, upto))
                start = upto
            first = start + rng.choice([0, 0, 17])  # the batch under way is sent again, or not
            if kill % 20 == 0:
                began = time.monotonic()
                with Store.open(home) as store:
                    assert store.counts().prompts == len(store.vectors())
                restarts.append(time.monotonic() - began)
    finally:
        parent.stdin.close()
        parent.wait(timeout=30)
    assert len(acknowledged) > 300
    assert max(restarts) < 5
    with Store.open(home) as store:
        assert store.check() == []
        prints = [print_of("", f"text {i // 2}") for i in sorted(acknowledged)]
        assert store.lookup(prints).min() >= 0
        for number in rng.sample(sorted(acknowledged), 200):
            assert store.event(f"e{number}").user == f"text {number // 2}"
        times = store.activity().time - 1_700_000_000_000_000
        assert acknowledged <= set(times.tolist())
        assert len(set(times.tolist())) == len(times) == store.counts().events
        vectors = store.vectors()
        assert vectors.shape == (store.counts().prompts, DIMENSION)
        for batch in store.documents():
            expected = np.array([vector_of(print_of("", user)) for user in batch.user], np.float16)
            assert (vectors[batch.prompt_no] == expected).all()
