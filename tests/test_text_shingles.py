"""Shingles and winnowing: order counts, places are kept, and no long shared run goes unseen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptsim.records import Int64s, UInt64s
from promptsim.text.shingles import shingles, winnow
from promptsim.text.tokens import tokenise

SMALL = st.lists(st.lists(st.integers(0, 3), max_size=30), max_size=6)


def arrays(texts: list[list[int]]) -> tuple[UInt64s, Int64s]:
    flat = np.array([value for text in texts for value in text], dtype=np.uint64)
    spread = np.array([hash_of(value) for value in range(4)], dtype=np.uint64)
    return spread[flat.astype(np.int64)], np.cumsum([0, *map(len, texts)], dtype=np.int64)


def hash_of(value: int) -> int:
    return (value + 1) * 0x9E3779B97F4A7C15 % (1 << 64)


@settings(max_examples=200, deadline=None)
@given(SMALL, st.integers(1, 6))
def test_equal_shingles_are_equal_runs_of_tokens(texts: list[list[int]], k: int) -> None:
    grams, ends = shingles(*arrays(texts), k)
    expected = [[tuple(text[i : i + k]) for i in range(len(text) - k + 1)] for text in texts]
    assert np.diff(ends).tolist() == [len(runs) for runs in expected]
    by_run = dict(zip([run for runs in expected for run in runs], grams.tolist(), strict=True))
    assert [by_run[run] for runs in expected for run in runs] == grams.tolist()
    assert len(set(by_run.values())) == len(by_run)


def test_a_short_text_has_no_shingle_and_k_is_checked() -> None:
    grams, ends = shingles(*arrays([[1, 2], [], [1, 2, 3]]), 3)
    assert (len(grams), ends.tolist()) == (1, [0, 0, 0, 1])
    with pytest.raises(ValueError, match="k = 0"):
        shingles(*arrays([[1]]), 0)
    with pytest.raises(ValueError, match="window = 0"):
        winnow(*arrays([[1]]), 1, 0)


@settings(max_examples=200, deadline=None)
@given(SMALL, st.integers(1, 4), st.integers(1, 6))
def test_winnowing_keeps_the_least_of_every_window(texts: list[list[int]], k: int, window: int) -> None:
    grams, ends = shingles(*arrays(texts), k)
    kept = winnow(*arrays(texts), k, window)
    for i in range(len(texts)):
        own = grams[ends[i] : ends[i + 1]].tolist()
        places = kept.positions[kept.offsets[i] : kept.offsets[i + 1]].tolist()
        assert places == sorted(set(places))
        assert [own[p] for p in places] == kept.hashes[kept.offsets[i] : kept.offsets[i + 1]].tolist()
        windows = [range(s, min(s + window, len(own))) for s in range(max(1, len(own) - window + 1)) if own]
        for span in windows:
            assert min(own[p] for p in span) in [own[p] for p in places if p in span]
        assert all(any(p in span and own[p] == min(own[q] for q in span) for span in windows) for p in places)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_shared_run_of_k_and_window_tokens_is_never_missed(data: st.DataObject) -> None:
    k, window = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 8))
    token = st.integers(0, 3)
    shared = data.draw(st.lists(token, min_size=k + window - 1, max_size=k + window + 5))
    texts = [data.draw(st.lists(token, max_size=20)) + shared + data.draw(st.lists(token, max_size=20)) for _ in "ab"]
    kept = winnow(*arrays(texts), k, window)
    assert set(kept.hashes[: kept.offsets[1]].tolist()) & set(kept.hashes[kept.offsets[1] :].tolist())


def test_winnowing_thins_out_by_about_half_the_window() -> None:
    hashes = np.random.default_rng(0).integers(0, 1 << 63, 100_000).astype(np.uint64)
    kept = winnow(hashes, np.array([0, 100_000]), 5, 9)
    assert len(kept.hashes) / 100_000 == pytest.approx(2 / 10, rel=0.03)


def test_a_fixed_instruction_is_found_in_any_payload() -> None:
    fixed = "Summarise the following passage in exactly three plain sentences for a child of ten:"
    texts = [f"{fixed}\n{payload}" for payload in ("The cat sat on the mat.", "Quarks are bound by gluons " * 9)]
    tokens = tokenise(texts)
    kept = winnow(tokens.hashes, tokens.offsets, 5, 6)
    a, b = (set(kept.hashes[kept.offsets[i] : kept.offsets[i + 1]].tolist()) for i in (0, 1))
    assert len(a & b) >= 2
