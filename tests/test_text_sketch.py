"""MinHash sketches: their agreement is the Jaccard similarity, as exactly as datasketch's and as theory allows."""

from __future__ import annotations

import numpy as np
import pytest
from datasketch import MinHash  # type: ignore[import-untyped]

from promptsim.records import Int64s, UInt64s
from promptsim.text.sketch import PERMUTATIONS, agreement, bands, sketch


def pair(rng: np.random.Generator, shared: int, own: int) -> tuple[UInt64s, Int64s]:
    values = rng.integers(0, 1 << 63, shared + 2 * own).astype(np.uint64)
    a, b = values[: shared + own], np.concatenate((values[:shared], values[shared + own :]))
    return np.concatenate((a, b)), np.array([0, len(a), 2 * len(a)])


def oracle(values: UInt64s) -> MinHash:
    made = MinHash(num_perm=PERMUTATIONS, hashfunc=lambda raw: int.from_bytes(raw, "little") & 0xFFFFFFFF)
    made.update_batch([int(value).to_bytes(8, "little") for value in values])
    return made


@pytest.mark.parametrize("similarity", [0.1, 0.3, 0.5, 0.8, 0.95])
def test_the_estimate_is_unbiased_and_as_tight_as_the_oracles(similarity: float) -> None:
    rng = np.random.default_rng(7)
    shared = 200
    own = round(shared * (1 - similarity) / (2 * similarity))
    exact = shared / (shared + 2 * own)
    ours, theirs = [], []
    for _ in range(60):
        grams, offsets = pair(rng, shared, own)
        rows = sketch(grams, offsets)
        ours.append(float(agreement(rows[0], rows[1])))
        theirs.append(oracle(grams[: offsets[1]]).jaccard(oracle(grams[offsets[1] :])))
    error = (exact * (1 - exact) / PERMUTATIONS) ** 0.5
    assert np.mean(ours) == pytest.approx(exact, abs=4 * error / 60**0.5)
    assert np.mean(ours) == pytest.approx(np.mean(theirs), abs=6 * error / 60**0.5)
    assert np.std(ours) < 1.4 * error


def test_order_and_repeats_do_not_count_and_rows_do_not_depend_on_neighbours() -> None:
    a = np.array([5, 9, 9, 7], dtype=np.uint64)
    rows = sketch(np.concatenate((a, a[::-1], a[:1])), np.array([0, 4, 8, 9]))
    assert (rows[0] == rows[1]).all()
    assert (sketch(a, np.array([0, 4]))[0] == rows[0]).all()
    assert agreement(rows[0], rows[1]) == 1.0


def test_a_text_without_shingles_is_like_nothing() -> None:
    rows = sketch(np.array([1], dtype=np.uint64), np.array([0, 0, 0, 1]))
    assert agreement(rows[:2], rows[1:]).tolist() == [0.0, 0.0]


def test_bands_propose_alike_texts_with_the_stated_probability() -> None:
    rng = np.random.default_rng(3)
    hits = []
    for _ in range(100):
        grams, offsets = pair(rng, 160, 20)  # similarity 0.8
        keys = bands(sketch(grams, offsets), rows=4)
        assert keys.shape == (2, 32)
        hits.append(float((keys[0] == keys[1]).mean()))
    assert np.mean(hits) == pytest.approx(0.8**4, abs=0.04)
    with pytest.raises(ValueError, match="rows = 129"):
        bands(sketch(grams, offsets), rows=129)


def test_it_is_the_same_in_every_release() -> None:
    rows = sketch(np.arange(1, 50, dtype=np.uint64), np.array([0, 49]), permutations=4)
    assert rows.tolist() == [[146872791, 52794544, 35529924, 5756478]]
