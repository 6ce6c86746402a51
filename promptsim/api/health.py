"""Is the process alive, does the index answer, and all figures for Prometheus. Open to everyone but the figures."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from promptsim.api.answers import Json
from promptsim.api.models import Health
from promptsim.api.problems import documented
from promptsim.api.security import Searcher, service_of

router = APIRouter(tags=["health"])
_STARTING: dict[int | str, dict[str, Any]] = {
    503: {"model": Health, "description": "The index is being opened or built."}
}


@router.get("/livez", summary="Is the process alive?", response_model=Health)
async def livez() -> Response:
    """Always 200 while the event loop turns."""
    return Json({"status": "ok", "detail": None})


@router.get("/readyz", summary="Does the index answer?", response_model=Health, responses=_STARTING)
async def readyz(request: Request) -> Response:
    """503 until searches are answered from the index: while it is opened, or built after a bulk ingest."""
    if service_of(request).ready:
        return Json({"status": "ok", "detail": None})
    return Json({"status": "starting", "detail": "the index is being opened or built"}, 503, {"Retry-After": "2"})


@router.get(
    "/healthz", summary="Is the home readable, and does the index answer?", response_model=Health, responses=_STARTING
)
async def healthz(request: Request) -> Response:
    """As readyz, and the database answers."""
    service = service_of(request)
    await service.reading.call(service.engine.version)
    return await readyz(request)


@router.get("/metrics", summary="Metrics for Prometheus", response_class=Response, responses={
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **documented()
})  # fmt: skip
async def metrics(request: Request, _caller: Searcher) -> Response:
    """Route templates, index lag, run age, ingest; no ids."""
    page = await service_of(request).reading.call(request.app.state.metrics.page)
    return Response(page, media_type=CONTENT_TYPE_LATEST)
