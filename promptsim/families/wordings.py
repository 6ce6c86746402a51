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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from promptsim.families.alignment import align, sequences
from promptsim.families.couse import CoUse
from promptsim.families.probes import closeness
from promptsim.records import Bools, Floats, Int32s, Int64s, UInt64s
from promptsim.text.tokens import NUMBER, WORD

Encode = Callable[[Sequence[str]], Floats]

ALONE = 0.95  # token alignment of near-identical texts: joined whoever uses them
LEAST_WORDS = 4  # a shorter fixed text is near-identical to too much …
LEAST_REWORDED = 5  # … and one shorter than this says too little to be said in other words
LONG = (40, 120)  # words: two long texts that say the same are more alike than two short ones, by up to …
LONG_MARGIN = 0.15  # … this
BAND = 3  # words of a shingle that two near-identical texts must share
CROWDED = 256  # wordings with one shingle: too many to pair
ALIGNED = 0.7  # token alignment that counts as much as the cosine threshold
LINKED = 0.1  # part of the way from the threshold to 1: the closest two texts of a merge are at least so alike
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
    threshold: float
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
    threshold: float | None = None,
) -> Grouping:
    """Which wordings are one family.

    `accounts[i]` are the distinct accounts that use wording i, `varied[i]` says that it has payload (None: all have),
    `commonplace[i]` that anyone writes it: such a wording joins nothing. Without `encode` only token alignment tells
    likeness. `threshold` is the cosine from which co-use decides; by default it is measured on the encoder.
    """
    if len(templates) != len(accounts):
        raise ValueError(f"{len(templates)} templates but the accounts of {len(accounts)}")
    texts = [fixed_text(template) for template in templates]
    words = _words(texts)
    usable = np.array([len(w) >= LEAST_WORDS for w in words], np.bool_)
    if commonplace is not None:
        usable &= ~np.asarray(commonplace, np.bool_)
    limit = threshold if threshold is not None else closeness(encode) if encode else ALIGNED
    group = np.arange(len(texts), dtype=np.int64)
    joins, cuts = _near_identical(words, usable, group)
    paired = usable & np.array([len(w) >= LEAST_REWORDED for w in words], np.bool_)
    if varied is not None:
        paired &= np.asarray(varied, np.bool_)
    couse = CoUse.of(accounts)
    first, second = couse.candidates(np.flatnonzero(paired))
    likeness = _Likeness(texts, words, encode, limit, np.union1d(first, second))
    alike = likeness.pairs(first, second) >= limit
    for component in _components(first[alike], second[alike]):
        if len(component) > LARGEST:
            cuts["wordings_in_large_components"] = cuts.get("wordings_in_large_components", 0) + len(component)
            continue
        joins += _agglomerate(component, likeness, couse, limit, group)
    cuts.update(couse.cuts)
    return Grouping(group, tuple(joins), limit, cuts)


def _words(texts: Sequence[str]) -> list[UInt64s]:
    """Hashes of the words and numbers of each text: punctuation beside a slot is no difference."""
    body = sequences(texts)
    keep = np.isin(body.kinds, (WORD, NUMBER))
    kept = np.concatenate([np.zeros(1, np.int64), np.cumsum(keep)])[body.offsets]
    return np.split(body.hashes[keep], kept[1:-1]) if texts else []


def _aligned(a: UInt64s, b: UInt64s) -> float:
    """Share of the tokens of both that stand in one alignment."""
    return 2.0 * float((align(a, b) >= 0).sum()) / max(len(a) + len(b), 1)


