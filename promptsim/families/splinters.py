"""Skeletons that are splinters of one fixed text → that text: where every copy was changed, each piece is found apart.

After consensus, before repair. A changed word breaks five shingles, so prompts whose fixed text was changed in every
copy agree in pieces only: each piece becomes a skeleton, and its prompts hold the others in part. Of two templates that
share some text nothing like that is true: what one has beyond the other stands in its own prompts and in no others.

    skeletons ─► pairs of which one's prompts hold shingles of the other ─► aligned: half of what either has beyond the
    other is in the other's prompts ─► joined, if no two of them differ ─► the fixed text as the fullest prompt has it
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
from numba import njit

from promptsim.families.alignment import in_runs
from promptsim.families.consensus import Cores, grouped
from promptsim.families.corpus import Corpus
from promptsim.families.fixed import distinct_weight
from promptsim.families.options import MineOptions
from promptsim.families.postings import Postings
from promptsim.families.shingles import shingles_of
from promptsim.records import Bools, Floats, Int32s, Int64s, UInt64s


@dataclass(frozen=True, slots=True)
class Sample:
    """Prompts of each skeleton, the first by content: those of skeleton i are `rows[of[i]:of[i+1]]`."""

    rows: Int64s
    of: Int64s
    label: Int32s

    @classmethod
    def first(cls, label: Int32s, n: int, most: int) -> Sample:
        """At most `most` prompts of each label 0…n-1."""
        members, of = grouped(label, n)
        rows = members[np.arange(len(members)) - np.repeat(of[:-1], np.diff(of)) < most]
        return cls(rows, np.searchsorted(label[rows], np.arange(n + 1)), label[rows])


@njit(cache=True, nogil=True)
def _met(tokens, flags, bounds, k, anchored, longest, table, keys, of, skeleton, rows, label, stands):  # type: ignore[no-untyped-def]
    """Pairs (own, other) of skeletons, one for each prompt of `rows` with a shingle of the other that its own lacks."""
    mask = np.uint64(len(table) - 1)
    seen = np.full(len(stands), -1, np.int64)
    hashes = np.empty(4 * longest + 4, np.uint64)
    places = np.empty(4 * longest + 4, np.int64)
    kinds = np.empty(4 * longest + 4, np.uint8)
    out = np.empty((1 << 12, 2), np.int64)
    filled = 0
    for r in range(len(rows)):
        prompt, own = rows[r], label[r]
        for part in range(2 * prompt, 2 * prompt + 2):
            n = shingles_of(tokens, flags, bounds[part], bounds[part + 1], k, anchored, hashes, places, kinds)
            for j in range(n):
                slot = hashes[j] & mask
                while table[slot] >= 0 and keys[table[slot]] != hashes[j]:
                    slot = (slot + np.uint64(1)) & mask
                entry = table[slot]
                if entry < 0:
                    continue
                lo, hi = of[entry], of[entry + 1]
                if (skeleton[lo:hi] == own).any():
                    continue
                if filled + hi - lo > len(out):
                    more = np.empty((2 * (filled + hi - lo), 2), np.int64)
                    more[:filled] = out[:filled]
                    out = more
                for i in range(lo, hi):
                    other = skeleton[i]
                    if stands[other] and seen[other] != r:
                        seen[other] = r
                        out[filled, 0], out[filled, 1] = own, other
                        filled += 1
    return out[:filled].copy()


@njit(cache=True, nogil=True)
def _beyond(tokens, bounds, longest, most, rows, of, text, text_of, one, other):  # type: ignore[no-untyped-def]
    """How many tokens each `other` has beyond `one`, and how many of them a prompt of `one` holds on average.

    At most `most` prompts of each are looked at.
    """
    size = np.zeros(len(one), np.float64)
    held = np.zeros(len(one), np.float64)
    for p in range(len(one)):
        mine = text[text_of[one[p]] : text_of[one[p] + 1]]
        fixed = text[text_of[other[p]] : text_of[other[p] + 1]]
        beyond = in_runs(fixed, mine) < 0
        size[p] = beyond.sum()
        n = 0
        for i in range(of[one[p]], min(of[one[p] + 1], of[one[p]] + most)):
            lo, hi = bounds[2 * rows[i]], bounds[2 * rows[i] + 2]
            if size[p] > 0 and hi - lo <= longest:
                held[p] += ((in_runs(fixed, tokens[lo:hi]) >= 0) & beyond).sum()
                n += 1
        held[p] /= max(n, 1)
    return size, held


@njit(cache=True, nogil=True)
def _fullest(tokens, bounds, longest, rows, parts, text, text_of):  # type: ignore[no-untyped-def]
    """The prompt that holds most of some skeletons' texts, and which of its tokens those are."""
    best, most = rows[0], -1
    marked = np.zeros(0, np.bool_)
    for row in rows:
        lo, hi = bounds[2 * row], bounds[2 * row + 2]
        if hi - lo > longest:
            continue
        here = np.zeros(hi - lo, np.bool_)
        for s in parts:
            for at in in_runs(text[text_of[s] : text_of[s + 1]], tokens[lo:hi]):
                if at >= 0:
                    here[at] = True
        if here.sum() > most:
            best, most, marked = row, here.sum(), here
    return best, np.flatnonzero(marked)


