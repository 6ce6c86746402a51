"""Members of each skeleton → the shingles that most of them hold, and what they weigh. A stage of `mine`, run twice.

Where most of what members share is no fixed text (it stands in few different surroundings, or is payload), they share a
document. Such a skeleton stands, but a prompt that has an instruction besides belongs to the instruction: its `worth`
is low.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
from numba import njit

from promptsim.families.corpus import Corpus
from promptsim.families.edges import core_edges, count_of
from promptsim.families.fixed import closed_edges, distinct_weight
from promptsim.families.repeats import Repeats
from promptsim.families.shingles import PLAIN, width_of
from promptsim.lookahead import in_spans
from promptsim.order import order_of
from promptsim.records import Bools, Floats, Int32s, Int64s, UInt64s

FIXED = 0.5  # share of what members have in common that is fixed text; with less it is a document


@dataclass(frozen=True, slots=True)
class Cores:
    """The fixed part of skeleton i: shingles `hashes[of[i]:of[i+1]]` with their weights, `tokens[i]` fixed tokens.

    `worth[i]` says how far those tokens count where a prompt matches several: 1, or less for a document.
    """

    hashes: UInt64s
    weights: Floats
    of: Int64s
    tokens: Floats
    worth: Floats
    example: Int64s
    edges: Floats  # how many ends of the text of its members each stands at: 0, 1 or 2
    lined: Bools  # which stand at a line's start or end, in part
    text: UInt64s  # the fixed tokens of skeleton i as its example has them: `text[text_of[i]:text_of[i+1]]`
    text_of: Int64s

    def __len__(self) -> int:
        return len(self.tokens)

    def rank(self) -> Floats:
        """What decides between two skeletons that a prompt matches."""
        return self.tokens * self.worth


@njit(cache=True, nogil=True)
def _often(some, count, need):  # type: ignore[no-untyped-def]
    """Those that are counted at least so often."""
    out = np.empty(len(some) + 1, np.int32)
    n = 0
    for s in some:
        out[n] = s
        n += count[s] >= need
    return out[:n]


@njit(cache=True, nogil=True)
def _shared(  # type: ignore[no-untyped-def]
    shingle, fresh, of_prompt, kinds, members, of_skeleton, df, sound, share, k, least
):
    """Shingles that at least `share` of the members of each skeleton hold, and the member that holds most of them.

    Also which share of what members have in common is `sound`. A shingle that is not (payload, or too few surroundings)
    counts only if half of its prompts are members. What has fewer than `least` tokens, and nothing that could stand at
    a line's start or end, is taken for nothing.
    """
    n_shingles = len(df)
    count = np.zeros(n_shingles, np.int32)
    touched = np.empty(n_shingles + 1, np.int32)
    n_skeletons = len(of_skeleton) - 1
    out = np.empty(1 << 16, np.int32)
    of = np.zeros(n_skeletons + 1, np.int64)
    fixed = np.ones(n_skeletons, np.float32)
    example = np.full(n_skeletons, -1, np.int64)
    filled = 0
    for skeleton in range(n_skeletons):
        n = 0
        lo, hi = of_skeleton[skeleton], of_skeleton[skeleton + 1]
        for i in range(lo, hi):
            for j in range(of_prompt[members[i]], of_prompt[members[i] + 1]):
                s = shingle[j]
                touched[n] = s
                n += count[s] == 0
                count[s] += fresh[j]
        need = share * (hi - lo)
        kept = np.sort(_often(touched[:n], count, need))
        if filled + len(kept) > len(out):
            more = np.empty(2 * (filled + len(kept)), np.int32)
            more[:filled] = out[:filled]
            out = more
        common = 0
        good = 0
        lined = False
        for s in kept:
            common += 1
            good += sound[s]
            lined |= kinds[s] != PLAIN
            if sound[s] or 2 * count[s] >= df[s]:
                out[filled] = s
                filled += 1
        if common > 0:
            fixed[skeleton] = good / common
        if not lined and k * (filled - of[skeleton]) < least:
            filled = of[skeleton]
            lo = hi
        most = -1
        for i in range(lo, hi):
            got = 0
            for j in range(of_prompt[members[i]], of_prompt[members[i] + 1]):
                if count[shingle[j]] >= need:
                    got += 1
            if got > most:
                most = got
                example[skeleton] = members[i]
        for s in touched[:n]:
            count[s] = 0
        of[skeleton + 1] = filled
    return out[:filled].copy(), of, example, fixed


@njit(cache=True, nogil=True)
def _fixed_tokens(  # type: ignore[no-untyped-def]
    tokens, flags, bounds, shingle, place, of_prompt, kinds, kept, of, example, n_shingles, k, anchored, longest
):
    """Fixed tokens of each skeleton in its example prompt: each once, punctuation half."""
    out = np.zeros(len(example), np.float32)
    text = np.empty(1 << 12, np.uint64)
    text_of = np.zeros(len(example) + 1, np.int64)
    edges = np.zeros(len(example), np.int64)
    filled = 0
    inside = np.full(n_shingles, -1, np.int64)
    fixed = np.zeros(longest + 1, np.uint8)
    for i in range(len(example)):
        prompt = example[i]
        text_of[i + 1] = filled
        if prompt < 0:
            continue
        for j in range(of[i], of[i + 1]):
            inside[kept[j]] = i
        start = bounds[2 * prompt]
        n = bounds[2 * prompt + 2] - start
        fixed[:n] = 0
        for j in range(of_prompt[prompt], of_prompt[prompt + 1]):
            s = shingle[j]
            if inside[s] == i:
                inside[s] = -1
                width = width_of(kinds[s], k, anchored)
                for t in range(place[j], place[j] + width):
                    fixed[t] = 1
        out[i] = distinct_weight(tokens[start : start + n], flags[start : start + n], fixed)
        edges[i] = closed_edges(flags[start : start + n], bounds[2 * prompt + 1] - start, fixed)
        if filled + n > len(text):
            more = np.empty(2 * (filled + n), np.uint64)
            more[:filled] = text[:filled]
            text = more
        for t in range(n):
            if fixed[t]:
                text[filled] = tokens[start + t]
                filled += 1
        text_of[i + 1] = filled
    return out, text[:filled].copy(), text_of, edges


def grouped(label: Int32s, n: int) -> tuple[Int64s, Int64s]:
    """Prompts sorted by label (those with -1 left out), and where each label's begin."""
    chosen = np.flatnonzero(label >= 0)
    order = chosen[order_of(label[chosen])]
    return order, np.searchsorted(label[order], np.arange(n + 1))


