"""Families and networks of the last run, their members and timelines."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from promptsim import contract
from promptsim.api import models
from promptsim.api.answers import Json
from promptsim.api.bodies import StrictRoute
from promptsim.api.paging import CursorQuery, LimitQuery, Pages
from promptsim.api.problems import documented
from promptsim.api.security import Searcher, service_of
from promptsim.contract import Row

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["findings"])
Status = Literal["any", "open", "coordinated", "benign", "unsure"]
Sort = Literal["score", "accounts", "events", "new"]
FlaggedQuery = Annotated[bool, Query(description="Only what is flagged.")]


@router.get("/families", summary="Families of the last run", response_model=models.FamilyPage, responses=documented())
async def families(
    request: Request, caller: Searcher, flagged: FlaggedQuery = False, status: Status = "any", sort: Sort = "score",
    limit: LimitQuery = 50, cursor: CursorQuery = "",
) -> Response:  # fmt: skip
    """The best evidence first, or the widest, the busiest, the newest."""
    service = service_of(request)
    pages = Pages(service.engine.secret, "families", flagged, status, sort)
    offset = pages.offset(cursor)
    wanted = None if status == "any" else status

    def work() -> Row:
        rows = service.engine.families(flagged=flagged, status=wanted, sort=sort, limit=offset + limit + 1)[offset:]
        shown, following = pages.page(rows, offset, limit)
        service.read(caller, "list", "families")
        return {"families": [contract.family_row(family) for family in shown], "next_cursor": following}

    return Json(await service.reading.call(work))


@router.get("/families/{family_id}", summary="One family", response_model=models.Family, responses=documented(404))
async def family(request: Request, family_id: str, caller: Searcher) -> Response:
    """Its template, slots, wordings, lineage, and the reasons for its score."""
    service = service_of(request)

    def work() -> Row:
        found = service.engine.family(family_id)
        service.read(caller, "family", family_id)
        return contract.family_row(found)

    return Json(await service.reading.call(work))


@router.get(
    "/families/{family_id}/members", summary="Prompts of a family", response_model=models.MemberPage,
    responses=documented(404),
)  # fmt: skip
async def members(
    request: Request, family_id: str, caller: Searcher, limit: LimitQuery = 50, cursor: CursorQuery = ""
) -> Response:
    """Each prompt with how it belongs and how often it was sent."""
    service = service_of(request)
    pages = Pages(service.engine.secret, "members", family_id)
    offset = pages.offset(cursor)

    def work() -> Row:
        rows = service.engine.members_from(family_id, limit=limit + 1, offset=offset)
        shown, following = pages.page(rows, offset, limit)
        service.read(caller, "members", family_id)
        return {"members": [contract.member_prompt_row(each) for each in shown], "next_cursor": following}

    return Json(await service.reading.call(work))


@router.get(
    "/families/{family_id}/timeline", summary="A family over time", response_model=models.TimelineAnswer,
    responses=documented(404),
)  # fmt: skip
async def timeline(
    request: Request, family_id: str, _caller: Searcher, step: Literal["hour", "day", "week"] = "day"
) -> Response:
    """Events, accounts and accounts seen for the first time, for every step of time that has any."""
    service = service_of(request)
    found = await service.reading.call(lambda: service.engine.timeline(family_id, step=step))
    rows = [
        {
            "start": contract.rfc3339(each.start),
            "event_count": each.event_count,
            "account_count": each.account_count,
            "new_account_count": each.new_account_count,
        }
        for each in found
    ]
    return Json({"step": step, "buckets": rows})


@router.get("/networks", summary="Networks of the last run", response_model=models.NetworkPage, responses=documented())
async def networks(
    request: Request, _caller: Searcher, flagged: FlaggedQuery = False, limit: LimitQuery = 50, cursor: CursorQuery = ""
) -> Response:
    """Accounts that act together beyond chance, those with the best evidence first."""
    service = service_of(request)
    pages = Pages(service.engine.secret, "networks", flagged)
    offset = pages.offset(cursor)

    def work() -> Row:
        rows = service.engine.networks(flagged=flagged, limit=offset + limit + 1)[offset:]
        shown, following = pages.page(rows, offset, limit)
        return {"networks": [contract.network_row(network) for network in shown], "next_cursor": following}

    return Json(await service.reading.call(work))


@router.get("/networks/{network_id}", summary="One network", response_model=models.Network, responses=documented(404))
async def network(request: Request, network_id: str, _caller: Searcher) -> Response:
    """Its accounts, the families that tie them, and the reasons for its score."""
    service = service_of(request)
    return Json(contract.network_row(await service.reading.call(lambda: service.engine.network(network_id))))
