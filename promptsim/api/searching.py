"""POST /v1/search, POST /v1/match, GET /v1/prompts/{id} and what is like it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from promptsim import contract
from promptsim.api import models, requests
from promptsim.api.answers import Json
from promptsim.api.bodies import StrictRoute
from promptsim.api.problems import documented
from promptsim.api.security import Searcher, service_of
from promptsim.contract import Row, rfc3339
from promptsim.engine.matching import Match
from promptsim.engine.searching import Found
from promptsim.engine.shared import PromptView
from promptsim.errors import UsageError
from promptsim.intake.timestamp import parse_time

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["search"])
KQuery = Annotated[int, Query(ge=1, le=1000, description="How many.")]
UNKNOWN: Row = dict.fromkeys(
    ("family_id", "wording_id", "relation", "share", "template", "account_count", "score", "status")
)


@router.post(
    "/search", summary="Who else sent prompts like this?", response_model=models.SearchAnswer,
    responses=documented(404, 413),
)  # fmt: skip
async def search(request: Request, asked: requests.SearchRequest, caller: Searcher) -> Response:
    """Copies first, then shared fixed text, then texts that mean the like; one hit an account, or one a prompt."""
    service = service_of(request)
    service.require_ready()
    options = asked.model_dump(exclude_unset=True)
    for bound in ("since", "until"):
        if bound in options:
            options[bound] = _moment(options[bound], bound)

    def work() -> Found:
        found = service.engine.search(**options)
        service.read(caller, "search", f"{len(found.hits)} hits")
        return found

    return Json(found_row(await service.searching.call(work)))


@router.post("/match", summary="Is this a known family?", response_model=models.MatchAnswer, responses=documented(413))
async def match(request: Request, asked: requests.MatchRequest, _caller: Searcher) -> Response:
    """For use in a request path: nothing is stored, nothing embedded, no other prompt shown."""
    service = service_of(request)
    service.require_ready()
    given = asked.model_dump(exclude_unset=True)
    found = await service.matching.call(lambda: service.engine.match(given.get("text"), messages=given.get("messages")))
    return Json(match_row(found))


@router.get("/prompts/{prompt_id}", summary="One prompt", response_model=models.PromptAnswer, responses=documented(404))
async def prompt(request: Request, prompt_id: str, caller: Searcher) -> Response:
    """Its text, who sent it, and the families that it belongs to."""
    service = service_of(request)

    def work() -> PromptView:
        view = service.engine.prompt(prompt_id)
        service.read(caller, "prompt", prompt_id)
        return view

    return Json(prompt_row(await service.reading.call(work)))


@router.get(
    "/prompts/{prompt_id}/similar", summary="Prompts like this one", response_model=models.SearchAnswer,
    responses=documented(404),
)  # fmt: skip
async def similar(request: Request, prompt_id: str, caller: Searcher, k: KQuery = 10) -> Response:
    """One hit a prompt, the prompt itself first."""
    service = service_of(request)
    service.require_ready()

    def work() -> Found:
        found = service.engine.search(prompt_id=prompt_id, k=k, by="prompt")
        service.read(caller, "similar prompts", prompt_id)
        return found

    return Json(found_row(await service.searching.call(work)))


def _moment(text: str, field: str) -> int:
    try:
        return parse_time(text)
    except ValueError as error:
        raise UsageError(f"{field} {text[:40]!r}: {error}") from None


def found_row(found: Found) -> Row:
    return {"hits": [contract.hit_row(hit) for hit in found.hits], "notes": list(found.notes)}


def match_row(found: Match | None) -> Row:
    if found is None:
        return {"known": False, "flagged": False, "aligned": False, **UNKNOWN}
    family = found.family
    return {
        "known": True,
        "family_id": family.family_id,
        "wording_id": found.wording_id,
        "relation": found.relation,
        "share": round(found.share, 4),
        "aligned": found.aligned,
        "template": family.template,
        "account_count": family.account_count,
        "flagged": family.flagged,
        "score": family.score,
        "status": family.status,
    }


def prompt_row(view: PromptView) -> Row:
    prompt = view.prompt
    return {
        "prompt_id": prompt.prompt_id,
        "text": prompt.text,
        "system": prompt.system,
        "user": prompt.user,
        "first_seen": rfc3339(prompt.first_seen),
        "last_seen": rfc3339(view.last_seen),
        "event_count": view.event_count,
        "account_count": view.account_count,
        "senders": [
            {
                "account_id": sender.account_id,
                "event_count": sender.event_count,
                "first_seen": rfc3339(sender.first_seen),
                "last_seen": rfc3339(sender.last_seen),
            }
            for sender in view.senders
        ],
        "families": [
            {"family_id": m.family_id, "wording_id": m.wording_id, "relation": m.relation} for m in view.families
        ],
    }
