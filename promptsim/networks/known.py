"""Families and what the operator knows to be public → which families are listed.

A family is listed by its id, or when nearly all of its fixed text stands in one known prompt: word by word, whatever
case, look-alikes and spacing do. Text that a campaign adds to a public prompt is not in it, so the addition must be
small beside it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import numpy as np

from promptsim.order import firsts
from promptsim.records import Bools, Family, Int64s, UInt64s
from promptsim.text.shingles import shingles
from promptsim.text.tokens import select, tokenise

WORDS = 3  # in a row make one piece of text
COVERED = 0.9  # of a family's pieces that must stand in one known prompt
SLOT = re.compile(r"\{\d+\}")


def listed(families: Sequence[Family], known: Collection[str]) -> Bools:
    """Truth value for each family."""
    result = np.array([family.family_id in known for family in families], bool)
    if not known or not len(families):
        return result
    piece, prompt = _pieces([[text] for text in sorted(known)])
    order = np.argsort(piece, kind="stable")
    piece, prompt = piece[order], prompt[order]
    own, family = _pieces([SLOT.split(family.template) for family in families])
    first, last = np.searchsorted(piece, own, "left"), np.searchsorted(piece, own, "right")
    hits = last - first
    of_family = np.repeat(family, hits)
    at = np.arange(int(hits.sum())) - np.repeat(np.cumsum(hits) - hits, hits) + np.repeat(first, hits)
    pair, count = np.unique(of_family * len(known) + prompt[at], return_counts=True)
    best = np.zeros(len(families), np.int64)
    np.maximum.at(best, pair // len(known), count)
    pieces = np.bincount(family, minlength=len(families))
    return np.asarray(result | ((pieces > 0) & (best >= COVERED * pieces)), bool)


def _pieces(texts: Sequence[Sequence[str]]) -> tuple[UInt64s, Int64s]:
    """Every distinct piece of each text (of parts that do not join), and the number of the text."""
    owner = np.repeat(np.arange(len(texts)), [len(parts) for parts in texts])
    tokens = select(tokenise([part for parts in texts for part in parts]), newlines=False)
    hashes, offsets = shingles(tokens.hashes, tokens.offsets, WORDS)
    number = np.repeat(owner, np.diff(offsets))
    order = np.lexsort((hashes, number))
    hashes, number = hashes[order], number[order]
    fresh = firsts(hashes, number)
    return hashes[fresh], number[fresh].astype(np.int64)
