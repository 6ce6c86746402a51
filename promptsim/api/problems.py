"""What went wrong → RFC 9457 problem documents with a stable `code`; the only place that knows HTTP status codes."""

from __future__ import annotations

import http
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException as StarletteHTTPException

from promptsim.errors import PromptsimError
from promptsim.intake.problems import CODES, BadEvent

log = logging.getLogger("promptsim.api")
MEDIA_TYPE = "application/problem+json"
# By the code of the package's own errors; what is not here is our fault, not the caller's.
STATUS: dict[str, int] = {
    "unusable-call": 422,
    "unusable-address": 400,  # well-formed, as far as a schema can tell
    "not-found": 404,
    "conflict": 409,
    "busy": 503,
    "not-ready": 503,
    "storage-full": 507,
    "encoder-mismatch": 503,
    "home-unusable": 503,
    "damaged": 500,
}
RETRY_SECONDS = {503: "2", 507: "60"}
_CODES_OF_STATUS = {404: "not-found", 405: "method-not-allowed", 415: "unsupported-media-type"}


class ProblemDocument(BaseModel):
    """An error, as RFC 9457 has it; `code` is stable, `detail` is for people."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:promptsim:problem:not-found",
                    "title": "Not Found",
                    "status": 404,
                    "code": "not-found",
                    "detail": "no family has the id 'f_1'",
                }
            ]
        }
    )
    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[dict[str, str]] | None = Field(None, description="Where a request breaks the schema, and how.")


class Problem(HTTPException):
    """An error that has its HTTP status already."""

    def __init__(
        self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None, **more: object
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.code, self.more = code, more


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with, for OpenAPI."""
    reference = {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
    return {
        status: {"description": http.HTTPStatus(status).phrase, "content": {MEDIA_TYPE: reference}}
        for status in sorted({400, 401, 403, 422, 429, 503, *statuses})
    }


def answer(status: int, code: str, detail: str, headers: Mapping[str, str] | None = None, **more: object) -> Response:
    """A problem document."""
    title = http.HTTPStatus(status).phrase
    body = {"type": f"urn:promptsim:problem:{code}", "title": title, "status": status, "code": code, "detail": detail}
    known = {"Retry-After": RETRY_SECONDS[status]} if status in RETRY_SECONDS else {}
    return Response(orjson.dumps({**body, **more}), status, {**known, **(headers or {})}, MEDIA_TYPE)


def of_bad_event(problem: BadEvent) -> Problem:
    """A request that is no usable JSON."""
    assert problem.code in CODES
    return Problem(400, problem.code, problem.reason)


def install(app: FastAPI) -> None:
    """Every error of the app becomes a problem document."""
    app.add_exception_handler(PromptsimError, _of_package)
    app.add_exception_handler(StarletteHTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(Exception, _unforeseen)


async def _of_package(_request: Request, error: Exception) -> Response:
    assert isinstance(error, PromptsimError)
    status = STATUS.get(error.code, 500)
    if status >= 500 and status not in (503, 507):
        log.error("%s: %s", error.code, error)
    return answer(status, error.code, str(error))


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    if isinstance(error, Problem):
        return answer(error.status_code, error.code, str(error.detail), error.headers, **error.more)
    code = _CODES_OF_STATUS.get(error.status_code, "bad-request")
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(sorted(_methods(request.app.routes, request.url.path)))
    detail = f"{request.method} {request.url.path}: {error.detail}" if error.status_code in (404, 405) else error.detail
    return answer(error.status_code, code, str(detail), headers)


def _methods(routes: Iterable[Any], path: str) -> set[str]:
    """Every method of the resource at a path: of all routes with the most specific template that matches it."""
    found = list(_matching(routes, path))
    chosen = min((template for template, _ in found), key=lambda t: (t.count("{"), -len(t)), default="")
    return {method for template, methods in found if template == chosen for method in methods}


def _matching(routes: Iterable[Any], path: str) -> Iterator[tuple[str, set[str]]]:
    """(template, methods) of every route that matches; the framework names the methods of the first only."""
    for route in routes:
        if hasattr(route, "original_router"):
            yield from _matching(route.original_router.routes, path)
        elif hasattr(route, "path_regex") and route.path_regex.match(path):
            yield route.path, set(route.methods or ())


async def _of_validation(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [{"at": ".".join(map(str, e["loc"])), "reason": str(e["msg"])} for e in error.errors()[:20]]
    detail = "; ".join(f"{e['at']}: {e['reason']}" for e in errors[:3])
    return answer(422, "invalid-request", detail, errors=errors)


async def _unforeseen(request: Request, error: Exception) -> Response:
    """A fault of ours: logged with where it happened, never with what was sent."""
    log.error("%s %s failed", request.method, request.scope.get("route_template", "?"), exc_info=error)
    return answer(500, "internal", "this is a fault of the server; its log says more")
