"""GET /v1/export/{what}: all rows of one kind, streamed, never held as a whole; for other systems as OCSF or STIX."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from promptsim.api.problems import Problem, documented
from promptsim.api.security import Searcher, service_of
from promptsim.enforcement.export import SECURITY_FORMATS, exported
from promptsim.service import Service

router = APIRouter(prefix="/v1", tags=["export"])
What = Literal["members", "families", "networks", "accounts", "verdicts"]
Format = Literal["jsonl", "csv", "parquet", "ocsf", "stix"]
MEDIA: dict[str, str] = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "ocsf": "application/x-ndjson",
    "stix": "application/stix+json;version=2.1",
}
SUFFIX = {"ocsf": "ocsf.jsonl", "stix": "stix.json"}
PIECE = 256 * 1024
_CONTENT = {
    media.partition(";")[0]: {"schema": {"type": "object" if name == "stix" else "string"}}
    for name, media in MEDIA.items()
}


@router.get(
    "/export/{what}", summary="Export", response_class=StreamingResponse,
    responses={200: {"description": "Rows with the columns of docs/api.md.", "content": _CONTENT}, **documented(404)},
)  # fmt: skip
async def export(
    request: Request, what: What, caller: Searcher, format: Format = "jsonl",
    flagged: Annotated[bool, Query(description="Only what is flagged.")] = False,
) -> Response:  # fmt: skip
    """Begins at once and takes memory for one piece; the columns are the same in jsonl, csv and parquet.

    ocsf (families, networks): Detection Findings, one a line. stix (families): one bundle of what is flagged.
    """
    service = service_of(request)
    if what not in SECURITY_FORMATS.get(format, (what,)):
        raise Problem(404, "not-found", f"there is no {format} export of {what}")

    def begin() -> tuple[Iterator[bytes], bytes]:
        pieces = _joined(exported(service.engine, what, format, flagged=flagged))
        service.read(caller, "export", what)
        return pieces, next(pieces, b"")

    pieces, first = await service.reading.call(begin)  # an error before the first piece is still a problem document
    name = {"Content-Disposition": f'attachment; filename="promptsim-{what}.{SUFFIX.get(format, format)}"'}
    return StreamingResponse(_streamed(service, pieces, first), media_type=MEDIA[format], headers=name)


async def _streamed(service: Service, pieces: Iterator[bytes], first: bytes) -> AsyncIterator[bytes]:
    piece = first
    while piece:
        yield piece
        piece = await service.reading.call(lambda: next(pieces, b""))


def _joined(pieces: Iterator[tuple[int, bytes]]) -> Iterator[bytes]:
    """Rows in pieces that are worth a trip to another thread."""
    held: list[bytes] = []
    size = 0
    for _, data in pieces:
        held.append(data)
        size += len(data)
        if size >= PIECE:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)