def cores(
    corpus: Corpus, repeats: Repeats, sound: Bools, label: Int32s, n: int, share: float, k: int, anchored: int
) -> Cores:
    """The consensus of the prompts that carry each label 0…n-1."""
    members, of_skeleton = grouped(label, n)
    return cores_of(corpus, repeats, sound, members, of_skeleton, share, k, anchored)


def cores_of(
    corpus: Corpus,
    repeats: Repeats,
    sound: Bools,
    members: Int64s,
    of_skeleton: Int64s,
    share: float,
    k: int,
    anchored: int,
    least: float = 0.0,
) -> Cores:
    """The same of the prompts `members[of_skeleton[i]:of_skeleton[i+1]]` of each skeleton i; one may be of several.

    Texts of fewer than `least` tokens that stand at no line's start or end need not be told: they may be empty.
    """
    parts = in_spans(
        lambda first, last: _cores_of(
            corpus, repeats, sound, members, of_skeleton[first : last + 1], share, k, anchored, least
        ),
        of_skeleton,
    )
    return reduce(joined_cores, parts)


def _cores_of(
    corpus: Corpus,
    repeats: Repeats,
    sound: Bools,
    members: Int64s,
    of_skeleton: Int64s,
    share: float,
    k: int,
    anchored: int,
    least: float,
) -> Cores:
    """The same in one piece."""
    n_shingles = len(repeats.hashes)
    kept, of, example, fixed = _shared(
        repeats.shingle, repeats.fresh, repeats.of_prompt, repeats.kinds, members, of_skeleton, repeats.df(), sound,
        share, k, least,
    )  # fmt: skip
    longest = int((corpus.bounds[2::2] - corpus.bounds[:-1:2]).max(initial=0))
    tokens, text, text_of, closed = _fixed_tokens(
        corpus.tokens, corpus.flags, corpus.bounds, repeats.shingle, repeats.place, repeats.of_prompt, repeats.kinds,
        kept, of, example, n_shingles, k, anchored, longest,
    )  # fmt: skip
    weights = np.where(repeats.kinds[kept] == 0, 1.0, 0.5).astype(np.float32)
    worth = (np.minimum(fixed / FIXED, 1.0) ** 2).astype(np.float32)
    at = core_edges(corpus, repeats, members, of_skeleton, kept, of, k, anchored)
    edges = count_of(closed & at)
    return Cores(repeats.hashes[kept], weights, of, tokens, worth, example, edges, at > 0, text, text_of)


def joined_cores(one: Cores, two: Cores) -> Cores:
    """The skeletons of `one`, then those of `two`."""
    return Cores(
        np.concatenate([one.hashes, two.hashes]),
        np.concatenate([one.weights, two.weights]),
        np.concatenate([one.of, two.of[1:] + one.of[-1]]),
        np.concatenate([one.tokens, two.tokens]),
        np.concatenate([one.worth, two.worth]),
        np.concatenate([one.example, two.example]),
        np.concatenate([one.edges, two.edges]),
        np.concatenate([one.lined, two.lined]),
        np.concatenate([one.text, two.text]),
        np.concatenate([one.text_of, two.text_of[1:] + one.text_of[-1]]),
    )


def some_cores(cores: Cores, chosen: Int64s) -> Cores:
    """Some skeletons, in the order given."""
    shingles, of = _runs(cores.of, chosen)
    tokens, text_of = _runs(cores.text_of, chosen)
    return Cores(
        cores.hashes[shingles], cores.weights[shingles], of, cores.tokens[chosen], cores.worth[chosen],
        cores.example[chosen], cores.edges[chosen], cores.lined[chosen], cores.text[tokens], text_of,
    )  # fmt: skip


def _runs(of: Int64s, chosen: Int64s) -> tuple[Int64s, Int64s]:
    """The places of the runs `of[i]:of[i + 1]` of the chosen ones, one after the other, and where each begins then."""
    sizes = np.diff(of)[chosen]
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    return np.arange(starts[-1]) + np.repeat(of[chosen] - starts[:-1], sizes), starts
