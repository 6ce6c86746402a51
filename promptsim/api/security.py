"""Who may call what: bearer keys, roles, rate limits, and no other site's page through a browser."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from promptsim.api.problems import Problem
from promptsim.errors import UsageError
from promptsim.service import Caller, Service

LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1")
_bearer = HTTPBearer(auto_error=False, scheme_name="key", description="A key from `promptsim keys create`.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def service_of(request: Request) -> Service:
    """The service that this app was made for."""
    service: Service = request.app.state.service
    return service


class RateLimit:
    """So many requests a key, in a moving window."""

    def __init__(self, text: str) -> None:
        try:
            self._item: RateLimitItem = parse(text)
        except ValueError:
            raise UsageError(f"--rate-limit {text!r}: write e.g. 100/second or 6000/minute") from None
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def check(self, key_id: str) -> None:
        """A 429 problem when this key has had its share."""
        if not self._limiter.hit(self._item, key_id):
            reset, _ = self._limiter.get_window_stats(self._item, key_id)
            wait = str(max(1, math.ceil(reset - time.time())))
            raise Problem(429, "rate-limited", f"more than {self._item} by this key", {"Retry-After": wait})


def require(role: str) -> Callable[..., Coroutine[Any, Any, Caller]]:
    """A dependency: the caller, if its role covers `role`; else a 401 or 403 problem."""

    async def allowed(request: Request, credentials: Credentials) -> Caller:
        service = service_of(request)
        token = credentials.credentials if credentials else None
        if token is None and "authorization" in request.headers:
            token = ""  # something was sent that is no bearer key: not the same as nothing
        caller = service.caller(token)
        if caller is None:
            detail = "send a valid key as `Authorization: Bearer ps_…`; `promptsim keys create` makes one"
            raise Problem(401, "unauthorised", detail, {"WWW-Authenticate": 'Bearer realm="promptsim"'})
        if caller.key_id is None:
            refuse_other_sites(request)
        elif request.app.state.rate_limit is not None:
            request.app.state.rate_limit.check(caller.key_id)
        if not caller.may(role):
            raise Problem(403, "forbidden", f"this needs a key of the role {role}; this one has {caller.role}")
        return caller

    allowed.role = role  # type: ignore[attr-defined]  # for the test of every route with every role
    return allowed


def refuse_other_sites(request: Request) -> None:
    """Without keys the machine itself is trusted, but not the pages of other sites in its browser."""
    host = request.headers.get("host", "")
    if host.rsplit(":", 1)[0] not in LOOPBACK and host not in LOOPBACK:
        raise Problem(
            403, "forbidden", f"without keys only requests to this machine by name are taken, not {host[:80]!r}"
        )
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != host:
        raise Problem(403, "forbidden", f"requests from pages of {origin[:80]!r} are refused while there are no keys")


Ingester = Annotated[Caller, Depends(require("ingest"))]
Searcher = Annotated[Caller, Depends(require("search"))]
Reviewer = Annotated[Caller, Depends(require("review"))]
Administrator = Annotated[Caller, Depends(require("admin"))]
