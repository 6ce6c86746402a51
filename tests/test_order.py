"""Orders of millions of keys: as numpy's own, which is slower, gives them."""

from __future__ import annotations

import numpy as np
import pytest

from promptsim.order import firsts, order_by, order_of, put_ties_in_order

RNG = np.random.default_rng(3)


@pytest.mark.parametrize(
    "key",
    [
        np.zeros(0, np.int64),
        np.array([7]),
        RNG.integers(0, 20, 1_000),
        np.arange(9_000),
        RNG.integers(0, 20, 9_000, np.int32),
        RNG.integers(-30, 30, 9_000),
        RNG.integers(0, 10**9, 9_000),
        RNG.integers(0, 9, 9_000) << 58,  # too large to take a place in
        np.tile([np.iinfo(np.int64).min, 3, np.iinfo(np.int64).max, 3], 2_000),
    ],
    ids=["none", "one", "few", "sorted", "many", "negative", "sparse", "large", "extreme"],
)
def test_the_order_is_that_of_a_stable_sort(key: np.ndarray) -> None:
    assert order_of(key).tolist() == np.argsort(key, kind="stable").tolist()


@pytest.mark.parametrize("size", [500, 9_000])
def test_several_keys_are_taken_in_turn(size: int) -> None:
    first, second, third = (RNG.integers(0, 6, size) for _ in range(3))
    assert order_by(first, second, third).tolist() == np.lexsort((third, second, first)).tolist()
    assert order_by(first).tolist() == np.argsort(first, kind="stable").tolist()


def test_the_first_of_equal_rows_beside_each_other() -> None:
    one, other = np.array([1, 1, 1, 2, 2, 1]), np.array([5, 5, 6, 6, 6, 5])
    assert firsts(one).tolist() == [True, False, False, True, False, True]
    assert firsts(one, other).tolist() == [True, False, True, True, False, True]
    assert firsts(one[:0], other[:0]).tolist() == []


@pytest.mark.parametrize("size", [500, 9_000])
def test_what_is_equal_in_the_first_keys_is_put_in_order_by_the_further_ones(size: int) -> None:
    first, second = RNG.integers(0, size, size), RNG.integers(0, 6, size)
    order = order_of(first)
    put_ties_in_order(order, [first], [second])
    assert order.tolist() == np.lexsort((second, first)).tolist()
    nothing = order[:0].copy()
    put_ties_in_order(nothing, [first[:0]], [second[:0]])
    assert nothing.tolist() == []
