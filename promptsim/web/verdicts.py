"""A form ─► a verdict; an undo is a further verdict. And the log of them all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from promptsim import review
from promptsim.engine.shared import SharedEngine
from promptsim.errors import ConflictError, UsageError
from promptsim.records import Verdict
from promptsim.review import Touched
from promptsim.web.desk import Desk, local
from promptsim.web.paging import encoded, offset
from promptsim.web.rendering import address

ROWS = 100
VERDICTS = {
    "coordinated": "these accounts act together",
    "benign": "nothing to act on; hides it and what continues it",
    "unsure": "looked at, not settled; the program's own claim stands",
}


@dataclass(frozen=True, slots=True)
class Bench:
    """What the verdict form of one family, network or account needs; `given` is the newest first."""

    subject_id: str
    touched: Touched
    given: tuple[Verdict, ...]

    @property
    def seen(self) -> str:
        """The newest thing said: a form that does not know it is out of date."""
        return self.given[0].verdict_id if self.given else ""

    @property
    def proposed(self) -> Verdict | None:
        """What waits for a second person."""
        return self.given[0] if self.given and self.given[0].state == "proposed" else None

    @property
    def can_undo(self) -> bool:
        return bool(self.given) and (self.proposed is not None or self.given[0].verdict != "open")


def bench(engine: SharedEngine, subject_id: str) -> Bench:
    """The verdicts on one subject, and what a further one would touch."""
    given = tuple(reversed(review.history(engine, subject_id)))
    return Bench(subject_id, review.propose(engine, [subject_id]), given)


def path_of(subject_id: str) -> str:
    """The page of a subject."""
    if subject_id.startswith("net_"):
        return f"/networks/{subject_id}"
    return f"/families/{subject_id}" if subject_id.startswith("f_") else address("/account", id=subject_id)


def require_reason(reason: str) -> None:
    """UsageError for a verdict without one."""
    if not reason.strip():
        raise UsageError("A verdict needs a reason: say what you saw, for whoever looks at it next.")


def register(router: APIRouter, desk: Desk) -> None:
    @router.post("/verdicts")
    def give(
        request: Request,
        subject: Annotated[str, Form()] = "",
        path: Annotated[str, Form()] = "/",
        verdict: Annotated[str, Form()] = "",
        reason: Annotated[str, Form()] = "",
        seen: Annotated[str, Form()] = "",
        undo: Annotated[str, Form()] = "",
        accounts: Annotated[int, Form()] = -1,
        csrf: Annotated[str, Form()] = "",
    ) -> Response:
        person = desk.writer(request, csrf)
        require_reason(reason)
        with desk.engines() as engine:
            now = bench(engine, subject)
            if now.seen != seen:
                raise ConflictError(
                    "Somebody else gave a verdict in the meantime: load the page again and read it first."
                )
            if undo:
                review.undo(engine, subject, reason=reason.strip(), by=person.name)
            else:
                shown = review.as_told(now.touched, accounts=accounts)
                review.decide_all(engine, shown, verdict, reason=reason.strip(), by=person.name)
        return RedirectResponse(f"{local(path)}#verdicts", 303)

    @router.get("/verdicts", response_class=HTMLResponse)
    def log_page(request: Request, cursor: str = "") -> HTMLResponse:
        person = desk.person(request)
        start = offset(cursor)
        with desk.engines() as engine:
            newest = engine.verdicts()[::-1]
        following = encoded((start + ROWS,)) if start + ROWS < len(newest) else ""
        shown = newest[start : start + ROWS]
        names = [(one, path_of(one.subject_id) if one.subject_id.startswith(("f_", "net_")) else "") for one in shown]
        return desk.page("verdicts.html", person, verdicts=names, total=len(newest), cursor=following)
