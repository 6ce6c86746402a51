"""Known skeletons + new prompts → which skeleton each is made from. The online form of the last stage of `mine`.

texts ─► shingles ─► postings ─► held well: assigned
                             └─► held in part: tokens aligned ─► assigned or not
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from promptsim.families.consensus import Cores
from promptsim.families.corpus import Corpus, interleaved, tokenised
from promptsim.families.fixed import distinct_weight
from promptsim.families.options import MineOptions
from promptsim.families.postings import assign, build
from promptsim.families.repair import repair
from promptsim.families.wordings import fixed_text
from promptsim.records import Bools, Floats, Int32s, Skeleton, UInt8s, UInt64s
from promptsim.text.unwrap import unwrapped

ACCEPT = 0.7  # of a skeleton's weight: new prompts are judged one by one, without the company that mining has


@dataclass(frozen=True, slots=True)
class Matches:
    """For each prompt a skeleton's index (-1: none), the share of it that is there, and if it took alignment to see."""

    skeleton: Int32s
    share: Floats
    aligned: Bools


def _weight(text: UInt64s, flags: UInt8s) -> float:
    """What a fixed text weighs, as in mining."""
    return float(distinct_weight(text, flags, np.ones(len(text), np.uint8)))


class SkeletonIndex:
    """The skeletons of a run, ready for batches of prompts; safe to share between threads."""

    def __init__(self, skeletons: Sequence[Skeleton], options: MineOptions | None = None) -> None:
        self.skeletons = tuple(skeletons)
        self._options = options or MineOptions()
        text, flags, text_of, _ = tokenised([fixed_text(s.text) for s in self.skeletons], self._options.max_tokens)
        sizes = [len(s.shingles) for s in self.skeletons]
        self.cores = Cores(
            hashes=np.concatenate([np.empty(0, np.uint64), *(s.shingles for s in self.skeletons)]),
            weights=np.concatenate([np.empty(0, np.float32), *(s.weights for s in self.skeletons)]),
            of=np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)]),
            tokens=np.array([_weight(text[a:b], flags[a:b]) for a, b in pairwise(text_of.tolist())], np.float32),
            worth=np.array([s.worth for s in self.skeletons], np.float32),
            example=np.full(len(sizes), -1, np.int64),
            edges=np.zeros(len(sizes), np.float32),
            lined=np.zeros(len(sizes), np.bool_),
            text=text,
            text_of=text_of,
        )
        self.postings = build(self.cores)
        self.stands = np.ones(len(self.skeletons), np.bool_)

    def assign(self, texts: Sequence[tuple[str, str]]) -> Matches:
        """Match (system, user) texts; exact shingles first, alignment only where they leave doubt."""
        options = self._options
        none = np.full(len(texts), -1, np.int32)
        if not self.skeletons or not texts:
            return Matches(none, np.zeros(len(texts), np.float32), np.zeros(len(texts), np.bool_))
        parts = interleaved([system for system, _ in texts], [user for _, user in texts])
        tokens, flags, bounds, cut = tokenised(unwrapped(parts), options.max_tokens)
        found = assign(self.postings, tokens, flags, bounds, options.shingle, options.anchored, ACCEPT)
        number = np.arange(len(texts), dtype=np.int64)
        corpus = Corpus(number, number.astype(np.uint64), tokens, flags, bounds, cut)
        label, aligned = repair(corpus, self.cores, found, found.best, self.stands, options)
        share = np.where(aligned | (label < 0), found.near_share, found.share).astype(np.float32)
        return Matches(label, share, aligned)
