"""Known families + those found in what is new → new families that are known ones in other words. A stage of `extend`.

A campaign that rewords its instruction between two whole runs goes on as one family, with one wording more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from promptsim.families import commonplace
from promptsim.families.describe import WORDINGS
from promptsim.families.everyone import summed
from promptsim.families.groups import PARAPHRASE
from promptsim.families.likeness import Encode
from promptsim.families.options import MineOptions
from promptsim.families.rows import all_rows, wording_of
from promptsim.families.spread import Spread, spread_of
from promptsim.families.wordings import Join, join_arrivals
from promptsim.records import RELATIONS, Evidence, Family, FamilySet, Incidence, Int32s, Int64s


def put_together(
    known: FamilySet, wide: Spread, new: FamilySet, incidence: Incidence, options: MineOptions, encode: Encode | None
) -> FamilySet:
    """All families, a new one that rewords a known one as part of that. `wide`: the spread of known wordings."""
    every = (*known.families, *new.families)
    sizes = np.array([len(family.wordings) for family in every], np.int64)
    first = np.cumsum(sizes) - sizes
    spread = spread_of(new.members.prompt_no, wording_of(new), int(sizes[len(known.families) :].sum()), incidence)
    senders = [some.senders(g) for some in (wide, spread) for g in range(len(some.events))]
    before = np.arange(len(every)) < len(known.families)
    fixed = {skeleton.wording_id for skeleton in (*known.skeletons, *new.skeletons)}
    grouping = join_arrivals(
        [wording.template for family in every for wording in family.wordings],
        senders,
        np.repeat(first, sizes),
        np.repeat(before, sizes),
        encode=encode,
        varied=np.array([w.wording_id in fixed for family in every for w in family.wordings], np.bool_),
        commonplace=np.repeat(np.array([f.commonplace >= options.commonplace for f in every], np.bool_), sizes),
    )
    home = np.searchsorted(first, grouping.group[first], "right") - 1
    joined: dict[int, list[int]] = {}
    for number in np.flatnonzero(home != np.arange(len(every))).tolist():
        joined.setdefault(int(home[number]), []).append(number)
    why = {int(grouping.group[join.first]): join for join in grouping.joins}
    families = list(every)
    place = np.zeros(len(every), np.int32)
    for at, numbers in joined.items():
        place[numbers] = np.cumsum(sizes[[at, *numbers]])[:-1]
        accounts = [senders[g] for n in (at, *numbers) for g in range(first[n], first[n] + sizes[n])]
        count = len(np.unique(np.concatenate(accounts)))
        families[at] = _enlarged(every[at], [every[n] for n in numbers], count, why[int(first[at])])
    return _renumbered(known, new, families, home, place, dict(grouping.cuts))


def _enlarged(family: Family, more: Sequence[Family], accounts: int, join: Join) -> Family:
    """The family with the wordings of others as further ones of its own."""
    parts = (family, *more)
    wordings = tuple(wording for part in parts for wording in part.wordings)
    events = sum(part.event_count for part in parts)
    told = (float(e.value) for part in parts for e in part.evidence if e.name == commonplace.WEIGHT)
    weight = max(told, default=0.0)
    roles = {part.role for part in parts}
    late = sum(len(part.wordings) for part in more)
    said = f"{len(wordings)} wordings say the same; the last {late} came after all was mined: {join.reason}."
    gone = {name for part in more for name in (*part.lineage.continues, *part.lineage.merged_from)}
    return replace(
        family,
        kind=RELATIONS[PARAPHRASE],
        role=family.role if len(roles) == 1 else "both",
        wordings=wordings,
        event_count=events,
        prompt_count=sum(part.prompt_count for part in parts),
        account_count=accounts,
        first_seen=min(part.first_seen for part in parts),
        last_seen=max(part.last_seen for part in parts),
        commonplace=commonplace.commonplace(weight, events, accounts),
        evidence=(*commonplace.evidence(weight, events, accounts), Evidence(WORDINGS, len(wordings), said)),
        lineage=replace(family.lineage, merged_from=tuple(sorted({*family.lineage.merged_from, *gone}))),
    )


def _renumbered(
    known: FamilySet, new: FamilySet, families: Sequence[Family], home: Int64s, place: Int32s, cuts: dict[str, int]
) -> FamilySet:
    """All rows and skeletons under the family that they are part of; `place` is where its wordings begin there."""
    kept = np.flatnonzero(home == np.arange(len(families)))
    number = np.searchsorted(kept, home).astype(np.int32)
    at = new.members.family + np.int32(len(known.families))
    shifted = replace(new.members, family=number[at], wording=new.members.wording + place[at])
    names = {
        family.family_id: families[home[n]].family_id for n, family in enumerate(new.families, len(known.families))
    }
    moved = tuple(replace(skeleton, family_id=names[skeleton.family_id]) for skeleton in new.skeletons)
    return FamilySet(
        tuple(families[n] for n in kept.tolist()),
        all_rows(replace(known.members, family=number[known.members.family]), shifted),
        known.skeletons + moved,
        summed(new.cuts, known.cuts, cuts),
    )
