"""A service → the ASGI application: routes, problems, metrics, security headers, OpenAPI.

Other rooms (the page, webhooks) hand in their routers; they find the service at `request.app.state.service`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from promptsim.api import accounts, exporting, findings, health, ingesting, runs, searching, verdicts
from promptsim.api.metrics import Measured, Metrics
from promptsim.api.problems import ProblemDocument, install
from promptsim.api.security import RateLimit
from promptsim.service import Service

DESCRIPTION = (
    "Who else sent prompts like this? Similarity search, template families and account networks over prompt logs."
)
ROUTERS = (
    ingesting.router, searching.router, accounts.router, findings.router, verdicts.router, runs.router,
    exporting.router,
)  # fmt: skip
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


def create_app(service: Service, *, rate_limit: str | None = None, extra_routers: Sequence[APIRouter] = ()) -> FastAPI:
    """The application over an open service. `extra_routers` are included as they are, with paths of their own."""
    app = FastAPI(
        title="promptsim", version=_version(), description=DESCRIPTION, docs_url=None, redoc_url=None,
        openapi_url="/openapi.json", redirect_slashes=False,
    )  # fmt: skip
    app.state.service = service
    app.state.rate_limit = RateLimit(rate_limit) if rate_limit else None
    app.state.metrics = Metrics(service)
    for router in ROUTERS:
        app.include_router(router)
    app.include_router(health.router)
    for router in extra_routers:
        app.include_router(router)
    install(app)
    app.add_middleware(Guarded)
    app.add_middleware(Measured, metrics=app.state.metrics)
    _describe(app)
    return app


class Guarded:
    """Middleware: headers that every answer has, unless the route set its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, headed if scope["type"] == "http" else send)


def _describe(app: FastAPI) -> None:
    """OpenAPI with the problem document, and without FastAPI's own shape of a 422, which is never sent."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = generate()
            schemas = schema.setdefault("components", {}).setdefault("schemas", {})
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            schemas["ProblemDocument"] = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _version() -> str:
    try:
        return version("promptsim")
    except PackageNotFoundError:
        return "0"
