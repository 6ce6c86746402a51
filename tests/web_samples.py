"""The page over a small home, for the tests of the page."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from fastapi import FastAPI

from promptsim.engine.shared import SharedEngine
from promptsim.records import Event
from promptsim.service import LOCAL, Caller
from promptsim.simulate.plan import Plan
from promptsim.simulate.traffic import simulate
from promptsim.web.desk import NoteRead
from promptsim.web.router import create_router

NOON = 1_772_625_600_000_000  # 2026-03-04T12:00:00Z
HOUR = 3_600_000_000


def simulated(home: Path) -> SharedEngine:
    """About 1,500 simulated events, clustered."""
    engine = SharedEngine.share(home)
    engine.ingest(simulate(events=1500, seed=0, plan=Plan()).events)
    engine.cluster()
    return engine


def authenticate(engine: SharedEngine) -> Callable[[str | None], Caller | None]:
    """Whose key this is, as the service says it."""

    def caller(token: str | None) -> Caller | None:
        if token is None:
            return None if engine.has_keys() else LOCAL
        key = engine.key_of(token)
        return None if key is None else Caller(key.name, key.role, key.key_id)

    return caller


def app_of(engine: SharedEngine, note_read: NoteRead | None = None) -> FastAPI:
    """The page alone."""
    app = FastAPI(openapi_url=None)
    app.include_router(create_router(lambda: nullcontext(engine), authenticate(engine), engine.secret, note_read))
    return app


def sends(texts: list[str], accounts: list[str], **metadata: object) -> list[Event]:
    """One event for each text, by the accounts in turn, an hour apart."""
    return [
        Event(f"e{i}", accounts[i % len(accounts)], NOON + i * HOUR, "", text, metadata) for i, text in enumerate(texts)
    ]
