"""Wordings (one fixed text each) and their accounts → families: wordings that say the same.

    near-identical texts ───────────────────────────────────────────────► joined by text alone
    pairs that the same accounts use beyond chance ─► encode ─► average ─► joined by text and accounts
                                                               linkage

Text alone joins too much: twins that differ in a word, wrappers of different customers, questions on one topic. So a
middling likeness joins only wordings that the same accounts use beyond chance, and only templates with payload: where
nothing varies, the text is the payload, and what two such texts have in common is their topic.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from promptsim.families.couse import CoUse
from promptsim.families.likeness import Encode, Ground, Likeness, words_of
from promptsim.families.twins import twins
from promptsim.records import Bools, Int32s, Int64s, UInt64s

ALONE = 0.95  # token alignment of near-identical texts: joined whoever uses them
LEAST_WORDS = 4  # a shorter fixed text is near-identical to too much …
LEAST_REWORDED = 5  # … and one shorter than this says too little to be said in other words
LINKED = 0.1  # part of the way from the limit to 1: the closest two texts of a merge are at least so alike
STRANGERS = 300  # wordings of different accounts on which an encoder is measured, beside the probes
LARGEST = 2_000  # wordings in one component; a larger one is left as it is, and counted


@dataclass(frozen=True, slots=True)
class Join:
    """Why two groups of wordings are one family: `first` and `second` are their closest two wordings."""

    first: int
    second: int
    likeness: float
    reason: str
    accounts: int = 0
    expected: float = 0.0


@dataclass(frozen=True, slots=True)
class Grouping:
    """`group[i]` is the smallest index among the wordings of i's family."""

    group: Int64s
    joins: tuple[Join, ...]
    cuts: Mapping[str, int]


def fixed_text(template: str) -> str:
    """A template's text without its slots, as an encoder reads it."""
    bare = re.sub(r"(?<!\{)((?:\{\{)*)\{\d+\}", r"\1 ", template)
    return bare.replace("{{", "{").replace("}}", "}").strip()


def group_wordings(
    templates: Sequence[str],
    accounts: Sequence[Int32s],
    *,
    encode: Encode | None = None,
    varied: Sequence[bool] | None = None,
    commonplace: Sequence[bool] | None = None,
) -> Grouping:
    """Which wordings are one family.

    `accounts[i]` are the distinct accounts that use wording i, `varied[i]` says that it has payload (None: all have),
    `commonplace[i]` that anyone writes it: such a wording joins nothing. Without `encode` only token alignment tells
    likeness.
    """
    if len(templates) != len(accounts):
        raise ValueError(f"{len(templates)} templates but the accounts of {len(accounts)}")
    texts = [fixed_text(template) for template in templates]
    words = words_of(texts)
    told = np.array([len(w) >= LEAST_WORDS for w in words], np.bool_)
    usable = told if commonplace is None else told & ~np.asarray(commonplace, np.bool_)
    group = np.arange(len(texts), dtype=np.int64)
    joins, cuts = _near_identical(words, told, usable, group)
    paired = usable & np.array([len(w) >= LEAST_REWORDED for w in words], np.bool_)
    if varied is not None:
        paired &= np.asarray(varied, np.bool_)
    couse = CoUse.of(accounts)
    first, second = couse.candidates(np.flatnonzero(paired))
    likeness = _likeness(texts, words, paired, first, second, encode)
    more, large = _reworded(likeness, couse, group, first, second)
    return Grouping(group, tuple(joins + more), cuts | large | dict(couse.cuts))


def join_arrivals(
    templates: Sequence[str],
    accounts: Sequence[Int32s],
    family: Int64s,
    known: Bools,
    *,
    encode: Encode | None = None,
    varied: Bools,
    commonplace: Bools,
) -> Grouping:
    """Which new families are known ones in other words.

    As `group_wordings`, but families are taken as they are: `family[i]` is the smallest index among the wordings of
    i's family, and `known[i]` says that it was there before. A new one joins one known family or none, so work follows
    what is new.
    """
    open_ = np.flatnonzero(varied & ~commonplace)
    couse = CoUse.of(accounts)
    first, second = couse.candidates(open_, known[open_])
    some = np.union1d(first, second)
    texts = [fixed_text(templates[i]) for i in some.tolist()]
    words = words_of(texts)
    told = np.array([len(w) >= LEAST_REWORDED for w in words], np.bool_)
    first, second = np.searchsorted(some, first), np.searchsorted(some, second)
    keep = told[first] & told[second]
    first, second = first[keep], second[keep]
    likeness = _likeness(texts, words, told, first, second, encode)
    group = family.copy()
    joins, large = _reworded(likeness, couse, group, first, second, some, known)
    return Grouping(group, tuple(joins), large | dict(couse.cuts))


def _likeness(
    texts: Sequence[str],
    words: Sequence[UInt64s],
    paired: Bools,
    first: Int64s,
    second: Int64s,
    encode: Encode | None,
) -> Likeness:
    """How alike the texts of these pairs are, against strangers among the `paired`."""
    ground = Ground.of(encode, _strangers(texts, paired, first, second)) if encode and len(first) else None
    return Likeness(texts, words, ground, np.union1d(first, second))


def _reworded(
    likeness: Likeness,
    couse: CoUse,
    group: Int64s,
    first: Int64s,
    second: Int64s,
    number: Int64s | None = None,
    known: Bools | None = None,
) -> tuple[list[Join], dict[str, int]]:
    """Join what these pairs, which the same accounts use, say in other words; how many were too many to compare.

    `number` are the wordings that `likeness` and the pairs count 0, 1, … (None: all), for `group` and `known`.
    """
    alike = likeness.pairs(first, second) >= likeness.pair
    joins: list[Join] = []
    crowded = 0
    for component in _components(first[alike], second[alike]):
        if len(component) > LARGEST:
            crowded += len(component)
            continue
        wordings = component if number is None else number[component]
        joins += _agglomerate(_Linkage(likeness, component, couse, wordings, group, known), group)
    return joins, {"wordings_in_large_components": crowded} if crowded else {}