def without_splinters(
    corpus: Corpus, fixed: Cores, postings: Postings, label: Int32s, stands: Bools, options: MineOptions
) -> tuple[Cores, Int32s, int]:
    """The skeletons with splinters joined, the number that each has now, and how many pairs were not looked at.

    Nothing is left under the number of one that went into another. `label` gives each prompt's skeleton (-1: none).
    """
    sample = Sample.first(label, len(fixed), options.splinter_sample)
    one, other, cut = _candidates(corpus, postings, sample, stands, options)
    whole, full = _linked(corpus, fixed, sample, one, other, options)
    if (whole != np.arange(len(whole))).any():
        joined = np.where(label >= 0, whole[label], np.int32(-1)).astype(np.int32)
        fixed = _joined_cores(corpus, fixed, whole, Sample.first(joined, len(fixed), options.inspected), options)
    return fixed, whole, cut + full


def _candidates(
    corpus: Corpus, postings: Postings, sample: Sample, stands: Bools, options: MineOptions
) -> tuple[Int64s, Int64s, int]:
    """Pairs of standing skeletons, one of which has prompts with shingles of the other, and how many were left out."""
    n = len(stands)
    longest = int(np.diff(corpus.bounds).max(initial=0))
    met = _met(
        corpus.tokens, corpus.flags, corpus.bounds, options.shingle, options.anchored, longest, postings.table,
        postings.keys, postings.of, postings.skeleton, sample.rows, sample.label, stands,
    )  # fmt: skip
    pair, count = np.unique(met[:, 0] * n + met[:, 1], return_counts=True)
    own, partner = np.divmod(pair, n)
    often = count >= options.splinter_met * np.diff(sample.of)[own]
    own, partner, count = own[often], partner[often], count[often]
    order = np.lexsort((partner, -count, own))
    first = np.searchsorted(own[order], np.arange(n))
    kept = order[np.arange(len(order)) - first[own[order]] < options.max_splinters]
    both = np.unique(np.minimum(own, partner)[kept] * n + np.maximum(own, partner)[kept])
    return both // n, both % n, len(order) - len(kept)


def _shared(
    corpus: Corpus, fixed: Cores, sample: Sample, one: Int64s, other: Int64s, options: MineOptions
) -> tuple[Floats, Int64s]:
    """How much of what two skeletons have beyond each other the other's prompts hold, and of how many tokens that is.

    Both ways together: at the edge of a splinter stands a token or two that say little. Most pairs are two texts, which
    shows in a few prompts.
    """
    share, size = np.zeros(len(one), np.float32), np.zeros(len(one), np.int64)
    some = np.arange(len(one))
    for most, enough in ((options.splinter_glance, options.splinter / 2), (options.splinter_sample, 0.0)):
        both = [
            _beyond(
                corpus.tokens, corpus.bounds, options.max_aligned, most, sample.rows, sample.of, fixed.text,
                fixed.text_of, a, b,
            )
            for a, b in ((one[some], other[some]), (other[some], one[some]))
        ]  # fmt: skip
        beyond, held = np.sum(both, axis=0)
        share[some] = np.where(beyond > 0, held / np.maximum(beyond, 1), 1)
        size[some] = beyond
        some = np.flatnonzero(share >= enough)
    return share, size


