"""Webhooks: where messages are sent, how far each is, and sending one again. The secret is shown once."""

from __future__ import annotations

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from promptsim import settings
from promptsim.api.answers import Json
from promptsim.api.bodies import StrictRoute
from promptsim.api.problems import documented
from promptsim.api.security import Administrator, service_of
from promptsim.contract import Row
from promptsim.enforcement.addresses import networks
from promptsim.enforcement.webhooks import delivery_row, register, webhook_row

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["webhooks"])
Type = Literal[
    "family.flagged", "family.verdict", "network.flagged", "network.verdict", "run.finished", "account.joined"
]


class WebhookRequest(BaseModel):
    """Where to send, and what: no types means all of them."""

    model_config = ConfigDict(
        extra="forbid", strict=True,
        json_schema_extra={"examples": [{"url": "https://example.org/hook", "types": ["family.flagged"]}]},
    )  # fmt: skip
    url: str = Field(max_length=2_000, description="https, at a public address.")
    types: list[Type] = Field([], max_length=20)


class WebhookAnswer(BaseModel):
    """A webhook; `secret` only in the answer to its making."""

    webhook_id: str
    url: str
    types: list[str]
    created: str
    by: str
    disabled: str | None
    why_disabled: str | None
    secret: str | None = None


class WebhookList(BaseModel):
    webhooks: list[WebhookAnswer]


class DeliveryAnswer(BaseModel):
    """One message on its way to one webhook."""

    message_id: str
    webhook_id: str
    type: str
    state: Literal["pending", "delivered", "failed"]
    tries: int
    due: str | None
    last_status: int | None
    last_error: str | None
    ended: str | None


class DeliveryList(BaseModel):
    deliveries: list[DeliveryAnswer]


class ReplayAnswer(BaseModel):
    webhooks: int


@router.get("/webhooks", summary="Webhooks", response_model=WebhookList, responses=documented())
async def list_webhooks(request: Request, _caller: Administrator) -> Response:
    """All of them, disabled ones too, without their secrets."""
    service = service_of(request)

    def work() -> Row:
        return {"webhooks": [webhook_row(each) for each in service.engine.store.webhooks()]}

    return Json(await service.reading.call(work))


@router.post(
    "/webhooks",
    summary="Add a webhook",
    status_code=201,
    response_model=WebhookAnswer,
    responses=documented(409, 413, 507),
)
async def add_webhook(request: Request, asked: WebhookRequest, caller: Administrator) -> Response:
    """Messages begin with what happens next. Keep the secret: it is not shown again."""
    service = service_of(request)

    def work() -> Row:
        allow = networks(settings.webhook_allow())
        made = register(service.engine.store, asked.url, by=caller.name, types=asked.types, allow=allow)
        return webhook_row(made, secret=True)

    return Json(await service.writing.call(work), 201)


@router.delete(
    "/webhooks/{webhook_id}", summary="Remove a webhook", status_code=204, response_class=Response,
    responses=documented(404, 507),
)  # fmt: skip
async def remove_webhook(request: Request, webhook_id: str, caller: Administrator) -> Response:
    """With everything that was still on its way to it."""
    service = service_of(request)
    await service.writing.call(lambda: service.engine.store.remove_webhook(webhook_id, by=caller.name))
    return Response(status_code=204)


@router.get(
    "/webhooks/deliveries", summary="Messages on their way", response_model=DeliveryList, responses=documented()
)
async def deliveries(
    request: Request, _caller: Administrator, state: Literal["any", "pending", "delivered", "failed"] = "any",
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Response:  # fmt: skip
    """Of the newest messages first, with the last status or error of each."""
    service = service_of(request)

    def work() -> Row:
        found = service.engine.store.deliveries(limit=limit, state=None if state == "any" else state)
        return {"deliveries": [delivery_row(each) for each in found]}

    return Json(await service.reading.call(work))


@router.post(
    "/webhooks/messages/{message_id}/replay", summary="Send a message again", status_code=202,
    response_model=ReplayAnswer, responses=documented(404, 507),
)  # fmt: skip
async def replay(request: Request, message_id: str, caller: Administrator) -> Response:
    """Under its own id, to every webhook that is not disabled."""
    service = service_of(request)
    now = time.time_ns() // 1000
    sent = await service.writing.call(lambda: service.engine.store.replay(message_id, by=caller.name, now=now))
    return Json({"webhooks": sent}, 202)
