"""Events just stored → accounts that turn up in a family judged coordinated → one alert for each.

events since the mark ─► those of prompts in coordinated families (`placing` put new ones there) ─► who is new there

Costs one look at `meta` for a batch while no family is judged coordinated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import numpy as np

from promptsim.engine.placing import place
from promptsim.records import Int64s
from promptsim.store.store import Store
from promptsim.store.watching import EventBlock, Join

BLOCK = 50_000  # events looked at in one go


@dataclass
class Watch:
    """The coordinated families of one run under the verdicts so far, and who is known in each."""

    families: frozenset[str]
    known: dict[str, Int64s] = field(default_factory=dict)


_watches: WeakKeyDictionary[Store, tuple[tuple[str, int], Watch]] = WeakKeyDictionary()


def watch(store: Store) -> int:
    """Look at what was stored since the last look; returns how many accounts newly joined coordinated families."""
    mark = store.watch_mark()
    if mark is None:
        return 0
    current = _current(store)
    joined = 0
    while current.families:
        block = store.events_from(mark, BLOCK)
        if block.end <= mark:
            break
        joins = _joins(store, current, block, mark)
        joined += store.add_joins(joins, block.end)
        mark = block.end
    return joined


def known_members(store: Store) -> dict[str, Int64s]:
    """The accounts of each coordinated family, before a run replaces the families."""
    if store.watch_mark() is None:
        return {}
    watch(store)
    end = store.events_end()
    return {family: store.senders_before(family, end) for family in store.coordinated_families()}


def watch_run(store: Store, before: dict[str, Int64s]) -> int:
    """Alerts for accounts that a run, rather than ingest, put into coordinated families; returns how many."""
    joins: list[Join] = []
    for name in store.coordinated_families() if before else ():
        lineage = store.family(name).lineage
        origins = {name, *lineage.continues, *lineage.merged_from, lineage.split_from} & before.keys()
        if origins:
            old = np.unique(np.concatenate([before[origin] for origin in sorted(o for o in origins if o)]))
            now = store.senders_before(name, store.events_end())
            joins += _first_joins(store, name, np.setdiff1d(now, old))
    return store.add_joins(joins, 0) if joins else 0


def _first_joins(store: Store, family: str, accounts: Int64s) -> list[Join]:
    found = store.first_sends(family, accounts) if len(accounts) else []
    names = store.accounts([account for account, _, _ in found])
    prompts = store.prompt_ids([prompt for _, _, prompt in found])
    rows = zip(found, names, prompts, strict=True)
    return [Join(family, name, time, prompt) for (_, time, _), name, prompt in rows if name]


def _current(store: Store) -> Watch:
    last = store.last_run()
    state = ("" if last is None else last.run_id, store.counts().verdicts)
    kept = _watches.get(store)
    if kept is None or kept[0] != state:
        kept = state, Watch(frozenset(store.coordinated_families()))
        _watches[store] = kept
    return kept[1]


def _joins(store: Store, current: Watch, block: EventBlock, mark: int) -> list[Join]:
    """First sends in coordinated families by accounts that were not in them before the block."""
    for family in current.families - current.known.keys():
        current.known[family] = store.senders_before(family, mark)
    families = _families_of(store, current, np.unique(block.prompt_no))
    order = np.argsort(block.time, kind="stable")
    first: dict[tuple[str, int], tuple[int, int]] = {}
    for account, prompt, time in zip(*(column[order].tolist() for column in _columns(block)), strict=True):
        for family in families.get(prompt, ()):
            first.setdefault((family, account), (time, prompt))
    fresh = [key for key in first if not _holds(current.known[key[0]], key[1])]
    for family in {family for family, _ in fresh}:
        added = np.array([account for name, account in fresh if name == family], np.int64)
        current.known[family] = np.union1d(current.known[family], added)
    names = store.accounts([account for _, account in fresh])
    prompts = store.prompt_ids([first[key][1] for key in fresh])
    rows = zip(fresh, names, prompts, strict=True)
    return [Join(key[0], name, first[key][0], prompt) for key, name, prompt in rows if name]


def _columns(block: EventBlock) -> tuple[Int64s, Int64s, Int64s]:
    return block.account_no, block.prompt_no, block.time


def _holds(ascending: Int64s, value: int) -> bool:
    place = int(np.searchsorted(ascending, value))
    return place < len(ascending) and int(ascending[place]) == value


def _families_of(store: Store, current: Watch, prompts: Int64s) -> dict[int, list[str]]:
    """The coordinated families of each prompt that is in one."""
    members = store.families_of(prompts)
    covered = store.covered_prompts()
    missing = [number for number in prompts.tolist() if number >= covered and number not in members]
    if missing:  # nothing explains them, or ingest was killed before it asked
        fresh = store.prompts(missing)
        place(store, np.array([p.prompt_no for p in fresh], np.int64), [(p.system, p.user) for p in fresh])
        members = {**members, **store.families_of(missing)}
    found = {number: [m.family_id for m in some if m.family_id in current.families] for number, some in members.items()}
    return {number: families for number, families in found.items() if families}
