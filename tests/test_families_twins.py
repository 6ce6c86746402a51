"""Texts that differ by hardly a word: the fast way against comparing every pair."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from promptsim.families.alignment import align
from promptsim.families.twins import CROWDED, twins
from promptsim.records import UInt64s


def drawn(seed: int, texts: int) -> list[UInt64s]:
    """Random texts of 4 to 80 words, half of them copies of an earlier one with a few words changed."""
    rng = np.random.default_rng(seed)
    out: list[UInt64s] = []
    for i in range(texts):
        if i % 2 and out:
            text = out[rng.integers(len(out))].copy()
            changed = rng.integers(0, 1 + len(text) // 12, endpoint=True)
            text[rng.choice(len(text), changed, replace=False)] = rng.integers(1, 1 << 40, changed).astype(np.uint64)
        else:
            text = rng.integers(1, 1 << 40, rng.integers(4, 80)).astype(np.uint64)
        out.append(text)
    return out


def compared(words: list[UInt64s], least: float) -> set[tuple[int, int]]:
    """Every pair, aligned."""
    found = set()
    for a, b in combinations(range(len(words)), 2):
        if 2.0 * float((align(words[a], words[b]) >= 0).sum()) / (len(words[a]) + len(words[b])) >= least:
            found.add((a, b))
    return found


def pairs(words: list[UInt64s]) -> set[tuple[int, int]]:
    found = twins(words, np.ones(len(words), np.bool_), 0.95)
    return set(zip(found.first.tolist(), found.second.tolist(), strict=True))


def test_finds_what_comparing_all_pairs_finds() -> None:
    for seed in range(5):
        words = drawn(seed, 120)
        expected = compared(words, 0.95)
        assert len(expected) > 30
        assert pairs(words) == expected


def test_what_is_not_usable_has_no_twin_and_short_texts_are_harmless() -> None:
    text = np.arange(1, 11, dtype=np.uint64)
    found = twins([text, text.copy(), text[:2], text[:0]], np.array([True, False, True, True]), 0.95)
    assert found.first.tolist() == []


def test_a_triple_of_too_many_texts_pairs_none_and_is_counted() -> None:
    words = [np.arange(1, 6, dtype=np.uint64) for _ in range(CROWDED + 1)]
    found = twins(words, np.ones(len(words), np.bool_), 0.95)
    assert (found.first.tolist(), found.crowded) == ([], 3)
