"""Members of skeletons → what each has beside the fixed text: a hash of it, and where the fixed text stands.

Equal fillings have equal hashes, so that the networks room can tell sharded work from people who repeat each other.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from promptsim.families.corpus import Corpus
from promptsim.families.keys import mixed
from promptsim.families.options import MineOptions
from promptsim.families.postings import Postings
from promptsim.families.shingles import shingles_of, width_of
from promptsim.lookahead import in_spans
from promptsim.records import Int32s, UInt8s, UInt64s


@njit(cache=True, nogil=True)
def _fillings(tokens, flags, bounds, k, anchored, longest, table, keys, of, skeleton, label):  # type: ignore[no-untyped-def]
    n_prompts = (len(bounds) - 1) // 2
    mask = np.uint64(len(table) - 1)
    filling = np.zeros(n_prompts, np.uint64)
    place = np.zeros(n_prompts, np.uint8)
    hashes = np.empty(4 * longest + 4, np.uint64)
    places = np.empty(4 * longest + 4, np.int64)
    kinds = np.empty(4 * longest + 4, np.uint8)
    fixed = np.zeros(2 * longest + 1, np.uint8)
    for prompt in range(n_prompts):
        if label[prompt] < 0:
            continue
        start, middle, end = bounds[2 * prompt], bounds[2 * prompt + 1], bounds[2 * prompt + 2]
        fixed[: end - start] = 0
        for part in range(2 * prompt, 2 * prompt + 2):
            n = shingles_of(tokens, flags, bounds[part], bounds[part + 1], k, anchored, hashes, places, kinds)
            for j in range(n):
                h = hashes[j]
                slot = h & mask
                while table[slot] >= 0 and keys[table[slot]] != h:
                    slot = (slot + np.uint64(1)) & mask
                entry = table[slot]
                if entry < 0:
                    continue
                for i in range(of[entry], of[entry + 1]):
                    if skeleton[i] == label[prompt]:
                        for t in range(places[j], places[j] + width_of(kinds[j], k, anchored)):
                            fixed[t - start] = 1
                        break
        h = np.uint64(0)
        first, last = -1, -1
        for t in range(end - start):
            if fixed[t]:
                if first < 0:
                    first = t
                last = t
                if start + t < middle:
                    place[prompt] |= 4
            else:
                h = h * np.uint64(0xD6E8FEB86659FD93) + tokens[start + t]
        if h:
            filling[prompt] = max(mixed(h), np.uint64(1))
        if first > 0:
            place[prompt] |= 1
        if last < end - start - 1:
            place[prompt] |= 2
    return filling, place


def fillings(corpus: Corpus, postings: Postings, label: Int32s, options: MineOptions) -> tuple[UInt64s, UInt8s]:
    """Filling and place (a sum of `records.PLACE_*`) of every prompt that has a skeleton."""
    longest = int(np.diff(corpus.bounds).max(initial=0))
    parts = in_spans(
        lambda lo, hi: _fillings(
            corpus.tokens, corpus.flags, corpus.bounds[2 * lo : 2 * hi + 1], options.shingle, options.anchored,
            longest, postings.table, postings.keys, postings.of, postings.skeleton, label[lo:hi],
        ),
        corpus.bounds[::2],
    )  # fmt: skip
    filling, place = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return filling, place