def _near_identical(words: Sequence[UInt64s], usable: Bools, group: Int64s) -> tuple[list[Join], dict[str, int]]:
    """Join texts that differ by hardly a token. Candidates share a shingle of three words."""
    holders: dict[bytes, list[int]] = {}
    for i in np.flatnonzero(usable).tolist():
        text = words[i].tobytes()
        for shingle in {text[8 * k : 8 * (k + BAND)] for k in range(len(words[i]) - BAND + 1)}:
            holders.setdefault(shingle, []).append(i)
    crowded = sum(len(ids) > CROWDED for ids in holders.values())
    pairs = {(a, b) for ids in holders.values() if len(ids) <= CROWDED for x, a in enumerate(ids) for b in ids[x + 1 :]}
    joins = []
    for a, b in sorted(pairs):
        shorter, longer = sorted((len(words[a]), len(words[b])))
        if group[a] == group[b] or 2 * shorter < ALONE * (shorter + longer):
            continue
        same = _aligned(words[a], words[b])
        if same >= ALONE:
            _unite(group, a, b)
            joins.append(Join(a, b, same, f"the fixed texts are near-identical ({same:.0%} of the words)"))
    return joins, {"crowded_shingles": crowded} if crowded else {}


def _unite(group: Int64s, a: int, b: int) -> None:
    low, high = sorted((int(group[a]), int(group[b])))
    group[group == high] = low


class _Likeness:
    """How alike two fixed texts are: cosine, or token alignment put on the cosine's scale, whichever is more.

    Less a margin where both are long: two topics meet in a cosine of 0.45, two versions of a page do not.
    """

    def __init__(
        self, texts: Sequence[str], words: Sequence[UInt64s], encode: Encode | None, limit: float, wanted: Int64s
    ) -> None:
        self._words, self._limit = words, limit
        self._lengths = np.array([len(w) for w in words], np.int64)
        self._row = {int(i): row for row, i in enumerate(wanted)}
        self._vectors = encode([texts[int(i)] for i in wanted]) if encode is not None and len(wanted) else None

    def _text(self, a: int, b: int) -> float:
        same = _aligned(self._words[a], self._words[b])
        return self._limit + (same - ALIGNED) / (1.0 - ALIGNED) * (1.0 - self._limit)

    def pairs(self, first: Int64s, second: Int64s) -> Floats:
        out = np.array([self._text(int(a), int(b)) for a, b in zip(first, second, strict=True)], np.float32)
        if self._vectors is not None:
            rows = [np.array([self._row[int(i)] for i in side], np.int64) for side in (first, second)]
            for start in range(0, len(out), 65_536):
                part = slice(start, start + 65_536)
                cosines = (self._vectors[rows[0][part]] * self._vectors[rows[1][part]]).sum(axis=1)
                out[part] = np.maximum(out[part], cosines)
        shorter = np.minimum(self._lengths[first], self._lengths[second])
        long = np.clip((shorter - LONG[0]) / (LONG[1] - LONG[0]), 0.0, 1.0)
        return np.asarray(out - LONG_MARGIN * long * (out < ALONE), np.float32)

    def matrix(self, members: Int64s) -> Floats:
        upper = np.triu_indices(len(members), 1)
        out = np.eye(len(members), dtype=np.float32)
        out[upper] = self.pairs(members[upper[0]], members[upper[1]])
        return np.maximum(out, out.T)


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


def _agglomerate(component: Int64s, likeness: _Likeness, couse: CoUse, limit: float, group: Int64s) -> list[Join]:
    """Average linkage down to `limit`, among groups whose pooled accounts overlap beyond chance."""
    close = likeness.matrix(component)
    mean, best, size = close.copy(), close.copy(), np.ones(len(component))
    pool = couse.pool(component)
    support = pool.supported()
    alive = np.ones(len(component), np.bool_)
    linked = limit + LINKED * (1.0 - limit)
    joins = []
    np.fill_diagonal(mean, -1.0)
    while alive.sum() > 1:
        open_ = np.where(support & (best >= linked), mean, -1.0)
        a, b = divmod(int(open_.argmax()), len(component))
        if open_[a, b] < limit:
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
        alive[b] = False
        mean[b] = mean[:, b] = -1.0
        mean[a, a] = -1.0
        support[a] = support[:, a] = pool.merge(a, b) & alive
    return joins
