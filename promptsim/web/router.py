"""The page's routes, for an app that other rooms put together.

app.include_router(create_router(engines, authenticate, secret))

request ─► PageRoute (headers, errors) ─► Desk (who) ─► engine ─► template ─► HTML
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from promptsim.errors import NotFoundError
from promptsim.web import bulk, login, lookups, queue, subjects, verdicts, waiting
from promptsim.web.desk import Authenticate, Desk, Engines, NoteRead, Person
from promptsim.web.rendering import FOLDER, STATIC, static_digest
from promptsim.web.route import PageRoute


def create_router(
    engines: Engines, authenticate: Authenticate, secret: bytes, note_read: NoteRead | None = None
) -> APIRouter:
    """`engines` gives the engine for a request, `authenticate` says whose key this is (and, of None, who everyone is
    while no key was ever made), `secret` signs sessions, `note_read` hears who was shown prompt text."""
    desk = Desk(engines, authenticate, secret, note_read or _unheard)
    router = APIRouter(route_class=PageRoute, include_in_schema=False)
    rows = queue.Queue()
    login.register(router, desk)
    queue.register(router, desk, rows)
    subjects.register(router, desk, rows)
    lookups.register(router, desk)
    verdicts.register(router, desk)
    bulk.register(router, desk, rows)
    waiting.register(router, desk)
    _register_static(router)
    return router


def _unheard(_person: Person, _action: str, _what: str) -> None:
    return None


def _register_static(router: APIRouter) -> None:
    digests = {name: static_digest(name) for name in STATIC}

    @router.get("/static/{digest}/{name}")
    def static_file(request: Request, digest: str, name: str) -> Response:  # noqa: ARG001
        if digests.get(name) != digest:
            raise NotFoundError("no file of the page has this address")
        forever = {"Cache-Control": "public, max-age=31536000, immutable"}
        return FileResponse(FOLDER / "static" / name, media_type=STATIC[name], headers=forever)
