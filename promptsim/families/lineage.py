"""Families of the run before + families of this run → ids that last, and how each family came about.

    shared members, shared fixed shingles ─► likeness of every pair that shares anything ─► one-to-one ─► ids, lineage

A family keeps its id while most of its members, or its fixed text, go on in one family: members grow, accounts rotate
and old prompts are deleted, so either is enough. Where several old ones go on in one (a merge) or one in several (a
split), the pair that is most alike keeps the id and the others are recorded. The work follows what is shared: no pair
is looked at that has nothing in common.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from promptsim.families.rows import wording_of
from promptsim.records import Family, FamilySet, Int32s, Int64s, Lineage, Members, Skeleton, UInt64s

GOES_ON = 0.5  # of the members of one side, or of the shingles of both, make a pair worth an id
CROWDED = 64  # groups that hold one shingle: it is nobody's own

Floats64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Generation:
    """The groups (families, or wordings) of one run: ids, rows (prompt, group) and rows (shingle, group)."""

    ids: tuple[str, ...]
    prompt_no: Int64s
    prompt_group: Int32s
    shingle: UInt64s
    shingle_group: Int32s


@dataclass(frozen=True)
class Continuation:
    """For each new group its id and lineage; `ended` are old ids that go on nowhere; `cuts` counts what was skipped."""

    ids: tuple[str, ...]
    lineages: tuple[Lineage, ...]
    ended: tuple[str, ...]
    cuts: Mapping[str, int]


def with_lasting_ids(
    previous: FamilySet, current: FamilySet, taken: Collection[str] = ()
) -> tuple[FamilySet, Continuation]:
    """`current` under the ids of `previous` wherever a family or a wording goes on.

    `taken` are ids of others that must not be given again.
    """
    families = continued(families_of(previous), families_of(current), taken)
    wordings = continued(wordings_of(previous), wordings_of(current), taken)
    names = iter(wordings.ids)
    old_wordings = [w.wording_id for family in current.families for w in family.wordings]
    renamed: list[Family] = []
    for family, family_id, lineage in zip(current.families, families.ids, families.lineages, strict=True):
        kept = tuple(replace(wording, wording_id=next(names)) for wording in family.wordings)
        renamed.append(replace(family, family_id=family_id, wordings=kept, lineage=lineage))
    family_ids = dict(zip((f.family_id for f in current.families), families.ids, strict=True))
    wording_ids = dict(zip(old_wordings, wordings.ids, strict=True))
    skeletons = tuple(_renamed(skeleton, family_ids, wording_ids) for skeleton in current.skeletons)
    return replace(current, families=tuple(renamed), skeletons=skeletons), families


def _renamed(skeleton: Skeleton, families: Mapping[str, str], wordings: Mapping[str, str]) -> Skeleton:
    return replace(skeleton, family_id=families[skeleton.family_id], wording_id=wordings[skeleton.wording_id])


def families_of(found: FamilySet) -> Generation:
    """The families of a run as groups of members and of fixed shingles."""
    ids = tuple(family.family_id for family in found.families)
    return _generation(
        ids, found.members, found.members.family, found.skeletons, [s.family_id for s in found.skeletons]
    )


def wordings_of(found: FamilySet) -> Generation:
    """The wordings of a run, family after family."""
    ids = tuple(wording.wording_id for family in found.families for wording in family.wordings)
    return _generation(ids, found.members, wording_of(found), found.skeletons, [s.wording_id for s in found.skeletons])


def _generation(
    ids: tuple[str, ...], members: Members, group: Int32s, skeletons: Sequence[Skeleton], owners: Sequence[str]
) -> Generation:
    number = {group_id: i for i, group_id in enumerate(ids)}
    owner = np.array([number[owner] for owner in owners], np.int32)
    sizes = [len(skeleton.shingles) for skeleton in skeletons]
    shingles = np.concatenate([np.empty(0, np.uint64), *(skeleton.shingles for skeleton in skeletons)])
    return Generation(ids, members.prompt_no, group, shingles, np.repeat(owner, sizes).astype(np.int32))


def continued(old: Generation, new: Generation, taken: Collection[str] = ()) -> Continuation:
    """Which old id each new group carries on; `new.ids` are the ids that groups without a past get."""
    before, after, likeness, gone_on, cuts = _pairs(old, new)
    keeps: dict[int, int] = {}
    heir: dict[int, int] = {}
    for i in _ranked(old, new, before, after, likeness):
        o, n = int(before[i]), int(after[i])
        if o not in heir and n not in keeps:
            heir[o], keeps[n] = n, o
    merged: dict[int, list[int]] = {}
    split: dict[int, int] = {}
    for i in _ranked(old, new, before, after, likeness):
        o, n = int(before[i]), int(after[i])
        if o not in heir and gone_on[i]:
            heir[o] = n
            merged.setdefault(n, []).append(o)
        elif n not in keeps and n not in split:
            split[n] = o
    ids = _unique(new.ids, {n: old.ids[o] for n, o in keeps.items()}, {*old.ids, *taken})
    lineages = tuple(
        Lineage(
            continues=(old.ids[keeps[n]],) if n in keeps else (),
            merged_from=tuple(sorted(old.ids[o] for o in merged.get(n, ()))),
            split_from=old.ids[split[n]] if n in split else None,
        )
        for n in range(len(ids))
    )
    ended = tuple(sorted(name for o, name in enumerate(old.ids) if o not in heir))
    return Continuation(ids, lineages, ended, cuts)


def _pairs(old: Generation, new: Generation) -> tuple[Int64s, Int64s, Floats64, npt.NDArray[np.bool_], dict[str, int]]:
    """Pairs of an old and a new group that may be one: how alike, and whether the old one goes on in the new one."""
    width = max(len(new.ids), 1)
    by_member, members, _ = _shared(
        _rows(old.prompt_no, old.prompt_group), _rows(new.prompt_no, new.prompt_group), width
    )
    ours, theirs = _rows(old.shingle, old.shingle_group), _rows(new.shingle, new.shingle_group)
    by_text, shingles, skipped = _shared(ours, theirs, width, CROWDED)
    pair = np.union1d(by_member, by_text)
    before, after = np.divmod(pair, width)
    both = _aligned(pair, by_member, members)
    from_old = both / _sizes(old.prompt_no, old.prompt_group, len(old.ids))[before]
    from_new = both / _sizes(new.prompt_no, new.prompt_group, len(new.ids))[after]
    common = _aligned(pair, by_text, shingles)
    union = _sizes(*ours, len(old.ids))[before] + _sizes(*theirs, len(new.ids))[after] - common
    text = common / np.maximum(union, 1.0)
    good = np.maximum(np.maximum(from_old, from_new), text) >= GOES_ON
    gone_on = np.maximum(from_old, text) >= GOES_ON
    cuts = {"crowded_shingles": skipped} if skipped else {}
    return before[good], after[good], (from_old + from_new + text)[good], gone_on[good], cuts


def _rows(key: npt.NDArray[np.generic], group: Int32s) -> tuple[npt.NDArray[np.generic], Int32s]:
    """Distinct rows, sorted by key."""
    order = np.lexsort((group, key))
    key, group = key[order], group[order]
    fresh = np.ones(len(key), np.bool_)
    fresh[1:] = (key[1:] != key[:-1]) | (group[1:] != group[:-1])
    return key[fresh], group[fresh]


def _sizes(key: npt.NDArray[np.generic], group: Int32s, groups: int) -> Floats64:
    """Distinct keys of each group, at least one."""
    return np.maximum(np.bincount(_rows(key, group)[1], minlength=groups), 1).astype(np.float64)


def _shared(
    old: tuple[npt.NDArray[np.generic], Int32s],
    new: tuple[npt.NDArray[np.generic], Int32s],
    width: int,
    crowded: int | None = None,
) -> tuple[Int64s, Int64s, int]:
    """Pairs (old group · width + new group) that share keys, how many, and how many crowded keys were skipped."""
    first, last = np.searchsorted(new[0], old[0], "left"), np.searchsorted(new[0], old[0], "right")
    skipped = 0
    keep = last > first
    if crowded is not None:
        held = np.searchsorted(old[0], old[0], "right") - np.searchsorted(old[0], old[0], "left")
        busy = np.maximum(last - first, held) > crowded
        skipped = len(np.unique(old[0][busy & keep]))
        keep &= ~busy
    reach = (last - first)[keep]
    ends = np.cumsum(reach)
    row = np.repeat(first[keep] - (ends - reach), reach) + np.arange(int(reach.sum()))
    pairs = np.repeat(old[1][keep].astype(np.int64), reach) * width + new[1][row]
    values, counts = np.unique(pairs, return_counts=True)
    return values, counts, skipped


def _aligned(wanted: Int64s, keys: Int64s, values: Int64s) -> Floats64:
    out = np.zeros(len(wanted), np.float64)
    out[np.searchsorted(wanted, keys)] = values
    return out


def _ranked(old: Generation, new: Generation, before: Int64s, after: Int64s, likeness: Floats64) -> list[int]:
    """Pairs, the most alike first; of equals by ids, which follow from content."""
    return sorted(range(len(before)), key=lambda i: (-likeness[i], old.ids[before[i]], new.ids[after[i]]))


def _unique(fresh: Sequence[str], kept: Mapping[int, str], taken: set[str]) -> tuple[str, ...]:
    """Kept ids where there is one; else the fresh id, changed if it once meant another family."""
    used = set(taken)
    out = []
    for n, name in enumerate(fresh):
        chosen = kept.get(n, name)
        while n not in kept and chosen in used:
            chosen = name[:1] + blake2b(chosen.encode(), digest_size=8).hexdigest()
        used.add(chosen)
        out.append(chosen)
    return tuple(out)
