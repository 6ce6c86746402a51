"""An account, a prompt, a search, the runs: what a reviewer looks up beside the queue."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse

from promptsim.engine.searching import Found
from promptsim.engine.shared import SharedEngine
from promptsim.errors import NotFoundError, UsageError
from promptsim.intake.timestamp import parse_time
from promptsim.records import Family
from promptsim.web import verdicts
from promptsim.web.desk import Desk
from promptsim.web.paging import encoded, offset
from promptsim.web.queue import by_strength

PROMPTS, NEIGHBOURS, RUNS, HITS, FAMILIES = 20, 15, 30, 20, 50
LOOKED_AT = 400  # families of one account that are read, so that the best are shown
MOST_TEXT = 200_000  # characters of one prompt on its own page


def register(router: APIRouter, desk: Desk) -> None:
    _register_accounts(router, desk)
    _register_search(router, desk)

    @router.get("/prompts/{prompt_id}", response_class=HTMLResponse)
    def prompt_page(request: Request, prompt_id: str) -> HTMLResponse:
        person = desk.person(request)
        with desk.engines() as engine:
            found = engine.prompt(prompt_id)
        desk.note_read(person, "prompt", prompt_id)
        return desk.page("prompt.html", person, found=found, most=MOST_TEXT)

    @router.get("/runs", response_class=HTMLResponse)
    def runs_page(request: Request, cursor: str = "") -> HTMLResponse:
        person = desk.person(request)
        start = offset(cursor)
        with desk.engines() as engine:
            runs, status = engine.runs_from(limit=RUNS + 1, offset=start), engine.status()
        following = encoded((start + RUNS,)) if len(runs) > RUNS else ""
        return desk.page("runs.html", person, runs=runs[:RUNS], status=status, cursor=following)


def _register_accounts(router: APIRouter, desk: Desk) -> None:
    @router.get("/account", response_class=HTMLResponse)
    def account_page(request: Request, id: str, cursor: str = "") -> HTMLResponse:
        person = desk.person(request)
        start = offset(cursor)
        with desk.engines() as engine:
            account = engine.account(id)
            prompts = engine.account_prompts(id, limit=PROMPTS + 1, offset=start)
            evidence = by_strength(engine.account_evidence(id))
            bench = verdicts.bench(engine, id)
            families = _families(engine, account.family_ids[:LOOKED_AT])
        desk.note_read(person, "account", id)
        following = encoded((start + PROMPTS,)) if len(prompts) > PROMPTS else ""
        return desk.page(
            "account.html", person, account=account, prompts=prompts[:PROMPTS], evidence=evidence, families=families,
            cursor=following, bench=bench, verdicts=verdicts.VERDICTS,
        )  # fmt: skip

    @router.get("/account/neighbours", response_class=HTMLResponse)
    def neighbours_page(request: Request, id: str) -> HTMLResponse:
        person = desk.person(request)
        with desk.engines() as engine:
            found = engine.similar_accounts(id, k=NEIGHBOURS)
        return desk.page("neighbours.html", person, account_id=id, neighbours=found)


def _families(engine: SharedEngine, family_ids: tuple[str, ...]) -> list[Family]:
    """The families of an account, those with the best evidence first."""
    found = []
    for family_id in family_ids:
        try:
            found.append(engine.family(family_id))
        except NotFoundError:  # a run replaced the result between two questions
            continue
    return sorted(found, key=lambda one: (not one.flagged, -one.score, one.account_count, one.family_id))[:FAMILIES]


def _register_search(router: APIRouter, desk: Desk) -> None:
    @router.get("/search", response_class=HTMLResponse)
    def search_form(request: Request, prompt_id: str = "") -> HTMLResponse:
        person = desk.person(request)
        found, text = None, ""
        if prompt_id:
            with desk.engines() as engine:
                text = engine.prompt(prompt_id).prompt.text
                found = engine.search(prompt_id=prompt_id, k=HITS)
            desk.note_read(person, "search", prompt_id)
        return desk.page("search.html", person, found=found, text=text, **_asked())

    @router.post("/search", response_class=HTMLResponse)
    def search_page(
        request: Request,
        text: Annotated[str, Form()] = "",
        by: Annotated[str, Form()] = "account",
        k: Annotated[int, Form()] = HITS,
        account_id: Annotated[str, Form()] = "",
        since: Annotated[str, Form()] = "",
        until: Annotated[str, Form()] = "",
        least: Annotated[str, Form()] = "",
        csrf: Annotated[str, Form()] = "",
    ) -> HTMLResponse:
        """By POST, so that no prompt's text stands in an address, where logs and histories keep it."""
        person = desk.writer(request, csrf, "search")
        found: Found | None = None
        problem = ""
        try:
            with desk.engines() as engine:
                found = engine.search(
                    text, k=max(1, min(k, 200)), by=by, account_id=account_id or None, since=_moment(since, "since"),
                    until=_moment(until, "until"), min_similarity=_share(least),
                )  # fmt: skip
        except UsageError as error:
            problem = str(error)
        desk.note_read(person, "search", ", ".join(hit.prompt_id for hit in found.hits[:5]) if found else "")
        asked = _asked(by, k, account_id, since, until, least)
        return desk.page("search.html", person, 400 if problem else 200, found=found, text=text, **asked | {
            "problem": problem})  # fmt: skip


def _asked(
    by: str = "account", k: int = HITS, account_id: str = "", since: str = "", until: str = "", least: str = ""
) -> dict[str, object]:
    return {"by": by, "k": k, "account_id": account_id, "since": since, "until": until, "least": least, "problem": ""}


def _moment(text: str, name: str) -> int | None:
    if not text.strip():
        return None
    try:
        return parse_time(text.strip())
    except ValueError as error:
        raise UsageError(f"{name} {text!r}: {error}; write e.g. 2026-02-28 or 2026-02-28T13:00:00Z") from None


def _share(text: str) -> float | None:
    try:
        return float(text) if text.strip() else None
    except ValueError:
        raise UsageError(f"similarity {text!r}: write a number from 0 to 1") from None
