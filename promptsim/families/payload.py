"""Classes → which of them are payload: text that recurs because one document stands under several instructions.

Fifth stage of `mine`. An instruction meets many documents and a document meets several instructions, so the two look
alike; the document is the longer one, with no more distinct surroundings than the instructions it stands under.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from promptsim.families.atoms import Classes
from promptsim.families.options import MineOptions
from promptsim.families.pairs import Pairs, pairs
from promptsim.records import Bools, Floats, Int64s


@njit(cache=True, nogil=True)
def _covered(held, of_prompt, one_of, other, n_classes):  # type: ignore[no-untyped-def]
    """Prompts of each class that hold at least one of its partners (`other[one_of[c]:one_of[c+1]]`, ascending)."""
    out = np.zeros(n_classes, np.int64)
    here = np.full(n_classes, -1, np.int64)
    for prompt in range(len(of_prompt) - 1):
        for i in range(of_prompt[prompt], of_prompt[prompt + 1]):
            here[held[i]] = prompt
        for i in range(of_prompt[prompt], of_prompt[prompt + 1]):
            c = held[i]
            for j in range(one_of[c], one_of[c + 1]):
                if here[other[j]] == prompt:
                    out[c] += 1
                    break
    return out


@njit(cache=True, nogil=True, inline="always")
def _share(count, n):  # type: ignore[no-untyped-def]
    return np.float32(count / np.float64(max(n, 1)))


@njit(cache=True, nogil=True)
def _partners(one, other, count, n, size, distinct, able, overlap, least):  # type: ignore[no-untyped-def]
    """Of each class those beside which it may be payload: apart from it, shorter, and at least as varied."""
    of = np.zeros(len(n) + 1, np.int64)
    partner = np.empty(len(one) + 1, np.int32)
    filled = 0
    for i in range(len(one)):
        a, b = one[i], other[i]
        shorter = able[b] and size[b] < size[a] and distinct[b] >= least * distinct[a]
        partner[filled] = b
        filled += shorter and _share(count[i], n[a]) <= overlap and _share(count[i], n[b]) <= overlap
        of[a + 1] = filled
    for c in range(len(n)):
        of[c + 1] = max(of[c + 1], of[c])
    return of, partner[:filled]


@njit(cache=True, nogil=True)
def _with_edges(found, one, other, count, n, closure):  # type: ignore[no-untyped-def]
    """Payload, and what stands only beside payload: its edge."""
    out = found.copy()
    for i in range(len(one)):
        a, b = one[i], other[i]
        if found[b] and n[a] < n[b] and _share(count[i], n[a]) >= closure:
            out[a] = True
    return out


def _coverage(classes: Classes, met: Pairs, able: Bools, options: MineOptions) -> tuple[Int64s, np.ndarray]:
    """How many partners each class has, and which share of its prompts holds one; `able` are those that may be one."""
    of, partner = _partners(
        met.one, met.other, met.count, met.n, classes.size, classes.distinct, able,
        np.float32(options.payload_overlap), options.payload_distinct,
    )  # fmt: skip
    covered = _covered(classes.held, classes.of_prompt, of, partner, len(classes))
    return np.diff(of), covered / np.maximum(met.n, 1)


def is_payload(classes: Classes, edged: Bools, bulk: Floats, options: MineOptions) -> Bools:
    """True for classes that stand beside several instructions rather than being one.

    `edged` marks classes that stand at a line's start or end and are no mere two words there. Instructions do; a short
    one that does not is a turn of phrase in many payloads, and a template is not payload for standing beside those.
    `bulk` is the share of a class in the tokens of its prompts: a document is most of them, or it is always asked the
    same; what is a small part, with other text in each prompt, is a template.
    """
    met = pairs(classes, options.max_pairs)
    if not len(met.one):
        return np.zeros(len(classes), np.bool_)
    able = (classes.size >= options.payload_shortest) & (edged | (classes.size >= options.payload_phrase))
    partners, cover = _coverage(classes, met, able, options)
    found = (partners >= options.payload_partners) & (cover >= options.payload_cover)
    found |= (partners > options.payload_partners) & (cover >= options.payload_cover_many)
    found &= (classes.distinct < options.payload_own * met.n) | (bulk >= options.payload_bulk)
    result: Bools = _with_edges(found, met.one, met.other, met.count, met.n, np.float32(options.closure))
    return result
