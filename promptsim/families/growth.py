"""Known families + the members that they have now → the same families, counted again. A stage of `extend`.

What a family is made from stays. A wording whose template was read from few members is read again when it has more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from promptsim.families import commonplace
from promptsim.families.describe import EVIDENCE, UNREAD, texts_of, texts_read
from promptsim.families.everyone import DocumentsOf
from promptsim.families.options import MineOptions
from promptsim.families.rows import wording_of
from promptsim.families.spread import Spread, spread_of
from promptsim.families.template import Template, extract
from promptsim.records import Bools, Family, FamilySet, Incidence, Int32s, Lineage, Members, Wording

FOUND = EVIDENCE | {commonplace.WEIGHT, commonplace.PLAIN}  # what this room says of a family


def grown(
    previous: FamilySet, rows: Members, incidence: Incidence, documents_of: DocumentsOf, options: MineOptions
) -> tuple[FamilySet, Spread]:
    """`previous` with the members `rows`, by prompt number, and the spread of each wording; what is empty is gone.

    `family` and `wording` of the rows index the families of `previous`, whose own members are those that its templates
    may have been read from; `documents_of` reads prompts by number.
    """
    first = np.cumsum([0, *(len(family.wordings) for family in previous.families)])
    group = first[rows.family] + rows.wording
    prompts = np.bincount(group, minlength=int(first[-1]))
    kept = np.flatnonzero(prompts)
    label = (np.cumsum(prompts > 0) - 1)[group].astype(np.int32)
    families, family = np.unique(np.searchsorted(first, kept, "right") - 1, return_inverse=True)
    starts = np.searchsorted(family, np.arange(len(families) + 1))
    place = (np.arange(len(kept)) - starts[family]).astype(np.int32)
    of_row: Int32s = family.astype(np.int32)[label]

    wide = spread_of(rows.prompt_no, label, len(kept), incidence)
    before = np.bincount(wording_of(previous), minlength=int(first[-1]))
    most = texts_read(len(kept), options)
    more = (prompts > before) & (before < most)
    templates, unread = _read_again(rows, label, more[kept], documents_of, most)
    known = [wording for family in previous.families for wording in family.wordings]
    wordings = [_wording(known[at], wide, i, templates.get(i)) for i, at in enumerate(kept.tolist())]
    several = np.diff(starts) > 1  # what one wording counts is what its family counts
    number = (np.cumsum(several) - 1).astype(np.int32)
    own = np.flatnonzero(several[of_row])
    whole = spread_of(rows.prompt_no[own], number[of_row[own]], int(several.sum()), incidence)
    now = tuple(
        _family(
            previous.families[at], wordings[starts[i] : starts[i + 1]],
            *((whole, int(number[i])) if several[i] else (wide, int(starts[i]))),
        )
        for i, at in enumerate(families.tolist())
    )  # fmt: skip
    go_on = {wording.wording_id for wording in wordings}
    skeletons = tuple(skeleton for skeleton in previous.skeletons if skeleton.wording_id in go_on)
    return FamilySet(now, replace(rows, family=of_row, wording=place[label]), skeletons, unread), wide


def _read_again(
    rows: Members, label: Int32s, chosen: Bools, documents_of: DocumentsOf, most: int
) -> tuple[dict[int, Template], dict[str, int]]:
    """New templates of the `chosen` wordings, by number, and how many of their members were not read for them."""
    if not chosen.any():
        return {}, {}
    some = np.where(chosen[label], label, np.int32(-1)).astype(np.int32)
    texts, unread = texts_of(documents_of, rows.prompt_no, some, len(chosen), most)
    return {i: extract(texts[i]) for i in np.flatnonzero(chosen).tolist()}, {UNREAD: unread} if unread else {}


def _wording(known: Wording, wide: Spread, i: int, template: Template | None) -> Wording:
    events, accounts = int(wide.events[i]), wide.account_count(i)
    if template is None and (events, accounts) == (known.event_count, known.account_count):
        return known
    counted = replace(known, event_count=events, account_count=accounts)
    return counted if template is None else replace(counted, template=template.text, slots=template.slots)


def _family(known: Family, wordings: Sequence[Wording], whole: Spread, i: int) -> Family:
    """The family as found, without what the networks room said of it: that is said anew."""
    events, accounts = int(whole.events[i]), whole.account_count(i)
    value, found = known.commonplace, tuple(e for e in known.evidence if e.name in FOUND)
    if (events, accounts) != (known.event_count, known.account_count):
        weight = next((float(e.value) for e in found if e.name == commonplace.WEIGHT), 0.0)
        value = commonplace.commonplace(weight, events, accounts)
        found = commonplace.evidence(weight, events, accounts) + tuple(e for e in found if e.name in EVIDENCE)
    return Family(
        family_id=known.family_id,
        kind=known.kind,
        role=known.role,
        template=wordings[0].template,
        slots=wordings[0].slots,
        wordings=tuple(wordings),
        event_count=events,
        prompt_count=int(whole.prompts[i]),
        account_count=accounts,
        first_seen=int(whole.first_seen[i]),
        last_seen=int(whole.last_seen[i]),
        commonplace=value,
        evidence=found,
        lineage=Lineage(continues=(known.family_id,)),
    )
