"""The last run's families + what is new since → families now, for work in proportion to the new.

    new prompts ─► known skeletons ─► members of known families ───────────────────────┐
                          └─► no skeleton ─┐                    (reworded: joined)     ├─► FamilySet
    earlier prompts that nothing explained ┴─► mined, as `mine` does ─► new families ──┘

What a known family is made from stays as it is. Earlier prompts without a skeleton are mined again beside the new ones,
the newest first and at most so many: `cuts` says how many were passed over. A full run mines everything anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from promptsim.families.arrivals import put_together
from promptsim.families.assignment import SkeletonIndex
from promptsim.families.corpus import pieces
from promptsim.families.everyone import Labelled, assigned, counted, in_order, summed
from promptsim.families.groups import TEMPLATE
from promptsim.families.growth import grown
from promptsim.families.lineage import with_lasting_ids
from promptsim.families.mine import DEFAULTS, mine
from promptsim.families.options import MineOptions
from promptsim.families.rows import all_rows, some_families, some_rows, some_senders
from promptsim.progress import Progress, Silent
from promptsim.records import DocumentBatch, FamilySet, Floats, Incidence, Int64s, Members

LOOSE = ("exact", "near-duplicate")  # kinds of families that a template found later may explain better


class Archive(Protocol):
    """All distinct prompts: those from a number on, and those of some numbers; both ascending."""

    def documents(self, *, since_no: int) -> Iterator[DocumentBatch]: ...
    def documents_of(self, numbers: Int64s) -> Iterator[DocumentBatch]: ...


def extend(
    archive: Archive,
    incidence: Incidence,
    previous: FamilySet,
    *,
    covered: int,
    options: MineOptions = DEFAULTS,
    encode: Callable[[Sequence[str]], Floats] | None = None,
    progress: Progress | None = None,
) -> FamilySet:
    """The families of the last run, which saw the prompts below `covered`, brought up to date.

    `incidence` is that of all prompts, old and new.
    """
    progress = progress or Silent()
    known = SkeletonIndex(previous.skeletons, options)
    with progress.stage("assigning what is new") as stage:
        new = counted(lambda: archive.documents(since_no=covered), stage)
        fresh = in_order(assigned(pieces(new), known, options)[0])
    earlier = _living(previous.members, incidence, covered)
    single, copied = _unexplained(earlier, incidence, covered, options)
    again, passed_over = _mined_again(previous, earlier, single, copied, fresh, options)
    rest = np.union1d(again, fresh.prompt_no[fresh.label < 0])
    found = mine(
        lambda: archive.documents_of(rest),
        some_senders(incidence, rest),
        options=replace(options, covered=covered),
        encode=encode,
        progress=progress,
    )
    found = _with_news(found, covered, copied)
    left = np.isin(earlier.prompt_no, found.members.prompt_no)
    stayed = all_rows(some_rows(earlier, ~left), _as_members(previous, fresh))
    with progress.stage("counting again"):
        seen = replace(previous, members=earlier)  # without those that ingest put there since
        old, wide = grown(seen, stayed, incidence, archive.documents_of, options)
    taken = _ids(old)
    gone = np.array([family.family_id not in taken for family in previous.families], np.bool_)
    replaced = some_families(previous, some_rows(earlier, left & gone[earlier.family]))
    found, _ = with_lasting_ids(replaced, found, taken=taken)
    with progress.stage("comparing templates with known ones"):
        both = put_together(old, wide, found, incidence, options, encode)
    return replace(
        both, cuts=summed(both.cuts, {"earlier_prompts_not_mined_again": passed_over} if passed_over else {})
    )


def _with_news(found: FamilySet, covered: int, copied: Int64s) -> FamilySet:
    """The families with something new in them: a new prompt, or a copy that makes an earlier one a family.

    The others only look like families because the rest of the traffic is not there; the whole run knew better.
    """
    news = (found.members.prompt_no >= covered) | np.isin(found.members.prompt_no, copied)
    kept = np.zeros(len(found.families), np.bool_)
    kept[found.members.family[news]] = True
    return some_families(found, some_rows(found.members, kept[found.members.family]))


def _living(members: Members, incidence: Incidence, covered: int) -> Members:
    """Rows of prompts that the last run saw and that nobody has erased since."""
    alive = np.zeros(covered + 1, np.bool_)
    alive[np.minimum(incidence.prompt_no, covered)] = True
    alive[covered] = False
    return some_rows(members, alive[np.minimum(members.prompt_no, covered)])


def _unexplained(earlier: Members, incidence: Incidence, covered: int, options: MineOptions) -> tuple[Int64s, Int64s]:
    """The earlier prompts in no family, ascending, and those of them that several accounts have sent by now."""
    senders = np.bincount(incidence.prompt_no[incidence.prompt_no < covered], minlength=covered)
    alone = senders > 0
    alone[earlier.prompt_no] = False
    return np.flatnonzero(alone), np.flatnonzero(alone & (senders >= options.exact_accounts))


def _mined_again(
    previous: FamilySet, earlier: Members, single: Int64s, copied: Int64s, fresh: Labelled, options: MineOptions
) -> tuple[Int64s, int]:
    """Earlier prompts to look at again, ascending, and how many others had no skeleton either.

    Those that several accounts sent by now, and the newest; a family of near-duplicates is as new as its newest member
    and goes as a whole.
    """
    loose = np.array([family.kind in LOOSE for family in previous.families], np.bool_)[earlier.family]
    newest = np.zeros(len(previous.families), np.int64)
    np.maximum.at(newest, earlier.family, earlier.prompt_no)
    number = np.concatenate([single, earlier.prompt_no[loose]])
    age = np.concatenate([single, newest[earlier.family[loose]]])
    room = max(options.recalled, int((fresh.label < 0).sum()))
    if len(number) > room:
        number = number[age >= np.sort(age)[-room]]
    chosen: Int64s = np.union1d(number, copied)
    return chosen, len(age) - len(chosen)


def _as_members(previous: FamilySet, fresh: Labelled) -> Members:
    """The new prompts that known skeletons explain, as rows of their families."""
    place = {
        wording.wording_id: (number, i)
        for number, family in enumerate(previous.families)
        for i, wording in enumerate(family.wordings)
    }
    owner = np.array([place[skeleton.wording_id] for skeleton in previous.skeletons], np.int32).reshape(-1, 2)
    rows = np.flatnonzero(fresh.label >= 0)
    label = fresh.label[rows]
    return Members(
        fresh.prompt_no[rows], owner[label, 0], owner[label, 1], np.full(len(rows), TEMPLATE, np.uint8),
        fresh.filling[rows], fresh.place[rows],
    )  # fmt: skip


def _ids(found: FamilySet) -> set[str]:
    """The ids of all families and wordings."""
    wordings = {wording.wording_id for family in found.families for wording in family.wordings}
    return wordings | {family.family_id for family in found.families}
