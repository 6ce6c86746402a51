"""Every answer of the page ─► headers that keep strangers' text from acting; every error ─► a page of its own."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute

from promptsim.errors import PromptsimError
from promptsim.web.rendering import render

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
STATUS = {"unusable-call": 400, "not-found": 404, "conflict": 409, "busy": 503, "not-ready": 503, "storage-full": 507}


class LoginNeeded(Exception):
    """Nobody is logged in, or their key was revoked."""


class Refused(Exception):
    """Somebody is logged in, and this is not for them; or the form is not one of ours."""


class PageRoute(APIRoute):
    """A route of the page."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                response = await handle(request)
            except LoginNeeded:
                response = _to_login(request)
            except Refused as refusal:
                response = _error(403, "This is not possible", str(refusal))
            except PromptsimError as error:
                response = _error(STATUS.get(error.code, 500), _TITLES.get(error.code, "This did not work"), str(error))
            except RequestValidationError as error:
                fields = ", ".join(sorted({str(item["loc"][-1]) for item in error.errors()}))
                response = _error(400, "This address or form cannot be used", f"Look at: {fields}.")
            response.headers.update(HEADERS)
            response.headers.setdefault("Cache-Control", "no-store")
            return response

        return answer


_TITLES = {
    "not-found": "There is nothing here",
    "conflict": "This was decided or changed meanwhile",
    "busy": "Busy: try again in a moment",
}


def _error(status: int, title: str, reason: str) -> Response:
    return render("error.html", status, title=title, reason=reason)


def _to_login(request: Request) -> Response:
    """A redirect that comes back after the login; a form that was sent without a session is lost, and says so."""
    if "hx-request" in request.headers:
        return Response(status_code=200, headers={"HX-Redirect": "/login"})
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    target = f"/login?next={quote(wanted, safe='')}" if request.method == "GET" and wanted != "/" else "/login"
    return RedirectResponse(target, 303)