def _strangers(texts: Sequence[str], paired: Bools, first: Int64s, second: Int64s) -> list[str]:
    """Texts of which no two have the same accounts: what any two instructions of this traffic have in common.

    One for each set of wordings that co-use ties, at most `STRANGERS`, all by a hash of the text.
    """
    tied = {int(i): number for number, members in enumerate(_components(first, second)) for i in members}
    hashed = sorted((blake2b(texts[i].encode(), digest_size=8).digest(), i) for i in np.flatnonzero(paired).tolist())
    chosen: dict[int, str] = {}
    for _, i in hashed:
        chosen.setdefault(tied.get(i, -1 - i), texts[i])
    return list(chosen.values())[:STRANGERS]


def _near_identical(
    words: Sequence[UInt64s], told: Bools, usable: Bools, group: Int64s
) -> tuple[list[Join], dict[str, int]]:
    """Join texts that differ by hardly a word, and those of the same words if they are not `usable` but long enough."""
    found = twins(words, told, ALONE)
    joins = []
    rows = zip(found.first.tolist(), found.second.tolist(), found.likeness.tolist(), strict=True)
    for a, b, same in rows:
        if group[a] != group[b] and (same >= 1.0 or (usable[a] and usable[b])):
            _unite(group, a, b)
            joins.append(Join(a, b, same, f"the fixed texts are near-identical ({same:.0%} of the words)"))
    cuts = {"crowded_shingles": found.crowded, "near_identical_pairs_not_compared": found.not_compared}
    return joins, {name: count for name, count in cuts.items() if count}


def _unite(group: Int64s, a: int, b: int) -> None:
    low, high = sorted((int(group[a]), int(group[b])))
    group[group == high] = low


def _components(first: Int64s, second: Int64s) -> list[Int64s]:
    """Connected components of the pairs, each in ascending order, the one with the smallest member first."""
    parent: dict[int, int] = {}

    def root(i: int) -> int:
        while parent.setdefault(i, i) != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in zip(first.tolist(), second.tolist(), strict=True):
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    found: dict[int, list[int]] = {}
    for i in sorted(parent):
        found.setdefault(root(i), []).append(i)
    return [np.array(members, np.int64) for members in found.values()]


class _Linkage:
    """Groups of the wordings of one component: mean likeness and shared accounts of every two, kept up as they merge.

    Starts from the families in `group`; two groups with wordings that are `known` do not merge.
    """

    def __init__(
        self, likeness: Likeness, component: Int64s, couse: CoUse, wordings: Int64s, group: Int64s, known: Bools | None
    ) -> None:
        count = len(component)
        self.wordings, self._likeness = wordings, likeness
        self.close = likeness.matrix(component)
        self.mean, self._best, self._size = self.close.copy(), self.close.copy(), np.ones(count, np.float32)
        np.fill_diagonal(self.mean, -1.0)
        self.pool = couse.pool(wordings)
        self._support = self.pool.supported()
        self._limits = likeness.limits(self._size[:, None], self._size)
        self._linked = likeness.pair + LINKED * (1.0 - likeness.pair)
        self._alive = np.ones(count, np.bool_)
        self._known = np.zeros(count, np.bool_) if known is None else known[wordings]
        for head in np.unique(group[wordings]).tolist():
            one, *others = np.flatnonzero(group[wordings] == head).tolist()
            for other in others:
                self.merge(one, other)

    def closest(self) -> tuple[int, int] | None:
        """The two groups to merge next, if any may."""
        apart = self._known[:, None] & self._known
        may = self._support & ~apart & (self._best >= self._linked) & (self.mean >= self._limits)
        open_ = np.where(may, self.mean, -1.0)
        a, b = divmod(int(open_.argmax()), len(open_))
        return (min(a, b), max(a, b)) if open_[a, b] >= 0 else None

    def merge(self, a: int, b: int) -> None:
        """Group b becomes part of group a."""
        size, mean, best = self._size, self.mean, self._best
        mean[a] = mean[:, a] = (size[a] * mean[a] + size[b] * mean[b]) / (size[a] + size[b])
        best[a] = best[:, a] = np.maximum(best[a], best[b])
        size[a] += size[b]
        self._known[a] |= self._known[b]
        self._limits[a] = self._limits[:, a] = self._likeness.limits(size[a], size)
        self._alive[b] = False
        mean[b] = mean[:, b] = -1.0
        mean[a, a] = -1.0
        self._support[a] = self._support[:, a] = self.pool.merge(a, b) & self._alive


def _agglomerate(linkage: _Linkage, group: Int64s) -> list[Join]:
    """Average linkage down to the limits of likeness, among groups whose pooled accounts overlap beyond chance."""
    joins = []
    while (pair := linkage.closest()) is not None:
        a, b = pair
        shared, expected = linkage.pool.overlap(a, b)
        in_a, in_b = linkage.pool.members(a), linkage.pool.members(b)
        x, y = np.unravel_index(int(linkage.close[np.ix_(in_a, in_b)].argmax()), (len(in_a), len(in_b)))
        mean = float(linkage.mean[a, b])
        reason = f"{shared} accounts use both ({expected:.1f} by chance); the texts are {mean:.2f} alike"
        first, second = int(linkage.wordings[in_a[x]]), int(linkage.wordings[in_b[y]])
        joins.append(Join(first, second, mean, reason, shared, expected))
        _unite(group, first, second)
        linkage.merge(a, b)
    return joins
