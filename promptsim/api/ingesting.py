"""POST /v1/prompts: a batch of events in, what became of each out, once it is on the disk."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from promptsim.api.answers import Json
from promptsim.api.bodies import MAX_BODY, StrictRoute, read_body
from promptsim.api.metrics import Metrics
from promptsim.api.models import IngestAnswer
from promptsim.api.problems import Problem, documented
from promptsim.api.requests import EXAMPLE_TEXT
from promptsim.api.security import Ingester, service_of
from promptsim.contract import Row
from promptsim.engine.receiving import Receipt
from promptsim.records import Event

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["ingest"])
NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")
_EVENT = {"id": "evt_1", "account_id": "acct_17", "timestamp": "2026-02-28T13:00:00Z", "text": EXAMPLE_TEXT}
_LINE = '{"account_id":"acct_17","timestamp":1772283600,"text":"Summarise this."}\n'
_BODY: dict[str, Any] = {
    "required": True,
    "description": "Events of docs/api.md. A bad one is rejected by itself and costs the others nothing.",
    "content": {
        "application/json": {"schema": {"type": "array", "maxItems": 20_000, "items": {}}, "example": [_EVENT]},
        "application/x-ndjson": {"schema": {"type": "string", "pattern": "[^ \\t\\n\\r\\v\\f]"}, "example": _LINE},
    },
}  # fmt: skip


@router.post(
    "/prompts",
    summary="Ingest a batch of events",
    response_model=IngestAnswer,
    responses=documented(413, 415, 507),
    openapi_extra={"requestBody": _BODY},
)
async def ingest(request: Request, _caller: Ingester) -> Response:
    """A JSON array, or JSON lines (application/x-ndjson); gzip by Content-Encoding. Sending again changes nothing.

    Answered when everything accepted is on the disk. A text that is known is not embedded again, and its second
    sender is kept.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json" and media not in NDJSON:
        raise Problem(
            415, "unsupported-media-type", f"Content-Type {media[:60]!r}: application/json or application/x-ndjson"
        )
    body = await read_body(request, MAX_BODY)
    _require_shape(body, media)
    service = service_of(request)
    receipt = await service.writing.call(lambda: service.receive(body))
    metrics: Metrics = request.app.state.metrics
    metrics.ingested(receipt)
    return Json(_rows(receipt))


def _require_shape(body: bytes, media: str) -> None:
    """What no item could be made of is a problem of the request, not of its items."""
    start = body.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        raise Problem(422, "empty-body", "the body is empty: send at least `[]` or one line")
    if media == "application/json" and not start.startswith(b"["):
        raise Problem(
            422, "not-an-array", "application/json must be an array of events; JSON lines are application/x-ndjson"
        )
    if media == "application/json" and not start.rstrip().endswith(b"]"):
        raise Problem(400, "truncated", "the array is not closed: the end of the body is missing")


def _rows(receipt: Receipt) -> Row:
    fresh = iter(receipt.fresh)
    items: list[Row] = []
    for index, item in enumerate(receipt.items):
        if isinstance(item, Event):
            items.append({"index": index, "status": "accepted" if next(fresh) else "known", "event_id": item.event_id})
        else:
            items.append({"index": index, "status": "rejected", "code": item.code, "reason": item.reason})
    return {
        "accepted": receipt.accepted,
        "known": receipt.known,
        "rejected": len(receipt.rejections),
        "new_prompts": receipt.new_prompts,
        "counts": receipt.counts,
        "items": items,
    }
