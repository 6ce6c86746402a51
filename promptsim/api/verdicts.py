"""Verdicts on families and networks, one or several at once, and who has joined what was judged coordinated.

what it touches (told first) ─► a verdict, or an undo ─► given, or proposed until a second person gives it too
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from promptsim import contract, review
from promptsim.api import models, requests
from promptsim.api.answers import Json
from promptsim.api.bodies import StrictRoute
from promptsim.api.paging import CursorQuery, LimitQuery, Pages
from promptsim.api.problems import documented
from promptsim.api.security import Reviewer, Searcher, service_of
from promptsim.contract import Row
from promptsim.engine.shared import SharedEngine

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["verdicts"])
Known = Callable[[SharedEngine, str], object]


@router.get(
    "/families/{family_id}/verdicts", summary="Verdicts on a family", response_model=models.VerdictHistory,
    responses=documented(404),
)  # fmt: skip
async def of_family(request: Request, family_id: str, _caller: Searcher) -> Response:
    """Everything that was said of it, and how many accounts and events a further verdict would touch."""
    return await _history(request, family_id, SharedEngine.family)


@router.post(
    "/families/{family_id}/verdicts", summary="Give a verdict on a family", status_code=201,
    response_model=models.Verdict, responses=documented(404, 409, 413, 507),
)  # fmt: skip
async def judge_family(request: Request, family_id: str, given: requests.VerdictRequest, caller: Reviewer) -> Response:
    """It stands above the program's claim; a further verdict takes it back. Nothing is done to any account."""
    return await _judged(request, family_id, given, caller.name, SharedEngine.family)


@router.get(
    "/networks/{network_id}/verdicts", summary="Verdicts on a network", response_model=models.VerdictHistory,
    responses=documented(404),
)  # fmt: skip
async def of_network(request: Request, network_id: str, _caller: Searcher) -> Response:
    """Everything that was said of it, and how many accounts and events a further verdict would touch."""
    return await _history(request, network_id, SharedEngine.network)


@router.post(
    "/networks/{network_id}/verdicts", summary="Give a verdict on a network", status_code=201,
    response_model=models.Verdict, responses=documented(404, 409, 413, 507),
)  # fmt: skip
async def judge_network(
    request: Request, network_id: str, given: requests.VerdictRequest, caller: Reviewer
) -> Response:
    """It stands above the program's claim; a further verdict takes it back. Nothing is done to any account."""
    return await _judged(request, network_id, given, caller.name, SharedEngine.network)


@router.post(
    "/verdicts", summary="Give one verdict on several", response_model=models.BulkVerdictAnswer,
    responses=documented(404, 409, 413, 507),
)  # fmt: skip
async def judge_several(request: Request, given: requests.BulkVerdictRequest, caller: Reviewer) -> Response:
    """Without `account_count` it only tells what it would touch; with it, all are judged or none.

    409 where the same subjects hold another number of accounts by now.
    """
    service = service_of(request)

    def work() -> Row:
        shown, expected = review.propose(service.engine, given.subject_ids), given.account_count
        verdicts = []
        if expected is not None:
            told = review.as_told(shown, accounts=expected)
            verdicts = review.decide_all(service.engine, told, given.verdict, reason=given.reason, by=caller.name)
        return {"touched": _touched(shown), "verdicts": [contract.verdict_row(each) for each in verdicts]}

    return Json(await service.writing.call(work))


@router.get("/alerts", summary="Who joined what is known", response_model=models.AlertPage, responses=documented())
async def alerts(
    request: Request, _caller: Searcher, limit: LimitQuery = 50, cursor: CursorQuery = "",
    family_id: Annotated[str, Query(max_length=100, description="Only of this family.")] = "",
) -> Response:  # fmt: skip
    """Accounts that turned up in families judged coordinated since, at ingest or by a run; the newest first."""
    service = service_of(request)
    pages = Pages(service.engine.secret, "alerts", family_id)
    offset = pages.offset(cursor)

    def work() -> Row:
        found = review.alerts(service.engine, family_id or None, limit=offset + limit + 1)[offset:]
        shown, following = pages.page(found, offset, limit)
        rows = [
            {
                "account_id": each.account_id,
                "family_id": each.family_id,
                "prompt_id": each.prompt_id,
                "first_sent": contract.rfc3339(each.time),
            }
            for each in shown
        ]
        return {"alerts": rows, "next_cursor": following}

    return Json(await service.reading.call(work))


async def _history(request: Request, subject_id: str, known: Known) -> Response:
    """The verdicts on a subject that is there; NotFoundError for one of the other kind."""
    service = service_of(request)

    def work() -> Row:
        known(service.engine, subject_id)
        given = review.history(service.engine, subject_id)[::-1]
        touched = review.propose(service.engine, [subject_id])
        return {"verdicts": [contract.verdict_row(each) for each in given], "touched": _touched(touched)}

    return Json(await service.reading.call(work))


async def _judged(request: Request, subject_id: str, given: requests.VerdictRequest, by: str, known: Known) -> Response:
    """Record a verdict on a subject that is there; NotFoundError for one of the other kind."""
    service = service_of(request)

    def work() -> Row:
        engine = service.engine
        known(engine, subject_id)
        if given.verdict == "undo":
            return contract.verdict_row(review.undo(engine, subject_id, reason=given.reason, by=by))
        return contract.verdict_row(engine.review(subject_id, verdict=given.verdict, reason=given.reason, by=by))

    return Json(await service.writing.call(work), 201)


def _touched(touched: review.Touched) -> Row:
    return {
        "subject_count": len(touched.subjects),
        "account_count": touched.accounts,
        "event_count": touched.events,
        "two_persons": touched.second_person,
    }
