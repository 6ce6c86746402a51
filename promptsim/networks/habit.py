"""Forms in which parties send a family → does each keep to its own form, as people and tools do, or do all mix alike?

A form is the wording, or the place of the fixed text in the prompt. People and tools keep to a form, so two sends of
one party agree in it far more than sends of two parties (an intraclass correlation near 1). One programme behind many
accounts that varies the form at random gives a correlation near 0 while the forms vary. Without variety nothing is
said. Compiled: it is asked of every text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from promptsim.networks.reference import Prior
from promptsim.order import order_of
from promptsim.records import Int32s, UInt8s

LEAST_VARIETY = 0.2  # chance that two sends differ in form; below, the figure says nothing
MOST_FORMS = 64  # numbers of forms that are taken as they are, with gaps
HABIT_PRIOR = Prior(centre=0.7, spread=0.2)


@dataclass(frozen=True, slots=True)
class Habit:
    """Chance that two sends of different parties differ in form; how far sends of one party agree beyond that."""

    variety: float
    correlation: float
    error: float
    parties: int

    @property
    def tells(self) -> bool:
        return self.variety >= LEAST_VARIETY and self.parties >= 4


def measure_habit(party: Int32s, form: Int32s | UInt8s) -> Habit:
    """Weighted within-party agreement against agreement at large; the error is a jackknife over parties."""
    if (party[1:] < party[:-1]).any():  # rows of several texts; those of one come in order
        order = order_of(party)
        party, form = party[order], form[order]
    kind = form if int(form.max()) < MOST_FORMS else np.unique(form, return_inverse=True)[1]
    return Habit(*_agreement(party, kind, int(kind.max()) + 1))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _agreement(party: Any, form: Any, forms: int) -> tuple[float, float, float, int]:
    """The fields of `Habit`, over parties of two sends or more; `party` is ascending, `form` in 0…forms - 1."""
    own, pool = np.zeros(forms, np.int64), np.zeros(forms, np.int64)
    within, weight = np.empty(len(party)), np.empty(len(party))  # agreeing ordered pairs per send, and sends less one
    count, squares, agreeing, parties = 0, 0, 0, 0
    low = 0
    while low < len(party):
        own[:] = 0
        high = low
        while high < len(party) and party[high] == party[low]:
            own[form[high]] += 1
            high += 1
        sends = high - low
        low = high
        if sends < 2:
            continue
        same = 0
        for i in range(forms):
            same += own[i] * own[i]
            pool[i] += own[i]
        within[parties], weight[parties] = (same - sends) / sends, sends - 1
        count += sends
        squares += sends * sends
        agreeing += same
        parties += 1
    if parties < 4:
        return 0.0, 1.0, 1.0, parties
    at_large = 0
    for i in range(forms):
        at_large += pool[i] * pool[i]
    agree = (at_large - agreeing) / (count * count - squares)
    variety = 1 - agree
    if variety <= 0:
        return 0.0, 1.0, 1.0, parties
    within, weight = within[:parties], weight[:parties]
    agreed, weighed = within.sum(), weight.sum()
    parts = (agreed - within) / np.maximum(weighed - weight, 1)
    spread = np.square(parts - parts.mean()).sum()
    error = np.sqrt((parties - 1) / parties * spread) / variety
    return variety, (agreed / weighed - agree) / variety, error, parties