def _linked(
    corpus: Corpus, fixed: Cores, sample: Sample, one: Int64s, other: Int64s, options: MineOptions
) -> tuple[Int32s, int]:
    """The lowest number of the splinters that each skeleton is joined with, and how often too many would have been.

    No two of them may differ: a piece that two templates have in common is not to bring those together.
    """
    share, size = _shared(corpus, fixed, sample, one, other, options)
    alike, telling = share >= options.splinter, size >= options.splinter_beyond
    differ = dict(zip(zip(one.tolist(), other.tolist(), strict=True), (telling & ~alike).tolist(), strict=True))
    whole = np.arange(len(fixed), dtype=np.int32)
    near = np.flatnonzero(alike & telling)
    parts = {i: [i] for i in np.unique(np.concatenate([one[near], other[near]])).tolist()}
    full = 0
    for p in near[np.lexsort((other[near], one[near], -share[near]))].tolist():
        head, tail = sorted((int(whole[one[p]]), int(whole[other[p]])))
        if head == tail:
            continue
        if len(parts[head]) + len(parts[tail]) > options.max_splinters:
            full += 1
            continue
        pairs = [(min(pair), max(pair)) for pair in product(parts[head], parts[tail])]
        new = [pair for pair in pairs if pair not in differ]
        if new:
            a, b = np.array(new, np.int64).T.copy()
            share_of, size_of = _shared(corpus, fixed, sample, a, b, options)
            apart = (share_of < options.splinter) & (size_of >= options.splinter_beyond)
            differ |= zip(new, apart.tolist(), strict=True)
        if not any(differ[pair] for pair in pairs):
            parts[head] += parts.pop(tail)
            whole[parts[head]] = head
    return whole, full


def _joined_cores(corpus: Corpus, fixed: Cores, whole: Int32s, sample: Sample, options: MineOptions) -> Cores:
    """The skeletons, those with one number in `whole` joined under it; `sample` has the prompts of the joined."""
    hashes = [fixed.hashes[a:b] for a, b in pairwise(fixed.of.tolist())]
    weights = [fixed.weights[a:b] for a, b in pairwise(fixed.of.tolist())]
    texts = [fixed.text[a:b] for a, b in pairwise(fixed.text_of.tolist())]
    tokens, worth, edges, example = fixed.tokens.copy(), fixed.worth.copy(), fixed.edges.copy(), fixed.example.copy()
    lined = fixed.lined.copy()
    for head in np.flatnonzero(np.bincount(whole, minlength=len(whole)) > 1).tolist():
        parts = np.flatnonzero(whole == head)
        rows = sample.rows[sample.of[head] : sample.of[head + 1]]
        row, index = _fullest(corpus.tokens, corpus.bounds, options.max_aligned, rows, parts, fixed.text, fixed.text_of)
        at = corpus.bounds[2 * row] + index
        own, first = np.unique(np.concatenate([hashes[s] for s in parts]), return_index=True)
        weight = np.concatenate([weights[s] for s in parts])[first]
        for s in parts:
            hashes[s], weights[s], texts[s], tokens[s], example[s] = hashes[s][:0], weights[s][:0], texts[s][:0], 0, -1
            edges[s] = 0
        hashes[head], weights[head], texts[head], example[head] = own, weight, corpus.tokens[at], row
        tokens[head] = distinct_weight(corpus.tokens[at], corpus.flags[at], np.ones(len(at), np.uint8))
        worth[head], edges[head] = fixed.worth[parts].min(), fixed.edges[parts].max()
        lined[head] = fixed.lined[parts].any()
    return Cores(
        np.concatenate(hashes), np.concatenate(weights), _offsets(hashes), tokens, worth, example, edges, lined,
        np.concatenate(texts), _offsets(texts),
    )  # fmt: skip


def _offsets(parts: Sequence[UInt64s]) -> Int64s:
    """Where each of some arrays begins once they stand behind one another, and where the last ends."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum([len(part) for part in parts], dtype=np.int64)])
