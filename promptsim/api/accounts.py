"""GET /v1/accounts/{id} and the accounts like it; DELETE erases one."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from promptsim import contract
from promptsim.api import models
from promptsim.api.answers import Json
from promptsim.api.bodies import StrictRoute
from promptsim.api.problems import documented
from promptsim.api.searching import KQuery
from promptsim.api.security import Administrator, Searcher, service_of
from promptsim.contract import Row

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["accounts"])
PROMPTS_SHOWN = 50


@router.get(
    "/accounts/{account_id:path}/similar", summary="Accounts like this one", response_model=models.NeighboursAnswer,
    responses=documented(404),
)  # fmt: skip
async def similar(request: Request, account_id: str, _caller: Searcher, k: KQuery = 10) -> Response:
    """Accounts that send from the same families and the same texts, rare ones counting for more."""
    service = service_of(request)
    found = await service.reading.call(lambda: service.engine.similar_accounts(account_id, k=k))
    rows = [
        {
            "account_id": each.account_id,
            "similarity": round(each.similarity, 4),
            "shared_family_ids": list(each.shared_family_ids),
            "shared_prompts": each.shared_prompts,
        }
        for each in found
    ]
    return Json({"accounts": rows})


@router.get(
    "/accounts/{account_id:path}", summary="One account", response_model=models.AccountAnswer, responses=documented(404)
)
async def account(request: Request, account_id: str, caller: Searcher) -> Response:
    """What the last run says of it and why, and the prompts that it sent most often."""
    service = service_of(request)

    def work() -> Row:
        engine = service.engine
        summary, evidence = engine.account(account_id), engine.account_evidence(account_id)
        sent = engine.account_prompts(account_id, limit=PROMPTS_SHOWN)
        service.read(caller, "account", account_id)
        prompts = [{"prompt_id": p.prompt_id, "text": p.text, "event_count": n} for p, n in sent]
        return contract.account_row(summary) | {"evidence": contract.evidence_row(evidence), "prompts": prompts}

    return Json(await service.reading.call(work))


@router.delete(
    "/accounts/{account_id:path}", summary="Erase an account", response_model=models.ErasedAnswer,
    responses=documented(404, 507),
)  # fmt: skip
async def erase(request: Request, account_id: str, _caller: Administrator) -> Response:
    """For good: its sends, and every text that only it sent, from all files of the home."""
    service = service_of(request)
    done = await service.writing.call(lambda: service.engine.erase(account_id))
    row = {"account_id": account_id, "events": done.events, "prompts": done.prompts, "complete": done.complete}
    return Json(row)
