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
    usable = np.array([len(w) >= LEAST_WORDS for w in words], np.bool_)
    if commonplace is not None:
        usable &= ~np.asarray(commonplace, np.bool_)
    group = np.arange(len(texts), dtype=np.int64)
    joins, cuts = _near_identical(words, usable, group)
    paired = usable & np.array([len(w) >= LEAST_REWORDED for w in words], np.bool_)
    if varied is not None:
        paired &= np.asarray(varied, np.bool_)
    couse = CoUse.of(accounts)
    first, second = couse.candidates(np.flatnonzero(paired))
    ground = Ground.of(encode, _strangers(texts, paired, first, second)) if encode and len(first) else None
    likeness = Likeness(texts, words, ground, np.union1d(first, second))
    alike = likeness.pairs(first, second) >= likeness.pair
    for component in _components(first[alike], second[alike]):
        if len(component) > LARGEST:
            cuts["wordings_in_large_components"] = cuts.get("wordings_in_large_components", 0) + len(component)
            continue
        joins += _agglomerate(component, likeness, couse, group)
    cuts.update(couse.cuts)
    return Grouping(group, tuple(joins), cuts)


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


def _near_identical(words: Sequence[UInt64s], usable: Bools, group: Int64s) -> tuple[list[Join], dict[str, int]]:
    """Join texts that differ by hardly a word."""
    found = twins(words, usable, ALONE)
    joins = []
    rows = zip(found.first.tolist(), found.second.tolist(), found.likeness.tolist(), strict=True)
    for a, b, same in rows:
        if group[a] != group[b]:
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


def _agglomerate(component: Int64s, likeness: Likeness, couse: CoUse, group: Int64s) -> list[Join]:
    """Average linkage down to the limits of `likeness`, among groups whose pooled accounts overlap beyond chance."""
    close = likeness.matrix(component)
    mean, best, size = close.copy(), close.copy(), np.ones(len(component), np.float32)
    pool = couse.pool(component)
    support = pool.supported()
    alive = np.ones(len(component), np.bool_)
    limits = likeness.limits(size[:, None], size)
    linked = likeness.pair + LINKED * (1.0 - likeness.pair)
    joins = []
    np.fill_diagonal(mean, -1.0)
    while alive.sum() > 1:
        open_ = np.where(support & (best >= linked) & (mean >= limits), mean, -1.0)
        a, b = divmod(int(open_.argmax()), len(component))
        if open_[a, b] < 0:
            break
        a, b = min(a, b), max(a, b)
        shared, expected = pool.overlap(a, b)
        in_a, in_b = pool.members(a), pool.members(b)
        x, y = np.unravel_index(int(close[np.ix_(in_a, in_b)].argmax()), (len(in_a), len(in_b)))
        reason = f"{shared} accounts use both ({expected:.1f} by chance); the texts are {mean[a, b]:.2f} alike"
        first, second = int(component[in_a[x]]), int(component[in_b[y]])
        joins.append(Join(first, second, float(mean[a, b]), reason, shared, expected))
        _unite(group, first, second)
        mean[a] = mean[:, a] = (size[a] * mean[a] + size[b] * mean[b]) / (size[a] + size[b])
        best[a] = best[:, a] = np.maximum(best[a], best[b])
        size[a] += size[b]
        limits[a] = limits[:, a] = likeness.limits(size[a], size)
        alive[b] = False
        mean[b] = mean[:, b] = -1.0
        mean[a, a] = -1.0
        support[a] = support[:, a] = pool.merge(a, b) & alive
    return joins
