"""What waits for a person beside the queue: proposals, possible victims, who joined what is known. The audit log."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from promptsim import review
from promptsim.web.desk import Desk
from promptsim.web.paging import encoded, offset
from promptsim.web.verdicts import path_of

ALERTS, HELD, ENTRIES = 50, 100, 100


def register(router: APIRouter, desk: Desk) -> None:
    @router.get("/waiting", response_class=HTMLResponse)
    def waiting_page(request: Request, cursor: str = "") -> HTMLResponse:
        person = desk.person(request)
        start = offset(cursor)
        with desk.engines() as engine:
            proposals = engine.store.proposals()
            held = sorted(review.held_accounts(engine).values(), key=lambda one: (-one.inside, one.account_id))
            joined = review.alerts(engine, limit=start + ALERTS + 1)[start:]
            total = engine.store.join_count()
        named = [
            (one, path_of(one.subject_id) if one.subject_id.startswith(("f_", "net_")) else "") for one in proposals
        ]
        following = encoded((start + ALERTS,)) if len(joined) > ALERTS else ""
        return desk.page(
            "waiting.html", person, proposals=named, held=held[:HELD], held_total=len(held), joined=joined[:ALERTS],
            total=total, cursor=following,
        )  # fmt: skip

    @router.get("/audit", response_class=HTMLResponse)
    def audit_page(request: Request, cursor: str = "", subject: str = "") -> HTMLResponse:
        """For administrators: who decided what, and who was shown prompt text."""
        person = desk.person(request, "admin")
        before = offset(cursor) or None
        with desk.engines() as engine:
            store, about = engine.store, subject.strip()
            name = about if not about or about.startswith(("f_", "net_", "p_", "a_", "wh_", "msg_")) else ""
            entries = store.audit(
                limit=ENTRIES + 1, before=before, subject=(name or store.pseudonym(about)) if about else None
            )
            head = store.audit_head()
        shown = entries[:ENTRIES]
        following = encoded((shown[-1].entry_no,)) if len(entries) > ENTRIES else ""
        return desk.page("audit.html", person, entries=shown, head=head, cursor=following, subject=about)
