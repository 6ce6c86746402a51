"""Request bodies → bytes and JSON, bounded before anything is parsed, and strict: what is odd is named, not guessed."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from promptsim.api.problems import Problem, of_bad_event
from promptsim.intake.jsonl import decode
from promptsim.intake.problems import BadEvent

MAX_BODY = 16 * 2**20  # bytes of an ingest request, after decompression
MAX_SMALL_BODY = 8 * 2**20  # of any other: a text of a million characters, however it is escaped
DRAINED = 4 * MAX_BODY  # of a body that is too large
_BITE = 2**20


async def read_body(request: Request, limit: int) -> bytes:
    """The body, decompressed; 413 as soon as it is longer than `limit`, whatever its header says."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise await _too_large(request, limit)
    inflate = _inflator(request.headers.get("content-encoding", ""))
    pieces: list[bytes] = []
    size = taken = 0
    async for chunk in request.stream():
        taken += len(chunk)
        if taken > limit:
            raise await _too_large(request, limit)
        for piece in inflate(chunk, limit - size) if inflate else (chunk,):
            size += len(piece)
            if size > limit:
                raise await _too_large(request, limit)
            pieces.append(piece)
    if inflate and not inflate.ended:
        raise Problem(400, "damaged-stream", "the gzip stream ends early")
    return b"".join(pieces)


class _Inflator:
    """gzip, never more than asked for: a small body may hold gigabytes."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)
        self.ended = False

    def __call__(self, chunk: bytes, room: int) -> list[bytes]:
        pieces: list[bytes] = []
        while chunk and not self.ended:
            try:
                pieces.append(self._stream.decompress(chunk, min(_BITE, room + 1)))
            except zlib.error as error:
                raise Problem(400, "damaged-stream", f"the body is no gzip stream: {error}") from None
            room -= len(pieces[-1])
            chunk, self.ended = self._stream.unconsumed_tail, self._stream.eof
            if room < 0:
                break
        return pieces


def _inflator(encoding: str) -> _Inflator | None:
    if encoding.strip().lower() in ("", "identity"):
        return None
    if encoding.strip().lower() not in ("gzip", "x-gzip"):
        raise Problem(415, "unsupported-media-type", f"Content-Encoding {encoding[:40]!r}: send gzip, or none")
    return _Inflator()


async def _too_large(request: Request, limit: int) -> Problem:
    """The problem, after the rest was read and thrown away: a connection cut in mid-body hides the answer from many."""
    left = DRAINED
    with suppress(RuntimeError, ClientDisconnect):  # the stream was read to its end already, or the client has gone
        async for chunk in request.stream():
            left -= len(chunk)
            if left < 0:
                break
    return Problem(413, "body-too-large", f"the body is larger than {limit:,} bytes: send it in several requests")


class StrictRequest(Request):
    """A request whose JSON is read by the rules of intake: no lone surrogates, NaN, deep nesting or double keys."""

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            self._body = await read_body(self, MAX_SMALL_BODY)
        return self._body

    async def json(self) -> Any:
        try:
            return decode(await self.body())
        except BadEvent as problem:
            raise of_bad_event(problem) from None


class StrictRoute(APIRoute):
    """A route with strict JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return strict
