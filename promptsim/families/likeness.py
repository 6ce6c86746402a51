"""Two fixed texts → how alike they are, by their words and by an encoder, measured against strangers.

    strangers' vectors ─► centre, spread ─► cosines about the centre ─► from where on two texts say the same

Any two instructions have something in common: they are instructions, they give rules, they want an answer. Models that
average words see little else. So the mean of strangers is taken off every vector first, and what is left is counted in
standard deviations of the cosines of strangers: one rule serves every encoder and every kind of traffic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from promptsim.families.alignment import align, sequences
from promptsim.families.probes import PROBES
from promptsim.records import Floats, Int64s, UInt64s
from promptsim.text.tokens import NUMBER, WORD

Encode = Callable[[Sequence[str]], Floats]

PAIR = 2.75  # standard deviations above the mean of strangers from which two texts say the same …
CROWD = 1.8  # … and from which many do that are compared with many: chance averages out, a common topic does not
LONG = (40, 120)  # words: the more there are, the less chance hides a common topic. Two long texts that say the same …
LONG_MARGIN = 2.0  # … are more alike than two short ones, by up to so many standard deviations
ALIGNED = 0.7  # token alignment that counts as much as the cosine of a pair
BLOCK = 65_536  # pairs compared at once


def words_of(texts: Sequence[str]) -> list[UInt64s]:
    """Hashes of the words and numbers of each text: punctuation beside a slot is no difference."""
    body = sequences(texts)
    keep = np.isin(body.kinds, (WORD, NUMBER))
    kept = np.concatenate([np.zeros(1, np.int64), np.cumsum(keep)])[body.offsets]
    return np.split(body.hashes[keep], kept[1:-1]) if texts else []


def aligned(a: UInt64s, b: UInt64s) -> float:
    """Share of the words of both that stand in one alignment."""
    return 2.0 * float((align(a, b) >= 0).sum()) / max(len(a) + len(b), 1)


@dataclass(frozen=True)
class Ground:
    """What an encoder makes of strangers: the `centre` of their vectors, the `mean` and `spread` of their cosines."""

    encode: Encode
    centre: Floats
    mean: float
    spread: float

    @classmethod
    def of(cls, encode: Encode, strangers: Sequence[str]) -> Ground:
        """Measured on the probes and on `strangers`, texts of which no two have the same senders."""
        vectors = encode([*PROBES, *strangers])
        centre = vectors.mean(axis=0)
        around = _about(vectors, centre)
        cosines = (around @ around.T)[np.triu_indices(len(around), 1)]
        return cls(encode, centre, float(cosines.mean()), float(cosines.std()))

    def above(self, deviations: float) -> float:
        """The cosine of so many standard deviations above the mean of strangers."""
        return min(self.mean + deviations * self.spread, 1.0)

    def vectors(self, texts: Sequence[str]) -> Floats:
        """Unit vectors about the centre."""
        return _about(self.encode(texts), self.centre)


def _about(vectors: Floats, centre: Floats) -> Floats:
    """Unit vectors about a centre; a text without content has a vector of zeros still."""
    moved = np.where(vectors.any(axis=1, keepdims=True), vectors - centre, 0.0)
    lengths = np.linalg.norm(moved, axis=1, keepdims=True)
    return np.asarray(moved / np.maximum(lengths, 1e-9), np.float32)


class Likeness:
    """How alike two fixed texts are: the greater of the cosine, less where both are long, and of token alignment.

    Only texts whose numbers are in `wanted` are compared. Without a ground, alignment alone tells.
    """

    def __init__(self, texts: Sequence[str], words: Sequence[UInt64s], ground: Ground | None, wanted: Int64s) -> None:
        self._words = words
        self._row = {int(i): row for row, i in enumerate(wanted)}
        self._vectors = ground.vectors([texts[int(i)] for i in wanted]) if ground and len(wanted) else None
        self._margin = ground.spread * LONG_MARGIN if ground else 0.0
        self._lengths = np.array([len(text) for text in words], np.int64)
        self.pair = ground.above(PAIR) if ground else ALIGNED
        self._crowd = ground.above(CROWD) if ground else ALIGNED

    def limits(self, one: Floats, other: Floats) -> Floats:
        """From what mean likeness two groups of so many texts say the same.

        The mean over many pairs wavers less than one pair, as far as either side has many texts.
        """
        share = np.sqrt((1.0 / one + 1.0 / other) / 2.0)
        return np.asarray(self._crowd + (self.pair - self._crowd) * share, np.float32)

    def pairs(self, first: Int64s, second: Int64s) -> Floats:
        """The likeness of each pair of texts."""
        same = np.array([aligned(self._words[a], self._words[b]) for a, b in zip(first, second, strict=True)])
        out = (self.pair + (same - ALIGNED) / (1.0 - ALIGNED) * (1.0 - self.pair)).astype(np.float32)
        if self._vectors is not None:
            shorter = np.minimum(self._lengths[first], self._lengths[second])
            margin = self._margin * np.clip((shorter - LONG[0]) / (LONG[1] - LONG[0]), 0.0, 1.0)
            rows = [np.array([self._row[int(i)] for i in side], np.int64) for side in (first, second)]
            for start in range(0, len(out), BLOCK):
                part = slice(start, start + BLOCK)
                cosines = (self._vectors[rows[0][part]] * self._vectors[rows[1][part]]).sum(axis=1)
                out[part] = np.maximum(out[part], cosines - margin[part])
        return out

    def matrix(self, members: Int64s) -> Floats:
        """[n, n] of these texts; 1 on the diagonal."""
        upper = np.triu_indices(len(members), 1)
        out = np.eye(len(members), dtype=np.float32)
        out[upper] = self.pairs(members[upper[0]], members[upper[1]])
        return np.maximum(out, out.T)
