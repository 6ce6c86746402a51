"""Laws: scipy's distributions are the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from promptsim.networks.laws import beta_binomial, binomial, binomial_tail, negative_binomial_tail

NUMBERS = st.integers(1, 400)
RATES = st.floats(0.001, 0.999)
SHAPES = st.floats(0.05, 200)


@given(NUMBERS, RATES, SHAPES, SHAPES)
def test_chances_of_counts(of: int, rate: float, alpha: float, beta: float) -> None:
    counts = np.arange(of + 1)
    assert binomial(counts, of, rate) == pytest.approx(stats.binom.pmf(counts, of, rate), rel=1e-9, abs=1e-300)
    expected = stats.betabinom.pmf(counts, of, alpha, beta)
    assert beta_binomial(counts, of, alpha, beta) == pytest.approx(expected, rel=1e-9, abs=1e-300)
    assert binomial_tail(counts[1:], of, rate) == pytest.approx(stats.binom.sf(counts[:-1], of, rate), rel=1e-9)


@given(NUMBERS, SHAPES, SHAPES)
def test_tails_of_a_scattered_mean(count: int, shape: float, mean: float) -> None:
    expected = stats.nbinom.sf(count - 1, shape, shape / (shape + mean))
    assert negative_binomial_tail(count, shape, mean) == pytest.approx(expected, rel=1e-7, abs=1e-300)


def test_certainty_is_certain() -> None:
    assert binomial([0, 3], 3, 1.0).tolist() == [0.0, 1.0]
    assert binomial([0, 3], 3, 0.0).tolist() == [1.0, 0.0]
    assert binomial_tail(3, 3, 1.0) == 1.0
