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


def _coverage(classes: Classes, met: Pairs, partner: Bools) -> tuple[Int64s, np.ndarray]:
    """How many partners each class has, and which share of its prompts holds one."""
    one, other = met.one[partner], met.other[partner]
    of = np.searchsorted(one, np.arange(len(classes) + 1))
    covered = _covered(classes.held, classes.of_prompt, of, other, len(classes))
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
    share, back = met.share(), met.back()
    size, distinct = classes.size, classes.distinct
    apart = (share <= options.payload_overlap) & (back <= options.payload_overlap)
    shorter = (size[met.other] < size[met.one]) & (distinct[met.other] >= options.payload_distinct * distinct[met.one])
    shorter &= size[met.other] >= options.payload_shortest
    shorter &= (edged | (size >= options.payload_phrase))[met.other]
    partners, cover = _coverage(classes, met, apart & shorter)
    found = (partners >= options.payload_partners) & (cover >= options.payload_cover)
    found |= (partners > options.payload_partners) & (cover >= options.payload_cover_many)
    found &= (distinct < options.payload_own * met.n) | (bulk >= options.payload_bulk)
    beside = found[met.other] & (share >= options.closure) & (met.n[met.one] < met.n[met.other])
    np.logical_or.at(found, met.one[beside], True)  # what stands only beside payload is its edge
    result: Bools = found
    return result
