"""Forms in which parties send a family → does each keep to its own form, as people and tools do, or do all mix alike?

A form is the wording, or the place of the fixed text in the prompt. People and tools keep to a form, so two sends of
one party agree in it far more than sends of two parties (an intraclass correlation near 1). One programme behind many
accounts that varies the form at random gives a correlation near 0 while the forms vary. Without variety nothing is
said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from promptsim.networks.reference import Prior
from promptsim.records import Int32s, Int64s

Doubles = npt.NDArray[np.float64]

LEAST_VARIETY = 0.2  # chance that two sends differ in form; below, the figure says nothing
MOST_FORMS = 64  # that are numbered as they are, with gaps
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


def measure_habit(party: Int32s, form: Int32s) -> Habit:
    """Weighted within-party agreement against agreement at large; the error is a jackknife over parties."""
    at, kind = _numbered(party), form - form.min()
    kind = kind if kind.max() < MOST_FORMS else np.unique(kind, return_inverse=True)[1]
    shape = int(at.max()) + 1, int(kind.max()) + 1
    table = np.bincount(at * shape[1] + kind, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)
    sends = table.sum(axis=1)
    table, sends = table[sends >= 2], sends[sends >= 2]
    if len(sends) < 4:
        return Habit(0.0, 1.0, 1.0, len(sends))
    within = (np.square(table).sum(axis=1) - sends) / sends  # agreeing ordered pairs per send
    weight = sends - 1
    pool, count = table.sum(axis=0), sends.sum()
    cross = count**2 - np.square(sends).sum()
    agree = (np.square(pool).sum() - np.square(table).sum()) / cross
    variety = float(1 - agree)
    if variety <= 0:
        return Habit(0.0, 1.0, 1.0, len(sends))
    every = within.sum() / weight.sum()
    parts = (within.sum() - within) / np.maximum(weight.sum() - weight, 1)
    error = float(np.sqrt((len(sends) - 1) / len(sends) * np.square(parts - parts.mean()).sum()) / variety)
    return Habit(variety, float((every - agree) / variety), error, len(sends))


def _numbered(values: Int32s) -> Int64s:
    """The values renumbered in their order, without gaps."""
    fresh = values[1:] != values[:-1]
    if (values[1:] < values[:-1]).any():
        return np.unique(values, return_inverse=True)[1].astype(np.int64)
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(fresh)])
