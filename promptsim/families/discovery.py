"""Corpus → Cores and labels: the mining itself, from shingles to consensus. The middle of `mine`; pure and compiled.

repeats ─► distinct surroundings ─► classes ─► payload out ─► closures ─► hierarchy ─► consensus ─► splinters
                                                    └─► once more, in what hides behind the payload

A document that recurs more often than an instruction hides it: nothing but the document is left beside the instruction,
which seems to have one surrounding. What payload was found is known then, and the prompts that hold it and that nothing
explains are searched again without it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from promptsim.families.atoms import Classes, classes, largest, only
from promptsim.families.chance import least_weight
from promptsim.families.consensus import Cores, cores
from promptsim.families.corpus import Corpus, rows_of
from promptsim.families.edges import class_edges, count_of
from promptsim.families.forms import in_forms
from promptsim.families.hierarchy import standing, upheld
from promptsim.families.options import MineOptions
from promptsim.families.payload import is_payload
from promptsim.families.postings import Assigned, Postings, assign, assign_known, build
from promptsim.families.repair import repair
from promptsim.families.repeats import Repeats, drop, repeats
from promptsim.families.shingles import NAMES, STARTS
from promptsim.families.skeletons import class_weights, closures, marked
from promptsim.families.splinters import without_splinters
from promptsim.families.support import distinct_residuals
from promptsim.records import Bools, Floats, Int32s


@dataclass(frozen=True, slots=True)
class Discovery:
    """Skeletons and, for each prompt of the corpus, which one it is made from (-1: none); `repaired`
    marks those that were recognised by alignment only. Skeletons that do not stand have too few members."""

    cores: Cores
    postings: Postings
    label: Int32s
    repaired: Bools
    stands: Bools
    cut_classes: int
    cut_pairs: int  # of skeletons that might be splinters of one text


def discover(corpus: Corpus, options: MineOptions) -> Discovery:
    """Find the fixed texts of a corpus and assign its prompts to them."""
    found = repeats(corpus, options.shingle, options.anchored, options.support)
    first = _search(corpus, found, options)
    label, sound, cut = _with_hidden(corpus, found, first, options)
    label = in_forms(corpus, label, options)
    return settle(corpus, found, sound, label, options, first.cut + cut)


def _with_hidden(corpus: Corpus, found: Repeats, first: _Search, options: MineOptions) -> tuple[Int32s, Bools, int]:
    """Labels and sound shingles with those that payload hid, and how many classes were left out for their number."""
    hidden = np.flatnonzero((first.label < 0) & _holding(found, first.payload))
    if len(hidden) < options.support:
        return first.label, first.sound, 0
    behind = rows_of(corpus, hidden)
    again = repeats(behind, options.shingle, options.anchored, options.support)
    again = drop(again, ~np.isin(again.hashes, found.hashes[first.payload]))
    more = _search(behind, again, options)
    label = first.label.copy()
    label[hidden] = np.where(more.label >= 0, more.label + label.max(initial=-1) + 1, -1)
    return label, first.sound | np.isin(found.hashes, again.hashes[more.sound]), more.cut


@dataclass(frozen=True, slots=True)
class _Search:
    """Each prompt's closure (-1: none), which shingles may be fixed text, and which are payload."""

    label: Int32s
    sound: Bools
    payload: Bools
    cut: int


def _search(corpus: Corpus, found: Repeats, options: MineOptions) -> _Search:
    distinct = distinct_residuals(corpus, found, options.shingle, options.anchored)
    diverse = distinct >= options.support
    grouped = classes(found, diverse, distinct, corpus.digest, options.link, options.present)
    heavy, weight = without_chance(corpus, found, grouped, options)
    fixed, cut_classes = largest(without_payload(corpus, found, heavy, weight, options), options.max_classes)
    label, cut = first_labels(corpus, found, fixed, options)
    sound = fixed.of_shingle >= 0
    return _Search(label, sound, (heavy.of_shingle >= 0) & ~sound, cut_classes + cut)


def _holding(found: Repeats, some: Bools) -> Bools:
    """Which prompts hold at least one of some shingles."""
    held = np.concatenate([np.zeros(1, np.int64), np.cumsum(some[found.shingle], dtype=np.int64)])
    result: Bools = np.diff(held[found.of_prompt]) > 0
    return result


