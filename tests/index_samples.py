"""What the tests of the index share: clustered unit vectors, and a small world of prompts to index."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from promptsim.index.index import Index
from promptsim.index.lists import Tuning
from promptsim.index.rows import Halves
from promptsim.records import Bools, DocumentBatch, Floats

SMALL = Tuning(most_lists=32, crowded=150, part=60, rounds=4)
WIDTH = 32
FIXED = "translate the following passage into plain words and then list every claim that it makes with its source"


def clustered(rows: int, *, width: int = WIDTH, centres: int = 60, seed: int = 0) -> Halves:
    """Unit rows around shared centres, so that neighbours mean something; float16 as the store has them."""
    middle = np.random.default_rng(1).standard_normal((centres, width))
    random = np.random.default_rng(seed)
    points = middle[random.integers(0, centres, rows)] + 0.4 * random.standard_normal((rows, width))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float16)


def asked(count: int, *, seed: int = 99) -> Floats:
    return clustered(count, seed=seed).astype(np.float32)


class World:
    """Prompts as a store would give them: number i has row i and text i; every tenth holds the FIXED run."""

    def __init__(self, prompts: int) -> None:
        self.rows = clustered(prompts)
        self.alive: Bools = np.ones(prompts, np.bool_)
        self.texts = [text_of(number) for number in range(prompts)]

    def grow(self, prompts: int) -> None:
        more = clustered(prompts, seed=len(self.texts))
        self.texts += [text_of(number) for number in range(len(self.texts), len(self.texts) + prompts)]
        self.rows = np.concatenate((self.rows, more))
        self.alive = np.concatenate((self.alive, np.ones(prompts, np.bool_)))

    def erase(self, number: int) -> None:
        self.rows[number] = 0
        self.texts[number] = ""
        self.alive[number] = False

    def documents(self, *, since_no: int = 0) -> Iterator[DocumentBatch]:
        living = [number for number in range(since_no, len(self.texts)) if self.alive[number]]
        for i in range(0, len(living), 100):
            part = living[i : i + 100]
            yield DocumentBatch(np.array(part, np.int64), ("",) * len(part), tuple(self.texts[n] for n in part))

    def index(self, folder: Path, *, digest: str = "abc", reindex: bool = False) -> Index:
        return Index(folder, self.rows, "static", digest, self.documents, self.alive, reindex=reindex, tuning=SMALL)


def text_of(number: int) -> str:
    random = np.random.default_rng(number)
    words = [f"word{w}" for w in random.integers(0, 3000, 30)]
    if number % 10 == 0:
        words[12:12] = FIXED.split()
    return " ".join(words)
