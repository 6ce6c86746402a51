"""A query and stored prompts, token by token: what decides between a copy, a shared fixed part and neither.

prompt numbers ─► texts (read once for one question) ─► folded tokens ─► a run in common? how alike?

Folded tokens, so that disguised copies compare as copies.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from rapidfuzz.distance import Indel

from promptsim.records import Bools, Int64s, Prompt, UInt64s
from promptsim.store.store import Store
from promptsim.text.shingles import shingles
from promptsim.text.tokens import select, tokenise


class Comparison:
    """One query against stored prompts, which are read when they are first asked for."""

    def __init__(self, store: Store, text: str, run: int) -> None:
        """`run`: how many tokens in a row make a fixed part."""
        self._store, self._run = store, run
        hashes, offsets = _tokens([text])
        self._query = hashes.tolist()
        self._runs = np.unique(shingles(hashes, offsets, run)[0])
        self._prompts: dict[int, Prompt] = {}
        self._hashes: dict[int, UInt64s] = {}

    def prompt(self, number: int) -> Prompt | None:
        """The prompt of a number that was read; None where it was erased meanwhile."""
        return self._prompts.get(number)

    def read(self, numbers: Iterable[int]) -> None:
        """Read the texts of these prompts, those that were not read before."""
        found = self._store.prompts(sorted({int(number) for number in numbers} - self._prompts.keys()))
        hashes, offsets = _tokens([prompt.text for prompt in found])
        for i, prompt in enumerate(found):
            self._prompts[prompt.prompt_no] = prompt
            self._hashes[prompt.prompt_no] = hashes[offsets[i] : offsets[i + 1]]

    def share_a_run(self, numbers: Int64s) -> Bools:
        """Which of these prompts have a run of tokens in common with the query."""
        if not len(self._runs) or not len(numbers):
            return np.zeros(len(numbers), np.bool_)
        self.read(numbers)
        none = np.zeros(0, np.uint64)
        each = [self._hashes.get(number, none) for number in numbers.tolist()]
        ends = np.cumsum([0, *map(len, each)], dtype=np.int64)
        grams, offsets = shingles(np.concatenate(each), ends, self._run)
        held = np.concatenate(([0], np.cumsum(np.isin(grams, self._runs))))
        return held[offsets[1:]] > held[offsets[:-1]]

    def alike(self, number: int, least: float) -> float:
        """Indel similarity of the tokens, 0 where it is below `least`."""
        return Indel.normalized_similarity(self._query, self._hashes[number].tolist(), score_cutoff=least)


def _tokens(texts: list[str]) -> tuple[UInt64s, Int64s]:
    tokens = select(tokenise(texts), newlines=False)
    return tokens.hashes, tokens.offsets
