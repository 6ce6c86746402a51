"""A key ─► a session, and its end."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from promptsim.web.desk import Desk, local
from promptsim.web.rendering import render
from promptsim.web.route import Refused
from promptsim.web.session import COOKIE, MAX_AGE, Session

MOST_NAME = 60


def register(router: APIRouter, desk: Desk) -> None:
    @router.get("/login", response_class=HTMLResponse)
    def login_form(request: Request, next: str = "/") -> Response:
        return _form(desk, request, next)

    @router.post("/login")
    def log_in(
        request: Request,
        key: Annotated[str, Form()] = "",
        name: Annotated[str, Form()] = "",
        next: Annotated[str, Form()] = "/",
    ) -> Response:
        desk.refuse_other_sites(request)
        session, problem = _begun(desk, request, key.strip(), " ".join(name.split())[:MOST_NAME])
        if session is None:
            return _form(desk, request, next, problem)
        answer = RedirectResponse(local(next), 303)
        answer.set_cookie(
            COOKIE, desk.sessions.cookie(session), max_age=MAX_AGE, path="/", httponly=True, samesite="strict",
            secure=request.url.scheme == "https",
        )  # fmt: skip
        return answer

    @router.post("/logout")
    def log_out(request: Request, csrf: Annotated[str, Form()] = "") -> Response:
        desk.writer(request, csrf, "ingest")
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return answer


def _begun(desk: Desk, request: Request, key: str, name: str) -> tuple[Session | None, str]:
    """A new session, or what is wrong."""
    if desk.authenticate(None) is not None:
        if not desk.is_local(request):
            raise Refused("Without keys the page is for this machine alone: open it as http://localhost.")
        if not name or not name.isprintable():
            return None, "Your verdicts are signed with your name: please write it."
        return Session.begin(None, name), ""
    caller = desk.authenticate(key) if key else None
    if caller is None or caller.key_id is None:
        return None, "This is not a valid key. `promptsim keys create` makes one; a revoked key is gone for good."
    return Session.begin(caller.key_id, caller.name), ""


def _form(desk: Desk, request: Request, next: str, problem: str = "") -> Response:
    without_keys = desk.authenticate(None) is not None
    known = desk.whoever(request) is not None
    status = 400 if problem else 200
    return render("login.html", status, next=local(next), problem=problem, without_keys=without_keys, known=known)
