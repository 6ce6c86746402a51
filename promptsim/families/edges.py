"""Where fixed text stands at the very beginning or end of what its prompts say: evidence besides its length.

A phrase within a text recurs by chance; the same words at the same end of every text that has them do so much less.
Used where skeletons are weighed against chance.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from promptsim.families.atoms import Classes
from promptsim.families.corpus import Corpus
from promptsim.families.repeats import Repeats
from promptsim.families.shingles import STARTS, STOPS, width_of
from promptsim.lookahead import in_spans
from promptsim.records import Bools, Floats, Int32s, Int64s

SHARE = 0.8  # of its prompts that have it there
LINE = 4  # at a line's start or end, beside 1 and 2: the beginning and the end of a text


@njit(cache=True, nogil=True, inline="always")
def _edge(start, middle, end, first, last):  # type: ignore[no-untyped-def]
    """1: at the beginning of the system or the user text, 2: at the end of one, 3: both."""
    begins = first == 0 or first == middle - start
    ends = last == middle - start or last == end - start
    return (1 if begins else 0) | (2 if ends else 0)


@njit(cache=True, nogil=True, inline="always")
def _may_be_edge(start, middle, end, first, k):  # type: ignore[no-untyped-def]
    """Whether a shingle of at most k tokens can stand at an edge; told without looking up which it is."""
    near_end = first + k >= end - start
    return first == 0 or near_end or (first + k >= middle - start and first <= middle - start)


@njit(cache=True, nogil=True)
def _of_classes(bounds, shingle, place, of_prompt, kinds, class_of, n_classes, k, anchored):  # type: ignore[no-untyped-def]
    """Prompts that have each class at the beginning, and at the end."""
    out = np.zeros((n_classes, 2), np.int64)
    seen = np.full((n_classes, 2), -1, np.int64)
    for prompt in range(len(of_prompt) - 1):
        start, middle, end = bounds[2 * prompt], bounds[2 * prompt + 1], bounds[2 * prompt + 2]
        for j in range(of_prompt[prompt], of_prompt[prompt + 1]):
            if not _may_be_edge(start, middle, end, place[j], k):
                continue
            c = class_of[shingle[j]]
            if c < 0:
                continue
            edge = _edge(start, middle, end, place[j], place[j] + width_of(kinds[shingle[j]], k, anchored))
            for side in range(2):
                if edge & (1 << side) and seen[c, side] != prompt:
                    seen[c, side] = prompt
                    out[c, side] += 1
    return out


@njit(cache=True, nogil=True)
def _of_cores(  # type: ignore[no-untyped-def]
    flags, bounds, shingle, place, of_prompt, kinds, members, of_core, kept, of, n_shingles, k, anchored
):
    """Members of each core that have a part of it at the beginning, at the end, and at the edge of a line."""
    out = np.zeros((len(of) - 1, 3), np.int64)
    inside = np.full(n_shingles, -1, np.int64)
    for core in range(len(of) - 1):
        if of[core] == of[core + 1]:
            continue
        for i in range(of[core], of[core + 1]):
            inside[kept[i]] = core
        for i in range(of_core[core], of_core[core + 1]):
            prompt = members[i]
            start, middle, end = bounds[2 * prompt], bounds[2 * prompt + 1], bounds[2 * prompt + 2]
            edge = 0
            for j in range(of_prompt[prompt], of_prompt[prompt + 1]):
                if inside[shingle[j]] == core:
                    first, last = place[j], place[j] + width_of(kinds[shingle[j]], k, anchored)
                    edge |= _edge(start, middle, end, first, last)
                    edge |= LINE if flags[start + first] & 1 or flags[start + last - 1] & 2 else 0
            for side in range(3):
                out[core, side] += (edge >> side) & 1
    return out


@njit(cache=True, nogil=True)
def _beside(tokens, bounds, shingle, place, of_prompt, kinds, anchored):  # type: ignore[no-untyped-def]
    """How often each shingle at a line's start or end goes on with one token, the most frequent (if it is half)."""
    majority = np.zeros(len(kinds), np.uint64)
    count = np.zeros(len(kinds), np.int64)
    for turn in range(2):
        for prompt in range(len(of_prompt) - 1):
            lo, hi = bounds[2 * prompt], bounds[2 * prompt + 2]
            for j in range(of_prompt[prompt], of_prompt[prompt + 1]):
                s = shingle[j]
                if kinds[s] != STARTS and kinds[s] != STOPS:
                    continue
                t = lo + place[j] + (anchored if kinds[s] == STARTS else -1)
                token = tokens[t] if lo <= t < hi else np.uint64(0)
                if turn == 1:
                    count[s] += token == majority[s]
                elif count[s] == 0:
                    majority[s], count[s] = token, 1
                else:
                    count[s] += 1 if token == majority[s] else -1
        if turn == 0:
            count[:] = 0
    return count


def continued(corpus: Corpus, repeats: Repeats, anchored: int) -> Bools:
    """Which shingles at a line's start or end are longer than they are: nearly all go on with the same token."""
    count = _beside(
        corpus.tokens, corpus.bounds, repeats.shingle, repeats.place, repeats.of_prompt, repeats.kinds, anchored
    )
    times = np.bincount(repeats.shingle, minlength=len(repeats.kinds))
    result: Bools = (count > 0) & (count >= SHARE * times)
    return result


def class_edges(corpus: Corpus, repeats: Repeats, classes: Classes, k: int, anchored: int) -> Int64s:
    """At which edges each class stands: the sum of 1 (the beginning) and 2 (the end)."""
    counted = in_spans(
        lambda lo, hi: _of_classes(
            corpus.bounds[2 * lo : 2 * hi + 1], repeats.shingle, repeats.place, repeats.of_prompt[lo : hi + 1],
            repeats.kinds, classes.of_shingle, len(classes), k, anchored,
        ),
        repeats.of_prompt,
    )  # fmt: skip
    return _bits(np.sum(counted, axis=0), classes.prompts())


def core_edges(
    corpus: Corpus, repeats: Repeats, members: Int64s, of_core: Int64s, kept: Int32s, of: Int64s, k: int, anchored: int
) -> Int64s:
    """The same of cores, `kept[of[i]:of[i+1]]` being the shingles of core i and `members[of_core[i]:…]` its prompts.

    And LINE, where it stands at a line's start or end.
    """
    counted = _of_cores(
        corpus.flags, corpus.bounds, repeats.shingle, repeats.place, repeats.of_prompt, repeats.kinds, members, of_core,
        kept, of, len(repeats.hashes), k, anchored,
    )  # fmt: skip
    return _bits(counted, np.diff(of_core))


def _bits(counted: Int64s, prompts: Int64s) -> Int64s:
    there = counted >= SHARE * np.maximum(prompts[:, None], 1)
    result: Int64s = there @ (1 << np.arange(there.shape[1]))
    return result


def count_of(edges: Int64s) -> Floats:
    """How many edges those are: 0 to 2."""
    result: Floats = ((edges & 1) + (edges >> 1 & 1)).astype(np.float32)
    return result
