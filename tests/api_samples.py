"""A small home with one clear family and a finished run, and a service over it: what the tests of the API share."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from starlette.testclient import TestClient

from promptsim.api.app import create_app
from promptsim.engine.shared import carry_out
from promptsim.progress import Silent
from promptsim.service import Hooks, Service

START = 1_760_000_000
FIXED = (
    "You are an expert data analyst combining statistical rigor with deep domain knowledge. Work through the"
    " table row by row, name each assumption that you make, and end with three findings: "
)
WORDS = "alpha beta gamma delta omega sigma kappa lambda theta zeta river stone tree house cloud winter".split()  # noqa: SIM905
LOOPBACK = "http://127.0.0.1:8080"


def event(number: int, account: str, text: str) -> dict[str, object]:
    """One event of the contract."""
    return {"id": f"e{number}", "account_id": account, "timestamp": START + 3600 * (number % 10_000), "text": text}


def events() -> list[dict[str, object]]:
    """40 fillings of one template by 7 accounts, and 10 texts of nobody else."""
    rng = random.Random(1)
    filled = [event(i, f"a{i % 7}", FIXED + " ".join(rng.choices(WORDS, k=30))) for i in range(40)]
    return filled + [event(100 + i, f"b{i}", " ".join(rng.choices(WORDS, k=12))) for i in range(10)]


def fill(service: Service) -> None:
    """Ingest the events and cluster, in this process."""
    assert service.receive(orjson.dumps(events())).accepted == 50
    run = service.engine.begin_run(full=False)
    carry_out(service.home, run.run_id, model=None, progress_to=lambda _record: Silent())


@contextmanager
def served(home: Path, *, hooks: Hooks | None = None, full: bool = True) -> Iterator[Service]:
    """An open service, ready to answer."""
    service = Service.open(home, hooks=hooks)
    try:
        if full:
            fill(service)
        assert service.wait_until_ready(60)
        yield service
    finally:
        service.close()


def client_of(service: Service, token: str | None = None, **options: Any) -> TestClient:
    """A client on this machine, with a key if one is given."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return TestClient(create_app(service, **options), base_url=LOOPBACK, headers=headers, raise_server_exceptions=False)
