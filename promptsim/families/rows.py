"""Rows of `Members`, and whole sets of families, chosen and joined: what a run over what is new keeps and adds."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from promptsim.order import order_of
from promptsim.records import Bools, FamilySet, Incidence, Int32s, Int64s, Members


def some_rows(members: Members, keep: Bools) -> Members:
    """Some of the rows."""
    known = _placed(members)
    if keep.all():
        return known
    return Members(*(getattr(known, field.name)[keep] for field in fields(Members)))


def all_rows(one: Members, two: Members) -> Members:
    """The rows of both, by prompt number; those of `one` are in that order."""
    one, two = _placed(one), _placed(two)
    two = _at(two, order_of(two.prompt_no))
    both = Members(*(np.concatenate([getattr(one, f.name), getattr(two, f.name)]) for f in fields(Members)))
    news = not len(one.prompt_no) or not len(two.prompt_no) or one.prompt_no[-1] <= two.prompt_no[0]
    return both if news else _at(both, order_of(both.prompt_no))


def _at(members: Members, rows: Int64s) -> Members:
    return Members(*(getattr(members, field.name)[rows] for field in fields(Members)))


def _placed(members: Members) -> Members:
    """With `place` as an array (0: not known)."""
    return members if members.place is not None else replace(members, place=np.zeros_like(members.relation))


def some_families(found: FamilySet, rows: Members) -> FamilySet:
    """The families that have one of the rows, with those rows and no others."""
    families, family = np.unique(rows.family, return_inverse=True)
    some = tuple(found.families[number] for number in families.tolist())
    names = {family.family_id for family in some}
    skeletons = tuple(skeleton for skeleton in found.skeletons if skeleton.family_id in names)
    return FamilySet(some, replace(rows, family=family.astype(np.int32)), skeletons, found.cuts)


def some_senders(incidence: Incidence, numbers: Int64s) -> Incidence:
    """The rows of these prompts."""
    wanted = np.isin(incidence.prompt_no, numbers)
    return Incidence(*(getattr(incidence, field.name)[wanted] for field in fields(incidence)))


def wording_of(found: FamilySet) -> Int32s:
    """The number of each row's wording, counted over all families."""
    first = np.cumsum([0, *(len(family.wordings) for family in found.families)])
    return (first[found.members.family] + found.members.wording).astype(np.int32)
