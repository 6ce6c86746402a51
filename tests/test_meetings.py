"""Pairs that share users: the same in blocks of any size as by looking at every pair."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import sparse

from promptsim.meetings import meetings


@pytest.mark.parametrize("pairs", [1, 20, 10_000])
@pytest.mark.parametrize("least", [1, 3])
def test_finds_every_pair_with_its_count_whatever_the_block(pairs: int, least: int) -> None:
    dense = np.random.default_rng(5).random((40, 60)) < 0.15
    found = list(meetings(sparse.csr_matrix(dense), least, pairs))
    rows = [row for block in found for row in zip(*(column.tolist() for column in block), strict=True)]
    shared = {(a, b): int((dense[a] & dense[b]).sum()) for a, b in combinations(range(40), 2)}
    assert rows == [(a, b, n) for (a, b), n in shared.items() if n >= least]
    assert len(rows) > 60
    assert (len(found) > 3) == (pairs <= 20)


@pytest.mark.parametrize("pairs", [1, 20, 10_000])
def test_rows_that_are_to_stay_apart_meet_only_the_others(pairs: int) -> None:
    dense = np.random.default_rng(5).random((40, 60)) < 0.15
    apart = np.arange(40) % 4 > 0
    blocks = meetings(sparse.csr_matrix(dense), 2, pairs, apart)
    rows = sorted(row for block in blocks for row in zip(*(column.tolist() for column in block), strict=True))
    shared = {(a, b): int((dense[a] & dense[b]).sum()) for a, b in combinations(range(40), 2)}
    assert rows == [(a, b, n) for (a, b), n in shared.items() if n >= 2 and not (apart[a] and apart[b])]
    assert len(rows) > 60


def test_nothing_meets_in_nothing() -> None:
    assert [b for block in meetings(sparse.csr_matrix((0, 0)), 1) for b in block[0].tolist()] == []
    assert [b for block in meetings(sparse.csr_matrix((3, 2)), 1) for b in block[0].tolist()] == []