def without_chance(corpus: Corpus, found: Repeats, grouped: Classes, options: MineOptions) -> tuple[Classes, Floats]:
    """The classes heavy enough for their prompts, and how heavy: a phrase of five words in five of a million is chance.

    The name of a field says too little by itself; several of one form together may say enough.
    """
    weight, closed = class_weights(corpus, found, grouped, options)
    edges = class_edges(corpus, found, grouped, options.shingle, options.anchored)
    evidence = weight + options.edge * count_of(edges & closed)
    part = np.ones(len(grouped), np.bool_)  # of something larger, which may stand at a line's start or end
    enough = evidence >= least_weight(grouped.prompts(), part, len(corpus), options)
    enough |= marked(found, grouped, NAMES)
    return only(grouped, enough), weight[enough]


def without_payload(corpus: Corpus, found: Repeats, grouped: Classes, weight: Floats, options: MineOptions) -> Classes:
    """The classes that are not payload."""
    edges = marked(found, grouped, STARTS)  # anchored at a line's start or end
    edges &= weight >= options.payload_lightest
    payload = is_payload(grouped, edges, bulk(corpus, grouped, options), options)
    return only(grouped, ~payload)


def bulk(corpus: Corpus, grouped: Classes, options: MineOptions) -> Floats:
    """Which share of the tokens of a class's prompts the class is, about."""
    length = np.repeat(corpus.bounds[2::2] - corpus.bounds[:-1:2], np.diff(grouped.of_prompt))
    total = np.bincount(grouped.held, weights=length, minlength=len(grouped))
    share: Floats = ((grouped.size + options.shingle - 1) * grouped.prompts() / np.maximum(total, 1)).astype(np.float32)
    return share


def first_labels(corpus: Corpus, found: Repeats, grouped: Classes, options: MineOptions) -> tuple[Int32s, int]:
    """Each prompt's heaviest closure that stands (-1: none), and how many classes were left out for their number."""
    if not len(grouped):
        return np.full(len(corpus), -1, np.int32), 0
    closed, prompt, skeleton = closures(corpus, found, grouped, options)
    return standing(closed, prompt, skeleton, corpus.prompt_no < options.covered, options), closed.cut


def settle(
    corpus: Corpus, found: Repeats, sound: Bools, label: Int32s, options: MineOptions, cut_classes: int
) -> Discovery:
    """Consensus rounds: what most members share becomes the skeleton, and every prompt is assigned again."""
    for _ in range(options.rounds):
        label, n = compact(label)
        fixed = cores(corpus, found, sound, label, n, options.consensus, options.shingle, options.anchored)
        postings = build(fixed)
        assigned = assign_known(postings, found, options.accept)
        members = np.bincount(assigned.best[assigned.best >= 0], minlength=n)
        least = least_weight(members, fixed.lined, len(corpus), options)
        stands = fixed.tokens + options.edge * fixed.edges >= least
        stands &= upheld(members, assigned.matched, fixed.edges, options)
        label = _of_standing(assigned.best, stands)
    fixed, whole, cut_pairs = without_splinters(corpus, fixed, postings, label, stands, options)
    apart = whole == np.arange(n)
    if not apart.all():
        stands &= apart
        postings = build(fixed)
        assigned = _assigned_again(corpus, postings, assigned, np.bincount(whole, minlength=n)[whole] > 1, options)
        label = _of_standing(assigned.best, stands)
    label, repaired = repair(corpus, fixed, assigned, label, stands, options)
    return Discovery(fixed, postings, label, repaired, stands, cut_classes, cut_pairs)


def _assigned_again(
    corpus: Corpus, postings: Postings, before: Assigned, joined: Bools, options: MineOptions
) -> Assigned:
    """What is assigned once some skeletons are joined: prompts of those, and such as hold part of any and have none."""
    of_joined = np.append(joined, False)  # -1 is the last
    again = of_joined[before.best] | of_joined[before.nearest] | ((before.best < 0) & (before.nearest >= 0))
    rows = np.flatnonzero(again)
    part = rows_of(corpus, rows)
    found = assign(postings, part.tokens, part.flags, part.bounds, options.shingle, options.anchored, options.accept)
    best, share = before.best.copy(), before.share.copy()
    nearest, near_share = before.nearest.copy(), before.near_share.copy()
    best[rows], share[rows] = found.best, found.share
    nearest[rows], near_share[rows] = found.nearest, found.near_share
    return replace(before, best=best, share=share, nearest=nearest, near_share=near_share)


def _of_standing(label: Int32s, stands: Bools) -> Int32s:
    """The labels of skeletons that stand; -1 for the others."""
    return np.where(np.append(stands, False)[label], label, np.int32(-1)).astype(np.int32)  # -1 is the last


def compact(label: Int32s) -> tuple[Int32s, int]:
    """Labels renumbered 0…n-1 without gaps; -1 stays."""
    used, inverse = np.unique(label, return_inverse=True)
    shift = 1 if len(used) and used[0] < 0 else 0
    return (inverse - shift).astype(np.int32), len(used) - shift
