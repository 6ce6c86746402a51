"""A family and a network, as a reviewer judges them: the claim, its reasons, who, when, what, the verdict form."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from promptsim import review
from promptsim.engine.shared import SharedEngine
from promptsim.errors import NotFoundError
from promptsim.families.difference import Difference, compare
from promptsim.records import Evidence, Family, MemberPrompt
from promptsim.web import drawing, marking, verdicts
from promptsim.web.desk import Desk
from promptsim.web.paging import encoded, offset
from promptsim.web.queue import Queue, by_strength

EXAMPLES, SENDERS, GRID_ACCOUNTS, GRID_FAMILIES, NAMES = 12, 25, 40, 24, 200
SHOWN_NETWORKS, JOINS = 3, 20
MOST_COMPARED = 6_000  # characters of each side


def register(router: APIRouter, desk: Desk, queue: Queue) -> None:
    @router.get("/families/{family_id}", response_class=HTMLResponse)
    def family_page(request: Request, family_id: str, cursor: str = "", a: str = "", b: str = "") -> HTMLResponse:
        person = desk.person(request)
        start = offset(cursor)
        with desk.engines() as engine:
            family = engine.family(family_id)
            members = engine.members_from(family_id, limit=EXAMPLES + 1, offset=start)
            picture = engine.family_picture(family_id, senders=SENDERS)
            pair = _pair(engine, members, a, b)
            bench, joined = verdicts.bench(engine, family_id), review.alerts(engine, family_id, limit=JOINS)
            following = queue.after(engine, family_id)
            ancestors, networks = _known(engine, family), _networks(engine, family)
        desk.note_read(person, "family", family_id)
        found = compare(*(text[:MOST_COMPARED] for _, text in pair)) if len(pair) == 2 else None
        return desk.page(
            "family.html",
            person,
            family=family,
            joined=joined,
            evidence=by_strength(family.evidence),
            members=members[:EXAMPLES],
            start=start,
            cursor=encoded((start + EXAMPLES,)) if len(members) > EXAMPLES else "",
            picture=picture,
            timeline=drawing.timeline(picture.bars),
            pair=pair,
            found=found,
            sides=_sides(found),
            ancestors=ancestors,
            networks=networks,
            bench=bench,
            following=following,
            verdicts=verdicts.VERDICTS,
            compared=MOST_COMPARED,
        )

    @router.get("/networks/{network_id}", response_class=HTMLResponse)
    def network_page(request: Request, network_id: str) -> HTMLResponse:
        person = desk.person(request)
        with desk.engines() as engine:
            network = engine.network(network_id)
            picture = engine.network_picture(network_id, accounts=GRID_ACCOUNTS, families=GRID_FAMILIES)
            families = [engine.family(family_id) for family_id in picture.family_ids]
            bench = verdicts.bench(engine, network_id)
            following = queue.after(engine, network_id)
        desk.note_read(person, "network", network_id)
        rows = list(zip(picture.account_ids, picture.cells, strict=True))
        lanes = list(zip(picture.account_ids, picture.lanes, strict=True))
        return desk.page(
            "network.html",
            person,
            network=network,
            evidence=by_strength(network.evidence),
            picture=picture,
            families=families,
            grid=drawing.families_grid(rows, picture.family_ids),
            lanes=drawing.lanes_grid(lanes, picture.bars),
            timeline=drawing.timeline(picture.bars),
            bench=bench,
            following=following,
            verdicts=verdicts.VERDICTS,
            names=NAMES,
        )


def _pair(engine: SharedEngine, members: list[MemberPrompt], a: str, b: str) -> list[tuple[str, str]]:
    """Two prompts to lay side by side, as (id, text): the chosen ones, else the first two."""
    texts = {member.prompt_id: member.text for member in members}
    chosen = [prompt_id for prompt_id in (a, b) if prompt_id]
    chosen += [prompt_id for prompt_id in texts if prompt_id not in chosen]
    if b and not a:
        chosen = [next((p for p in texts if p != b), b), b]
    return [(p, texts[p] if p in texts else engine.prompt(p).prompt.text) for p in chosen[:2]]


def _sides(found: Difference | None) -> tuple[object, ...]:
    return marking.sides(found) if found else ()


def _networks(engine: SharedEngine, family: Family) -> list[tuple[str, list[Evidence]]]:
    """The networks that a family ties, with their evidence: a family's score rests on it."""
    found = []
    for network_id in family.network_ids[:SHOWN_NETWORKS]:
        try:
            found.append((network_id, by_strength(engine.network(network_id).evidence)))
        except NotFoundError:  # a run replaced the result between two questions
            continue
    return found


def _known(engine: SharedEngine, family: Family) -> set[str]:
    """Which families of the lineage can still be looked at."""
    lineage = family.lineage
    named = {*lineage.continues, *lineage.merged_from, *([lineage.split_from] if lineage.split_from else [])}
    found = set()
    for family_id in sorted(named)[:50]:
        try:
            engine.family(family_id)
        except NotFoundError:
            continue
        found.add(family_id)
    return found
