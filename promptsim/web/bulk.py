"""Rows marked in the queue ─► what one verdict on all of them would touch ─► the verdict, on all of them or none."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from promptsim import review
from promptsim.engine.shared import SharedEngine
from promptsim.errors import ConflictError, UsageError
from promptsim.web import verdicts
from promptsim.web.desk import Desk
from promptsim.web.queue import Queue

MOST = 500  # subjects of one verdict
Subjects = Annotated[list[str], Form()]


def register(router: APIRouter, desk: Desk, queue: Queue) -> None:
    @router.post("/several", response_class=HTMLResponse)
    def told(request: Request, subject: Subjects = [], csrf: Annotated[str, Form()] = "") -> Response:  # noqa: B006
        """What would be touched; nothing is decided. By POST, for a list that is too long for an address."""
        person = desk.writer(request, csrf)
        chosen = _chosen(subject)
        with desk.engines() as engine:
            touched, seen = review.propose(engine, chosen), _seen(engine, chosen)
            known = {row.subject_id: row for row in queue.rows(engine)}
        desk.note_read(person, "queue", "families")
        rows = [known[name] for name in chosen if name in known]
        return desk.page(
            "several.html", person, rows=rows, chosen=chosen, touched=touched, seen=seen, verdicts=verdicts.VERDICTS
        )

    @router.post("/several/verdict")
    def given(
        request: Request,
        subject: Subjects = [],  # noqa: B006
        verdict: Annotated[str, Form()] = "",
        reason: Annotated[str, Form()] = "",
        accounts: Annotated[int, Form()] = -1,
        seen: Annotated[str, Form()] = "",
        csrf: Annotated[str, Form()] = "",
    ) -> Response:
        person = desk.writer(request, csrf)
        chosen = _chosen(subject)
        verdicts.require_reason(reason)
        with desk.engines() as engine:
            if _seen(engine, chosen) != seen:
                raise ConflictError("Somebody gave a verdict on one of these meanwhile: mark them again in the queue.")
            shown = review.as_told(review.propose(engine, chosen), accounts=accounts)
            review.decide_all(engine, shown, verdict, reason=reason.strip(), by=person.name)
        return RedirectResponse("/verdicts", 303)


def _chosen(subjects: list[str]) -> list[str]:
    chosen = list(dict.fromkeys(subjects))
    if not chosen:
        raise UsageError("Nothing is marked: mark rows of the queue first (x marks the row that has the focus).")
    if len(chosen) > MOST:
        raise UsageError(f"{len(chosen):,} rows are marked: {MOST} are the most for one verdict.")
    return chosen


def _seen(engine: SharedEngine, subjects: list[str]) -> str:
    """What has been said of these so far: a form that does not know it is out of date."""
    newest = {verdict.subject_id: verdict.verdict_id for verdict in engine.verdicts()}
    said = "\n".join(newest.get(name, "") for name in subjects)
    return hashlib.blake2b(said.encode(), digest_size=12).hexdigest()
