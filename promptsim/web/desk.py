"""What every page needs: the engine of a request, who is logged in, and the page around its content."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse

from promptsim.engine.shared import SharedEngine
from promptsim.store.access import ROLES
from promptsim.web.rendering import render
from promptsim.web.route import LoginNeeded, Refused
from promptsim.web.session import COOKIE, Session, Sessions

LOOPBACK = ("127.0.0.1", "localhost", "::1", "testserver")


class Caller(Protocol):
    """Whom a key belongs to."""

    @property
    def name(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def key_id(self) -> str | None: ...


Engines = Callable[[], AbstractContextManager[SharedEngine]]
Authenticate = Callable[[str | None], Caller | None]


@dataclass(frozen=True, slots=True)
class Person:
    """Who is logged in; `csrf` is the token of their forms."""

    name: str
    role: str
    key_id: str | None
    csrf: str

    def may(self, role: str) -> bool:
        """Whether this role covers another."""
        return ROLES.index(self.role) >= ROLES.index(role)


NoteRead = Callable[[Person, str, str], None]  # who, what they did, which id


class Desk:
    """One for the life of the server."""

    def __init__(self, engines: Engines, authenticate: Authenticate, secret: bytes, note_read: NoteRead) -> None:
        self.engines, self.authenticate, self.note_read = engines, authenticate, note_read
        self.sessions = Sessions(secret)

    def person(self, request: Request, role: str = "search") -> Person:
        """Who asks, if their role covers `role`; LoginNeeded or Refused otherwise."""
        found = self.whoever(request)
        if found is None:
            raise LoginNeeded
        if not found.may(role):
            raise Refused(f"This needs a key of the role {role}; yours has the role {found.role}.")
        return found

    def whoever(self, request: Request) -> Person | None:
        """Who asks, if anyone is logged in."""
        session = self.sessions.read(request.cookies.get(COOKIE, ""))
        return None if session is None else self._person_of(request, session)

    def _person_of(self, request: Request, session: Session) -> Person | None:
        token = self.sessions.csrf(session)
        if session.key_id is None:
            caller = self.authenticate(None)
            return Person(session.name, caller.role, None, token) if caller and self.is_local(request) else None
        with self.engines() as engine:
            key = engine.key_of_id(session.key_id)
        return Person(key.name, key.role, key.key_id, token) if key else None

    def is_local(self, request: Request) -> bool:
        """Whether this machine was asked for by name: without keys, no other name may lead here (DNS rebinding)."""
        return urlsplit(f"//{request.headers.get('host', '')}").hostname in LOOPBACK

    def writer(self, request: Request, token: str, role: str = "review") -> Person:
        """Who sent this form; Refused if it is not one that we gave them."""
        self.refuse_other_sites(request)
        person = self.person(request, role)
        session = self.sessions.read(request.cookies.get(COOKIE, ""))
        if session is None or not self.sessions.is_ours(session, token):
            raise Refused("This form is from another session: go back, load the page again and send it once more.")
        return person

    def refuse_other_sites(self, request: Request) -> None:
        """Refused if the browser says that another site's page sent this."""
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise Refused("This form was sent from another site.")

    def page(self, template: str, person: Person, code: int = 200, /, **context: Any) -> HTMLResponse:
        """A page for somebody who is logged in."""
        return render(template, code, session=person, **context)


def local(address: str) -> str:
    """A path of this page; whatever leads elsewhere becomes the queue."""
    plain = address.isprintable() and address.isascii() and "\\" not in address
    return address if plain and address.startswith("/") and not address.startswith("//") else "/"
