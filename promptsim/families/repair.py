"""Prompts that hold only pieces of a skeleton → those that are made from it after all, found by aligning tokens.

Typing errors and changed words break five shingles each, so a prompt with a few of them matches little of its skeleton;
in the order of its tokens it still stands there. Only runs count: single common words in the right order are chance.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from promptsim.families.alignment import align
from promptsim.families.consensus import Cores
from promptsim.families.corpus import Corpus
from promptsim.families.options import MineOptions
from promptsim.families.postings import Assigned
from promptsim.records import Bools, Floats, Int32s


@njit(cache=True, nogil=True)
def _aligned(tokens, bounds, chosen, skeleton, text, text_of, longest):  # type: ignore[no-untyped-def]
    """Share of the skeleton's fixed tokens that each chosen prompt holds in order, in runs of two or more."""
    out = np.zeros(len(chosen), np.float32)
    for i in range(len(chosen)):
        lo, hi = bounds[2 * chosen[i]], bounds[2 * chosen[i] + 2]
        fixed = text[text_of[skeleton[i]] : text_of[skeleton[i] + 1]]
        n = len(fixed)
        if n == 0 or hi - lo > longest:
            continue
        at = align(fixed, tokens[lo:hi])
        held = 0
        for t in range(n):
            if at[t] >= 0:
                before = t > 0 and at[t - 1] >= 0 and at[t] - at[t - 1] == 1
                after = t + 1 < n and at[t + 1] >= 0 and at[t + 1] - at[t] == 1
                if before or after:
                    held += 1
        out[i] = held / n
    return out


def repair(
    corpus: Corpus, fixed: Cores, found: Assigned, label: Int32s, stands: Bools, options: MineOptions
) -> tuple[Int32s, Bools]:
    """Labels with the repaired prompts added, and which those are.

    Tried are prompts without a skeleton, or with one that says less than what they hold of another: to leave it, by so
    much that what they lack of the other is outweighed too.
    """
    near = found.nearest
    rank = np.append(fixed.rank(), np.float32(0))  # of label -1: none
    tried = (near != label) & np.append(stands, False)[near] & (found.near_share >= options.doubt)
    chosen = np.flatnonzero(tried & (found.near_share * rank[near] > rank[label]))
    held: Floats = _aligned(
        corpus.tokens, corpus.bounds, chosen, near[chosen], fixed.text, fixed.text_of, options.max_aligned
    )
    enough = (held >= options.aligned) & (held * fixed.tokens[near[chosen]] >= options.aligned_weight)
    enough &= np.where(label[chosen] < 0, held, 2 * held - 1) * rank[near[chosen]] > rank[label[chosen]]
    good = chosen[enough]
    label = label.copy()
    label[good] = near[good]
    repaired = np.zeros(len(label), np.bool_)
    repaired[good] = True
    return label, repaired
