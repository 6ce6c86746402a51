"""Families and networks of the last run ─► rows of the queue: filtered, sorted, best evidence first."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from promptsim.engine.shared import SharedEngine
from promptsim.errors import UsageError
from promptsim.records import Evidence, Family, Network
from promptsim.web.desk import Desk
from promptsim.web.paging import Key, page_after

ROWS = 50
KEPT_SECONDS = 10.0  # under a stream of new events, for which the store's version is no guide
KINDS = {"all": "families and networks", "networks": "networks", "families": "families"}
SORTS = {"score": "best evidence", "accounts": "most accounts", "events": "most prompts", "new": "newest"}
STATUSES = {"review": "to be judged", "any": "any verdict or none", "open": "no verdict", "unsure": "unsure",
            "coordinated": "coordinated", "benign": "benign"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """A family or a network in the queue. `title` is a template: of a network, the one that is sent most."""

    kind: str
    subject_id: str
    flagged: bool
    score: float
    p_value: float | None
    accounts: int
    families: int
    events: int
    first_seen: int
    last_seen: int
    status: str
    relation: str
    title: str
    why: str

    @property
    def path(self) -> str:
        return f"/{self.kind}/{self.subject_id}"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which rows, in which order."""

    kind: str = "all"
    status: str = "review"
    sort: str = "score"
    flagged: bool = False
    least: int = 0

    def __post_init__(self) -> None:
        for value, known in ((self.kind, KINDS), (self.status, STATUSES), (self.sort, SORTS)):
            if value not in known:
                raise UsageError(f"{value!r}: choose one of {', '.join(known)}")

    def takes(self, row: Row) -> bool:
        return (
            (self.kind == "all" or self.kind == row.kind)
            and (self.status == "any" or row.status == self.status or (self.status, row.status) in _TO_REVIEW)
            and (row.flagged or not self.flagged)
            and row.accounts >= self.least
        )

    def key(self, row: Row) -> Key:
        return _KEYS[self.sort](row)


_TO_REVIEW = {("review", "open"), ("review", "unsure")}
_KEYS: dict[str, Callable[[Row], Key]] = {
    "score": lambda r: (-int(r.flagged), -r.score, -r.accounts, r.kind == "families", r.subject_id),
    "accounts": lambda r: (-r.accounts, -r.events, r.subject_id),
    "events": lambda r: (-r.events, -r.accounts, r.subject_id),
    "new": lambda r: (-r.first_seen, r.subject_id),
}


class Queue:
    """All rows of the last run, read again after a run or a verdict, not for every page."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: tuple[object, float, tuple[Row, ...]] = (None, 0.0, ())

    def rows(self, engine: SharedEngine) -> tuple[Row, ...]:
        """Every family and network with the verdicts laid over them."""
        last, verdicts = engine.last_run(), engine.verdicts()
        wanted = (last and last.run_id, len(verdicts), verdicts[-1].verdict_id if verdicts else "")
        with self._lock:
            known, read_at, rows = self._known
            if known != wanted or (time.monotonic() - read_at > KEPT_SECONDS and self._is_old(engine)):
                rows = _read(engine)
                self._known = wanted, time.monotonic(), rows
            return rows

    def _is_old(self, engine: SharedEngine) -> bool:
        version = engine.version()
        old, self._version = getattr(self, "_version", -1), version
        return version != old

    def choose(self, engine: SharedEngine, choice: Choice) -> list[Row]:
        """The chosen rows in order."""
        return sorted((row for row in self.rows(engine) if choice.takes(row)), key=choice.key)

    def after(self, engine: SharedEngine, subject_id: str) -> Row | None:
        """What to look at next: the row after this one among those to be judged, or the first."""
        rows = self.choose(engine, Choice())
        here = next((i for i, row in enumerate(rows) if row.subject_id == subject_id), -1)
        rest = [row for row in rows[here + 1 :] + rows[: max(here, 0)] if row.subject_id != subject_id]
        return rest[0] if rest else None


def _read(engine: SharedEngine) -> tuple[Row, ...]:
    families = engine.families()
    sends = {family.family_id: family.event_count for family in families}
    texts = {family.family_id: family.template for family in families}
    networks = engine.networks()
    reasons = {network.network_id: strongest(network.evidence) for network in networks}
    rows = [_network_row(network, sends, texts) for network in networks]
    return (*rows, *(_family_row(family, reasons) for family in families))


def _family_row(family: Family, reasons: Mapping[str, str]) -> Row:
    """A family's best reason is that of the network it ties, where it ties one."""
    tied = next((reasons[name] for name in family.network_ids if name in reasons), "")
    return Row(
        "families", family.family_id, family.flagged, family.score, family.p_value, family.account_count, 0,
        family.event_count, family.first_seen, family.last_seen, family.status, family.kind, family.template[:600],
        tied or strongest(family.evidence),
    )  # fmt: skip


def _network_row(network: Network, sends: Mapping[str, int], texts: Mapping[str, str]) -> Row:
    most = max(network.family_ids, key=lambda name: sends.get(name, 0), default="")
    return Row(
        "networks", network.network_id, network.flagged, network.score, network.p_value, len(network.account_ids),
        len(network.family_ids), sum(sends.get(name, 0) for name in network.family_ids), network.first_seen,
        network.last_seen, network.status, "", texts.get(most, "")[:600], strongest(network.evidence),
    )  # fmt: skip


def strongest(evidence: Sequence[Evidence]) -> str:
    """The sentence to show where there is room for one: that of the strongest test, else the first."""
    ordered = by_strength(evidence)
    return ordered[0].sentence if ordered else ""


def by_strength(evidence: Sequence[Evidence]) -> list[Evidence]:
    """Tests first, the strongest at the head; then what only describes, in its order."""
    return sorted(evidence, key=lambda item: (item.p_value is None, item.p_value or 0.0))


def register(router: APIRouter, desk: Desk, queue: Queue) -> None:
    @router.get("/", response_class=HTMLResponse)
    def queue_page(
        request: Request, kind: str = "all", status: str = "review", sort: str = "score", flagged: bool = False,
        least: str = "", cursor: str = "",
    ) -> HTMLResponse:  # fmt: skip
        person = desk.person(request)
        choice = Choice(kind, status, sort, flagged, int(least) if least.isdecimal() and len(least) < 10 else 0)
        with desk.engines() as engine:
            chosen = queue.choose(engine, choice)
            rows, following = page_after(chosen, choice.key, cursor, ROWS)
            whole, last = len(queue.rows(engine)), engine.last_run()
        desk.note_read(person, "queue", "families")
        return desk.page(
            "queue.html", person, rows=rows, cursor=following, choice=choice, total=len(chosen), whole=whole,
            last=last, kinds=KINDS, statuses=STATUSES, sorts=SORTS,
        )  # fmt: skip
