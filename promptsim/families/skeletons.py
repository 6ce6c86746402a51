"""Classes → Skeletons: what stands together in one wording, how heavy it is, and which skeleton lies inside which.

Sixth stage of `mine`. The closure of a class is every class that most of its prompts hold too. Its weight counts the
fixed tokens of a typical prompt, punctuation half. A child that adds nothing to its parent is folded into it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numba import njit

from promptsim.families.atoms import Classes
from promptsim.families.chance import least_weight
from promptsim.families.consensus import Cores, cores_of
from promptsim.families.corpus import Corpus
from promptsim.families.edges import LINE, class_edges, continued, count_of
from promptsim.families.fixed import closed_edges, distinct_weight, words_key
from promptsim.families.options import MineOptions
from promptsim.families.pairs import meetings
from promptsim.families.repeats import Repeats
from promptsim.families.shingles import NAMES, STARTS, STOPS, width_of
from promptsim.lookahead import in_spans
from promptsim.order import order_of
from promptsim.records import Bools, Floats, Int32s, Int64s, UInt64s


@dataclass(frozen=True, slots=True)
class Closures:
    """Skeleton i grew from class i and holds classes `part[of[i]:of[i+1]]` (its own among them)."""

    part: Int32s
    of: Int64s
    weight: Floats
    evidence: Floats  # weight of all that its prompts share, or its own, and `edge` for each end of their texts
    prompts: Int64s
    varied: Floats  # distinct surroundings of its class for each of its prompts
    bulk: Floats  # share of each in the tokens of its prompts, about
    anchored: Bools  # which stand at a line's start or end, in part
    edges: Floats  # how many ends of the text of its prompts each stands at: 0, 1 or 2
    breaks_off: Bools  # which end within a sentence (see `continued`), or in a text's midst within a line
    names: Int64s  # how many names of fields each holds
    words: UInt64s  # the same for those that say the same words
    cut: int

    def __len__(self) -> int:
        return len(self.weight)

    def only(self, keep: Bools) -> Closures:
        """Some of them, renumbered, as if there were no others."""
        number = np.cumsum(keep) - 1
        owner = np.repeat(np.arange(len(self)), np.diff(self.of))
        stays = keep[self.part] & keep[owner]
        sizes = np.bincount(number[owner[stays]], minlength=int(np.count_nonzero(keep)))
        columns = {
            each.name: getattr(self, each.name)[keep] for each in fields(self) if each.name not in ("part", "of", "cut")
        }
        part = number[self.part[stays]].astype(np.int32)
        return replace(self, part=part, of=np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)]), **columns)


@njit(cache=True, nogil=True)
def match(shingle, fresh, of_prompt, class_of, held, held_of, whole, part, of, accept, first, last):  # type: ignore[no-untyped-def]
    """Pairs (prompt, skeleton) where the prompt holds its class and the share `accept` of all its `whole` shingles.

    Of the prompts from `first` to before `last`.
    """
    count = np.zeros(len(whole), np.int32)
    room = held_of[last] - held_of[first] + 1
    out_prompt, out_skeleton = np.empty(room, np.int32), np.empty(room, np.int32)
    filled = 0
    for prompt in range(first, last):
        for j in range(of_prompt[prompt], of_prompt[prompt + 1]):
            c = class_of[shingle[j]]
            if fresh[j] and c >= 0:
                count[c] += 1
        for i in range(held_of[prompt], held_of[prompt + 1]):
            skeleton = held[i]
            got = 0
            for j in range(of[skeleton], of[skeleton + 1]):
                got += count[part[j]]
            out_prompt[filled] = prompt
            out_skeleton[filled] = skeleton
            filled += got >= accept * whole[skeleton]
        for j in range(of_prompt[prompt], of_prompt[prompt + 1]):
            c = class_of[shingle[j]]
            if c >= 0:
                count[c] = 0
    return out_prompt[:filled], out_skeleton[:filled]


@njit(cache=True, nogil=True)
def _grow(shingle, place, class_of, kinds, df, need, k, anchored, wide):  # type: ignore[no-untyped-def]
    """Mark what of one prompt goes on from its marked tokens: sound shingles over them that so many prompts have."""
    for step in (1, -1):
        for at in range(len(shingle)):
            j = at if step > 0 else len(shingle) - 1 - at
            s = shingle[j]
            if class_of[s] < 0:
                continue
            first, last = place[j], place[j] + width_of(kinds[s], k, anchored)
            marked = 0
            for t in range(first, last):
                marked += wide[t]
            if 0 < marked < last - first and df[s] >= need:
                wide[first:last] = 1


@njit(cache=True, nogil=True)
def _weights(  # type: ignore[no-untyped-def]
    tokens,
    flags,
    bounds,
    shingle,
    place,
    of_prompt,
    kinds,
    class_of,
    example,
    part,
    of,
    k,
    anchored,
    n_classes,
    longest,
    df,
    need,
):
    """Fixed tokens of each skeleton in its example prompt: each once, punctuation half.

    If a `need` is given, also the key of their words, and what the text is that goes on from them: see `weights`.
    """
    out = np.zeros(len(example), np.float32)
    whole = np.zeros(len(example), np.float32)
    reach = np.zeros(len(example), np.int64)
    edges = np.zeros(len(example), np.int64)
    words = np.zeros(len(example), np.uint64)
    inside = np.full(n_classes, -1, np.int64)
    fixed = np.zeros(longest + 1, np.uint8)
    seen = np.full(len(class_of), -1, np.int64)
    for i in range(len(example)):
        prompt = example[i]
        if prompt < 0:
            continue
        single = part[of[i]] if of[i + 1] == of[i] + 1 else np.int32(-2)
        for j in range(of[i], of[i + 1]):
            inside[part[j]] = i
        start = bounds[2 * prompt]
        n = bounds[2 * prompt + 2] - start
        fixed[:n] = 0
        for j in range(of_prompt[prompt], of_prompt[prompt + 1]):
            s = shingle[j]
            c = class_of[s]
            mine = c == single or (single < 0 <= c and inside[c] == i)
            if mine and seen[s] != i:
                seen[s] = i
                width = width_of(kinds[s], k, anchored)
                for t in range(place[j], place[j] + width):
                    fixed[t] = 1
        out[i] = distinct_weight(tokens[start : start + n], flags[start : start + n], fixed)
        edges[i] = closed_edges(flags[start : start + n], bounds[2 * prompt + 1] - start, fixed)
        if len(need):
            words[i] = words_key(tokens[start : start + n], flags[start : start + n], fixed)
            some = slice(of_prompt[prompt], of_prompt[prompt + 1])
            _grow(shingle[some], place[some], class_of, kinds, df, need[i], k, anchored, fixed[:n])
            whole[i] = distinct_weight(tokens[start : start + n], flags[start : start + n], fixed)
            reach[i] = closed_edges(flags[start : start + n], bounds[2 * prompt + 1] - start, fixed)
            for t in range(n):
                if fixed[t] and flags[start + t] & 3:
                    reach[i] |= LINE
    return out, edges, words, whole, reach


def weights(
    corpus: Corpus,
    repeats: Repeats,
    classes: Classes,
    example: Int64s,
    part: Int32s,
    of: Int64s,
    options: MineOptions,
    need: Floats | None = None,
) -> tuple[Floats, Int64s, UInt64s, Floats, Int64s]:
    """Fixed tokens of sets of classes, `part[of[i]:of[i+1]]`, as they stand in prompt `example[i]` (-1: nowhere).

    And at which edges what is fixed there is closed: the sum of 1 (the beginning) and 2 (the end). And, if a `need` is
    given, a number that sets of the same words share, and of the text that goes on there with what `need[i]` prompts
    have: its fixed tokens, and at which edges it is closed, with LINE where it stands at a line's start or end.
    """
    longest = int((corpus.bounds[2::2] - corpus.bounds[:-1:2]).max(initial=0))
    need = np.empty(0, np.float32) if need is None else need
    df = repeats.df()
    parts = in_spans(
        lambda lo, hi: _weights(
            corpus.tokens, corpus.flags, corpus.bounds, repeats.shingle, repeats.place, repeats.of_prompt,
            repeats.kinds, classes.of_shingle, example[lo:hi], part, of[lo : hi + 1], options.shingle,
            options.anchored, len(classes), longest, df, need[lo:hi],
        ),
        np.arange(len(example) + 1),
    )  # fmt: skip
    weight, edges, words, whole, reach = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return weight, edges, words, whole, reach


def class_weights(corpus: Corpus, repeats: Repeats, classes: Classes, options: MineOptions) -> tuple[Floats, Int64s]:
    """Fixed tokens of each class by itself, and the edges at which it is closed: see `weights`."""
    own = np.arange(len(classes), dtype=np.int32)
    example = np.full(len(classes), -1, np.int64)
    prompt = np.repeat(np.arange(len(corpus)), np.diff(classes.of_prompt))
    example[classes.held[::-1]] = prompt[::-1]
    return weights(corpus, repeats, classes, example, own, np.arange(len(classes) + 1), options)[:2]


def marked(repeats: Repeats, classes: Classes, kind: int) -> Bools:
    """Which classes have a shingle of this kind or one of those after it."""
    return _with(classes, repeats.kinds >= kind)


def _with(classes: Classes, some: Bools) -> Bools:
    """Which classes have one of some shingles."""
    found = np.zeros(len(classes), np.bool_)
    found[classes.of_shingle[some & (classes.of_shingle >= 0)]] = True
    return found


def _any_part(of_class: Bools, part: Int32s, of: Int64s) -> Bools:
    """Which sets of classes have one for which something is true."""
    found: Bools = np.logical_or.reduceat(of_class[part], of[:-1]) if len(part) else of_class
    return found


def _consensus(
    corpus: Corpus,
    repeats: Repeats,
    classes: Classes,
    some: Bools,
    prompt: Int32s,
    skeleton: Int32s,
    options: MineOptions,
) -> Cores:
    """What the prompts that match each of `some` closures share, whatever class it is of; of `inspected` at most.

    What a text has in common with a sibling of many more prompts is in the sibling's class, which its own prompts do
    not hold: the text is more than its closure, and may stand at a line's start where the closure does not.
    """
    mine = some[skeleton]
    order = order_of(skeleton[mine])
    member, own = prompt[mine][order].astype(np.int64), skeleton[mine][order]
    first = np.searchsorted(own, np.arange(len(classes)))
    kept = np.arange(len(own)) - first[own] < options.inspected
    of = np.searchsorted(own[kept], np.arange(len(classes) + 1))
    sound = classes.of_shingle >= 0
    return cores_of(
        corpus, repeats, sound, member[kept], of, options.consensus, options.shingle, options.anchored, options.phrase
    )


def closures(
    corpus: Corpus, repeats: Repeats, classes: Classes, options: MineOptions
) -> tuple[Closures, Int32s, Int32s]:
    """The closure of every class, weighed in one of its prompts, and pairs (prompt, closure) that match."""
    met = meetings(classes, options.max_pairs)
    lower, higher = met.share(met.one) >= options.closure, met.share(met.other) >= options.closure
    own = np.arange(len(classes), dtype=np.int32)
    one = np.concatenate([met.one[lower], met.other[higher], own])
    part = np.concatenate([met.other[lower], met.one[higher], own])
    order = np.lexsort((part, one))
    of = np.searchsorted(one[order], np.arange(len(classes) + 1))
    part = part[order].astype(np.int32)
    shingles = np.add.reduceat(classes.size[part], of[:-1], dtype=np.int64) if len(part) else np.zeros(0, np.int64)
    parts = in_spans(
        lambda first, last: match(
            repeats.shingle, repeats.fresh, repeats.of_prompt, classes.of_shingle, classes.held, classes.of_prompt,
            shingles, part, of, options.accept, first, last,
        ),
        repeats.of_prompt,
    )  # fmt: skip
    prompt, skeleton = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    example = np.full(len(classes), -1, np.int64)
    example[skeleton[::-1]] = prompt[::-1]
    prompts = np.bincount(skeleton, minlength=len(classes))
    need = (prompts / options.closure).astype(np.float32)
    weight, closed, words, whole, reach = weights(corpus, repeats, classes, example, part, of, options, need)
    length = (corpus.bounds[2::2] - corpus.bounds[:-1:2])[prompt]
    tokens = np.bincount(skeleton, weights=length, minlength=len(classes))
    bulk = ((shingles + options.shingle - 1) * prompts / np.maximum(tokens, 1)).astype(np.float32)
    varied = (classes.distinct / np.maximum(classes.prompts(), 1)).astype(np.float32)
    names = np.bincount(
        classes.of_shingle[(repeats.kinds >= NAMES) & (classes.of_shingle >= 0)], minlength=len(classes)
    )
    names = np.add.reduceat(names[part], of[:-1]) if len(part) else names
    edges = class_edges(corpus, repeats, classes, options.shingle, options.anchored)
    edges = np.bitwise_or.reduceat(edges[part], of[:-1]) if len(part) else edges
    anchored = _any_part(marked(repeats, classes, STARTS), part, of) | (edges > 0)
    longer = _any_part(_with(classes, continued(corpus, repeats, options.anchored)), part, of)
    to_line_end = _any_part(marked(repeats, classes, STOPS), part, of)
    breaks_off = (edges & closed == 0) & ~longer & ((edges > 0) | ~to_line_end)
    ends = count_of(edges & closed)
    # what goes on from most is not enough either: the consensus of their prompts need not be asked
    least = least_weight(prompts, anchored | (reach & LINE > 0), len(corpus), options)
    may = (prompts >= options.support) & (whole + options.edge * count_of(reach) >= least)
    shared = _consensus(corpus, repeats, classes, may, prompt, skeleton, options)
    evidence = np.maximum(weight, shared.tokens) + np.float32(options.edge) * np.maximum(ends, shared.edges)
    anchored |= shared.lined
    found = Closures(
        part, of, weight, evidence, prompts, varied, bulk, anchored, ends, breaks_off, names, words, met.cut
    )
    return found, prompt, skeleton
