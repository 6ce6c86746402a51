"""Counts → chances of them under the laws that this room tests against, over arrays.

What `scipy.stats` gives too, without its checks of every call and the third of a second that importing it takes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

Doubles = npt.NDArray[np.float64]


def binomial(count: npt.ArrayLike, of: npt.ArrayLike, rate: float) -> Doubles:
    """P(X = count) of `of` independent draws."""
    count, of = np.asarray(count, np.float64), np.asarray(of, np.float64)
    ways = -np.log1p(of) - special.betaln(of - count + 1, count + 1)
    result: Doubles = np.exp(ways + special.xlogy(count, rate) + special.xlog1py(of - count, -rate))
    return result


def binomial_tail(count: npt.ArrayLike, of: npt.ArrayLike, rate: npt.ArrayLike) -> Doubles:
    """P(X ≥ count), count ≥ 1."""
    count, of = np.asarray(count, np.float64), np.asarray(of, np.float64)
    result: Doubles = special.betainc(count, of - count + 1, rate)
    return result


def beta_binomial(count: npt.ArrayLike, of: npt.ArrayLike, alpha: float, beta: float) -> Doubles:
    """P(X = count) of `of` draws at a rate that is itself Beta(alpha, beta)."""
    count, of = np.asarray(count, np.float64), np.asarray(of, np.float64)
    ways = -np.log1p(of) - special.betaln(of - count + 1, count + 1)
    result: Doubles = np.exp(ways + special.betaln(count + alpha, of - count + beta) - special.betaln(alpha, beta))
    return result


def negative_binomial_tail(count: float, shape: float, mean: float) -> float:
    """P(X ≥ count), count ≥ 1: a Poisson law whose mean is itself Gamma of this shape."""
    return float(special.betainc(count, shape, mean / (shape + mean)))
