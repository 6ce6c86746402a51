"""Families and members → units: one for each wording, the smallest text whose use is tested.

A family may hold several wordings, and a false join among them must neither hide who shares what nor draw the users
of one wording into a claim about another. So the tests work on wordings, and findings are told of families again at
the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from promptsim.records import Family, Int64s, Members


@dataclass(frozen=True, slots=True)
class Units:
    """`texts` are families of one wording each; `family_of[unit]` is the place of its family in `families`."""

    families: tuple[Family, ...]
    texts: tuple[Family, ...]
    family_of: Int64s
    members: Members

    def of(self, family: int) -> Int64s:
        return np.flatnonzero(self.family_of == family).astype(np.int64)


def split_wordings(families: Sequence[Family], members: Members) -> Units:
    """Families by id, so that the order in which they are given changes nothing; then their wordings in their order."""
    order = sorted(range(len(families)), key=lambda at: families[at].family_id)
    ordered = tuple(families[at] for at in order)
    place = np.zeros(len(order), np.int64)
    place[order] = np.arange(len(order))
    counts = np.array([max(len(family.wordings), 1) for family in ordered], np.int64)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    texts = tuple(text for family in ordered for text in _texts(family))
    unit = members.family
    if len(order):
        family = place[members.family]
        unit = (starts[family] + np.minimum(members.wording, counts[family] - 1)).astype(np.int32)
    single = replace(members, family=unit, wording=np.zeros(len(unit), np.int32))
    return Units(ordered, texts, np.repeat(np.arange(len(ordered)), counts).astype(np.int64), single)


def _texts(family: Family) -> list[Family]:
    if len(family.wordings) <= 1:
        return [family]
    return [
        replace(family, template=wording.template or family.template, wordings=(wording,))
        for wording in family.wordings
    ]
