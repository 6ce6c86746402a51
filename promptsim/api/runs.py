"""Clustering runs: start one, see how far it is and what it changed."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from promptsim import contract
from promptsim.api import models, requests
from promptsim.api.answers import Json
from promptsim.api.bodies import StrictRoute
from promptsim.api.paging import CursorQuery, LimitQuery, Pages
from promptsim.api.problems import Problem, documented
from promptsim.api.security import Administrator, Searcher, service_of
from promptsim.contract import Row
from promptsim.errors import BusyError
from promptsim.records import Run

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["runs"])


@router.post(
    "/runs", summary="Start a clustering run", status_code=202, response_model=models.Run,
    responses=documented(409, 413, 507),
)  # fmt: skip
async def start(request: Request, asked: requests.RunRequest, _caller: Administrator) -> Response:
    """Families, then account networks, in a process of its own; 409 while one is under way anywhere."""
    service = service_of(request)

    def work() -> Run:
        try:
            return service.runner.start(full=asked.full)
        except BusyError as busy:
            raise Problem(409, "busy", str(busy)) from None

    run = await service.writing.call(work)
    return Json(contract.run_row(run), 202, {"Location": f"/v1/runs/{run.run_id}"})


@router.get("/runs", summary="Clustering runs", response_model=models.RunPage, responses=documented())
async def runs(request: Request, _caller: Searcher, limit: LimitQuery = 20, cursor: CursorQuery = "") -> Response:
    """The newest first, failed ones with their error."""
    service = service_of(request)
    pages = Pages(service.engine.secret, "runs")
    offset = pages.offset(cursor)

    def work() -> Row:
        shown, following = pages.page(service.engine.runs_from(limit=limit + 1, offset=offset), offset, limit)
        return {"runs": [contract.run_row(run) for run in shown], "next_cursor": following}

    return Json(await service.reading.call(work))


@router.get("/runs/{run_id}", summary="One run", response_model=models.Run, responses=documented(404))
async def run(request: Request, run_id: str, _caller: Searcher) -> Response:
    """Its state; while it runs, the seconds of the stages that are done; at its end, counts and what changed."""
    service = service_of(request)
    return Json(contract.run_row(await service.reading.call(lambda: service.engine.run(run_id))))
