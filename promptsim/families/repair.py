"""Prompts that hold only pieces of a skeleton → those that are made from it after all, found by aligning tokens.

Typing errors and changed words break five shingles each, so a prompt with a few of them matches little of its skeleton;
in the order of its tokens it still stands there. Only runs count: single common words in the right order are chance.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from promptsim.families.alignment import in_runs
from promptsim.families.consensus import Cores
from promptsim.families.corpus import Corpus
from promptsim.families.options import MineOptions
from promptsim.families.postings import Assigned
from promptsim.lookahead import in_spans
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
        out[i] = (in_runs(fixed, tokens[lo:hi]) >= 0).sum() / n
    return out


@njit(cache=True, nogil=True)
def _inside(text, text_of, one, other):  # type: ignore[no-untyped-def]
    """Share of each skeleton's fixed tokens (-1: none) that stand in another's, in order and in runs."""
    out = np.zeros(len(one), np.float32)
    for i in range(len(one)):
        if one[i] >= 0 and text_of[one[i]] < text_of[one[i] + 1]:
            mine = text[text_of[one[i]] : text_of[one[i] + 1]]
            out[i] = (in_runs(mine, text[text_of[other[i]] : text_of[other[i] + 1]]) >= 0).mean()
    return out


def repair(
    corpus: Corpus, fixed: Cores, found: Assigned, label: Int32s, stands: Bools, options: MineOptions
) -> tuple[Int32s, Bools]:
    """Labels with the repaired prompts added, and which those are.

    Tried are prompts without a skeleton, or with one that says less than what they may hold of another, if words of it
    were changed: to leave it, by so much that what they lack of the other is outweighed too, and by more if the other
    says the same and something besides, which may just not be there.
    """
    near = found.nearest
    rank = np.append(fixed.rank(), np.float32(0))  # of label -1: none
    tried = (near != label) & np.append(stands, False)[near] & (found.near_share >= options.doubt)
    tokens = found.near_share ** (1 / options.shingle)  # a changed word breaks as many shingles as each has tokens
    chosen = np.flatnonzero(tried & ((2 * tokens - 1) * rank[near] > rank[label]))
    near, own = near[chosen], label[chosen]
    lengths = (corpus.bounds[2::2] - corpus.bounds[:-1:2])[chosen]
    parts: list[Floats] = in_spans(
        lambda lo, hi: _aligned(
            corpus.tokens, corpus.bounds, chosen[lo:hi], near[lo:hi], fixed.text, fixed.text_of, options.max_aligned
        ),
        np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]),
    )
    held = np.concatenate(parts)
    enough = (held >= options.aligned) & (held * fixed.tokens[near] >= options.aligned_weight)
    akin = _inside(fixed.text, fixed.text_of, own, near) >= options.akin
    worth = np.where(own < 0, held, 2 * held - 1) * rank[near]
    enough &= worth > np.where(akin, options.akin_margin, 1.0) * rank[own]
    good = chosen[enough]
    label = label.copy()
    label[good] = near[enough]
    repaired = np.zeros(len(label), np.bool_)
    repaired[good] = True
    return label, repaired
