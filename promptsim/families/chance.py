"""How much fixed text is more than chance: the more prompts there are, the longer is what recurs in a few of them."""

from __future__ import annotations

import numpy as np

from promptsim.families.options import MineOptions
from promptsim.records import Bools, Floats, Int64s


def chance_scale(among: int, options: MineOptions) -> float:
    """What recurs by chance is the longer the more prompts there are, as the logarithm of their number."""
    return float(min(np.log(max(among, 2)) / np.log(options.reference), 1.0))


def least_weight(prompts: Int64s, anchored: Bools, among: int, options: MineOptions) -> Floats:
    """Fixed tokens that a skeleton of so many prompts needs to stand: a short one must recur often.

    One that is not `anchored` at a line's start or end stands within lines, in different texts: so do quotations and
    what everybody says. There are tens of thousands of those in much traffic, nearly all of them rare.
    """
    scale = chance_scale(among, options)
    least = scale * (options.chance + options.evidence / np.maximum(prompts, 1))
    often = prompts >= np.maximum(options.often_least, options.often * among)
    lightest = np.where(anchored | often, options.lightest, options.phrase)
    result: Floats = np.maximum(lightest, least).astype(np.float32)
    return result
