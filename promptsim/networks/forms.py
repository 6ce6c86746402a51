"""Texts → which of them are forms of one: a text with an optional part, or with something of its payload beside it.

Who uses one form uses the other, whoever they are: that says nothing of acting together, and makes no tie.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from promptsim.records import Bools, Family, Int64s

WITHIN = 0.8  # share of the distinct words of the shorter fixed text that the other one has


def fixed_words(family: Family) -> list[str]:
    """The words of a family's fixed text, its slots left out."""
    return re.findall(r"\w+", re.sub(r"\{\w*\}", " ", family.template.lower()))


def of_one_text(texts: Sequence[Family], left: Int64s, right: Int64s) -> Bools:
    """Which pairs of texts are forms of one."""
    words = {at: frozenset(fixed_words(texts[at])) for at in np.union1d(left, right).tolist()}
    pairs = ((words[a], words[b]) for a, b in zip(left.tolist(), right.tolist(), strict=True))
    return np.array([len(a & b) >= WITHIN * min(len(a), len(b)) for a, b in pairs], np.bool_)
