"""Figures of many families → how the figure lies among families that nobody coordinates (an empirical null).

A run has no labelled benign traffic, but most of what many parties share is benign. Location and scale are therefore
taken robustly (median, median absolute deviation) over the reference families, blended with a written-down prior
while they are few.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import special

Doubles = npt.NDArray[np.float64]

QUANTILES = 99


@dataclass(frozen=True, slots=True)
class Prior:
    """What is assumed while the traffic says little; `weight` counts in families."""

    centre: float
    spread: float
    weight: float = 4.0


@dataclass(frozen=True, slots=True)
class Reference:
    """Centre and spread of a figure over `families` reference families and the prior."""

    centre: float
    spread: float
    families: int

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the t distribution: few families, heavy tails."""
        return float(min(self.families, 60) + 4)

    def below(self, value: float, error: float = 0.0) -> float:
        """Chance of a figure as low as this, in a family like the reference, with this standard error."""
        return float(special.stdtr(self.freedom, (value - self.centre) / np.hypot(self.spread, error)))

    def quantiles(self) -> Doubles:
        """Equally likely values of the figure, to average a test over."""
        result: Doubles = self.centre + self.spread * _equally_likely(self.freedom)
        return result


@lru_cache(maxsize=64)
def _equally_likely(freedom: float) -> Doubles:
    """Values of a t distribution: asked of a reference for every family."""
    levels = (np.arange(QUANTILES) + 0.5) / QUANTILES
    result: Doubles = special.stdtrit(freedom, levels)
    return result


def fit_reference(values: npt.ArrayLike, errors: npt.ArrayLike, prior: Prior) -> Reference:
    """Median and robust spread (less the figures' own errors), each blended with the prior by weight."""
    values, errors = np.asarray(values, np.float64), np.asarray(errors, np.float64)
    count = len(values)
    if not count:
        return Reference(prior.centre, prior.spread, 0)
    centre = (count * float(np.median(values)) + prior.weight * prior.centre) / (count + prior.weight)
    raw = (1.4826 * float(np.median(np.abs(values - np.median(values))))) ** 2
    between = max(raw - float(np.median(errors)) ** 2, (prior.spread / 3) ** 2)
    spread = np.sqrt((count * between + prior.weight * prior.spread**2) / (count + prior.weight))
    return Reference(float(centre), float(spread), count)
