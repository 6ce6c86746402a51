"""Found groups + true groups → how well they agree. Labels are integers, one for each item; -1: in no group.

An item in no group is a group of its own on the found side; items without a true label are left out of B-cubed and
counted as strangers. Everything is counted from the table of distinct (found, true) pairs, so cost grows with items.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from promptsim.records import Bools, Int64s

Floats64 = npt.NDArray[np.float64]
SIZES = (5, 8, 12, 20, 50, 200)  # families found are told by size, in classes that begin here
FOUND_AT = 0.8  # precision and recall of the best found group: the true one counts as found


@dataclass(frozen=True, slots=True)
class Score:
    """Precision, recall and their harmonic mean."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


@dataclass(frozen=True, slots=True)
class SizeClass:
    """True groups with at least `least` and fewer than `below` items (None: any), and how many of them were found."""

    least: int
    below: int | None
    groups: int
    found: int

    @property
    def share(self) -> float:
        return self.found / self.groups if self.groups else 0.0


@dataclass(frozen=True, slots=True)
class Contamination:
    """Strangers (items without a true label) in found groups.

    `share` of the strangers sit in a group with labelled items; `intrusion` is the share of strangers among the items
    of groups that are mostly one true group: the error that matters.
    """

    strangers: int
    share: float
    intrusion: float


@dataclass(frozen=True, slots=True)
class Splits:
    """Items with the same text that were not treated alike."""

    groups: int
    split: int

    @property
    def share(self) -> float:
        return self.split / self.groups if self.groups else 0.0


def coded(values: Sequence[Hashable | None]) -> Int64s:
    """Integer labels in order of first appearance; None is -1."""
    known: dict[Hashable, int] = {}
    return np.array([-1 if v is None else known.setdefault(v, len(known)) for v in values], np.int64)


def singled(labels: Int64s) -> Int64s:
    """Labels counted from 0 without gaps, each -1 as a group of its own."""
    out = np.asarray(labels, np.int64).copy()
    alone = out < 0
    out[alone] = out.max(initial=-1) + 1 + np.arange(int(alone.sum()))
    return np.unique(out, return_inverse=True)[1].astype(np.int64)


def _check(found: Int64s, true: Int64s) -> None:
    if len(found) != len(true):
        raise ValueError(f"{len(found)} found labels for {len(true)} true ones")


def bcubed_parts(found: Int64s, true: Int64s) -> tuple[Floats64, Floats64]:
    """Of each item: the share of its found group that is of its true group, and the other way round.

    Every item needs a true label (leave the others out first, or see `bcubed`).
    """
    _check(found, true)
    found, true = singled(found), singled(true)
    width = int(true.max(initial=0)) + 1
    _, place, both = np.unique(found * width + true, return_inverse=True, return_counts=True)
    joint = both[place].astype(np.float64)
    return joint / np.bincount(found)[found], joint / np.bincount(true)[true]


def bcubed(found: Int64s, true: Int64s, of: Bools | None = None) -> Score:
    """B-cubed over the items with a true label; `of` says over which of them the mean is taken."""
    _check(found, true)
    labelled = np.asarray(true) >= 0
    precision, recall = bcubed_parts(np.asarray(found)[labelled], np.asarray(true)[labelled])
    if of is not None:
        precision, recall = precision[of[labelled]], recall[of[labelled]]
    return Score(float(precision.mean()), float(recall.mean())) if len(precision) else Score(0.0, 0.0)


def found_groups(found: Int64s, true: Int64s, at: float = FOUND_AT) -> tuple[Int64s, Bools]:
    """Size of each true group, and whether a found group has it with precision and recall of at least `at`.

    Strangers count against precision. A found group of one item finds nothing but a true group of one.
    """
    _check(found, true)
    found, true = singled(found), np.asarray(true, np.int64)
    labelled = true >= 0
    size_found = np.bincount(found)
    size_true = np.bincount(true[labelled])
    width = len(size_true)
    hit = np.zeros(width, np.bool_)
    if width:
        pair, both = np.unique(found[labelled] * width + true[labelled], return_counts=True)
        group, target = np.divmod(pair, width)
        good = (both >= at * size_found[group]) & (both >= at * size_true[target])
        hit[target[good]] = True
    return size_true.astype(np.int64), hit


def found_by_size(found: Int64s, true: Int64s, sizes: Sequence[int] = SIZES, at: float = FOUND_AT) -> list[SizeClass]:
    """How many true groups of each size class were found."""
    size, hit = found_groups(found, true, at)
    out = []
    for least, below in zip(sizes, [*sizes[1:], None], strict=True):
        inside = (size >= least) & (size < below if below is not None else np.True_)
        out.append(SizeClass(least, below, int(inside.sum()), int(hit[inside].sum())))
    return out


def contamination(found: Int64s, true: Int64s) -> Contamination:
    """Strangers inside found groups."""
    _check(found, true)
    found, true = np.asarray(found, np.int64), np.asarray(true, np.int64)
    stranger = true < 0
    grouped = found >= 0
    groups = int(found.max(initial=-1)) + 1
    size = np.bincount(found[grouped], minlength=groups)
    strange = np.bincount(found[grouped & stranger], minlength=groups)
    inside = grouped & stranger
    mixed = inside & ((size - strange) > 0)[np.where(grouped, found, 0)] if groups else inside
    width = int(true.max(initial=-1)) + 1
    top = np.zeros(groups, np.int64)
    known = grouped & ~stranger
    pair, both = np.unique(found[known] * max(width, 1) + true[known], return_counts=True)
    np.maximum.at(top, pair // max(width, 1), both)
    mostly = (top > 0) & (2 * top >= size)
    strangers = int(stranger.sum())
    return Contamination(
        strangers,
        float(mixed.sum()) / strangers if strangers else 0.0,
        float(strange[mostly].sum()) / float(size[mostly].sum()) if mostly.any() else 0.0,
    )


def identical_splits(found: Int64s, text: Int64s) -> Splits:
    """Texts that occur more than once, and how many of them are in different groups, or in one and in none."""
    _check(found, text)
    order = np.argsort(text, kind="stable")
    text, found = np.asarray(text)[order], np.asarray(found)[order]
    start = np.flatnonzero(np.append(True, text[1:] != text[:-1])[: len(text)])
    repeated = np.diff(np.append(start, len(text))) > 1
    if not repeated.any():
        return Splits(0, 0)
    apart = np.minimum.reduceat(found, start) != np.maximum.reduceat(found, start)
    return Splits(int(repeated.sum()), int((apart & repeated).sum()))


def recall_at(ranked: Int64s, relevant: Int64s, k: int) -> float:
    """Mean share of each query's relevant items that are among its first `k` answers.

    Both are [queries, anything], -1 pads; a query without relevant items is left out. At most k can be found, so the
    share is of min(k, relevant).
    """
    if k < 1:
        raise ValueError(f"k = {k}")
    if len(ranked) != len(relevant):
        raise ValueError(f"answers to {len(ranked)} queries, relevant items of {len(relevant)}")
    top, relevant = np.asarray(ranked)[:, :k], np.asarray(relevant)
    wanted = (relevant >= 0).sum(axis=1)
    span = max(int(top.max(initial=-1)), int(relevant.max(initial=-1))) + 2
    row = np.arange(len(top), dtype=np.int64)[:, None] * span
    answers = np.unique(np.where(top >= 0, row + top, -1))
    hits = (np.isin(row + relevant, answers) & (relevant >= 0)).sum(axis=1)
    asked = wanted > 0
    return float((hits[asked] / np.minimum(wanted[asked], k)).mean()) if asked.any() else 0.0
