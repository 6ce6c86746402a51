"""Uses of a family by its parties → are they more alike in volume, or in share of what each sends, than independent
users?

Independent users differ: their volumes scatter far beyond a Poisson law, and so do their shares beyond a binomial. A
programme that deals out work gives every account about as much, or the same share. The scatter that counts as
ordinary is taken from the reference families. Parties with fewer than `LEAST` uses are left out and the rest counted
from there on: a family sees only those who used it, and cut-off distributions look even.
Compiled: it is asked of every text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy import special

from promptsim.networks.reference import Prior, Reference, fit_reference
from promptsim.records import Int64s

Doubles = npt.NDArray[np.float64]

LEAST = 4
LEAST_PARTIES = 5  # of a text that says what is ordinary
MIXED_SHARE = 0.6  # accounts that send little else have even shares whoever they are: shares tell below this only
VOLUME_PRIOR = Prior(centre=-0.8, spread=0.45)  # log of the squared coefficient of variation beyond Poisson: 0.45
SHARE_PRIOR = Prior(centre=-2.1, spread=0.5)  # log of the correlation of requests within a party beyond binomial: 0.12


@dataclass(frozen=True, slots=True)
class Scatter:
    """Observed scatter (1: as even as dice), how it would grow with what the reference gives, and who was counted."""

    observed: float
    room: float  # ordinary scatter is 1 + room * reference
    parties: int
    step: float = 0.0  # what one request more or less changes: a few equal counts are no miracle

    @property
    def excess(self) -> float:
        """The figure that the reference collects: scatter beyond dice, on the reference's scale."""
        return (self.observed - 1) / self.room if self.room > 0 else 0.0

    def ordinary(self, reference: Reference) -> float:
        """The scatter that is usual between independent users of such volumes."""
        return 1 + self.room * float(np.exp(reference.centre))

    @property
    def error(self) -> float:
        return float(self.observed * np.sqrt(2 / max(self.parties - 1, 1)) / self.room) if self.room > 0 else np.inf


def volume_scatter(uses: Int64s) -> Scatter:
    """Variance over mean of the uses from `LEAST` on."""
    return Scatter(*_of_volume(uses))


def share_scatter(uses: Int64s, total: Int64s) -> Scatter:
    """Pearson's dispersion of the shares that the family has in what each party sends."""
    return Scatter(*_of_share(uses, total))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _of_volume(uses: Any) -> tuple[float, float, int, float]:
    """The fields of `Scatter`."""
    counted, cut_off = _counted(uses)
    if counted < 3 or cut_off:
        return 1.0, 0.0, counted, 0.0
    total = 0
    for used in uses:
        total += used - (LEAST - 1) if used >= LEAST else 0
    mean = total / counted
    squares = 0.0
    for used in uses:
        if used >= LEAST:
            squares += (used - (LEAST - 1) - mean) ** 2
    return squares / (counted - 1) / mean, mean, counted, 1 / (counted * mean)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _of_share(uses: Any, total: Any) -> tuple[float, float, int, float]:
    """The fields of `Scatter`."""
    counted, cut_off = _counted(uses)
    used, sent = 0, 0
    for i in range(len(uses)):
        if uses[i] >= LEAST:
            used += uses[i]
            sent += total[i]
    share = used / max(sent, 1)
    if counted < 3 or share >= MIXED_SHARE or cut_off:
        return 1.0, 0.0, counted, 0.0
    spread = dice = 0.0
    for i in range(len(uses)):
        if uses[i] >= LEAST:
            own = total[i] * share * (1 - share)
            spread += (uses[i] - total[i] * share) ** 2 / own
            dice += own
    return spread / (counted - 1), sent / counted - 1, counted, 1 / dice


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _counted(uses: Any) -> tuple[int, bool]:
    """Parties that are counted; whether they are less than half of those who came back: then what is left is a tail,
    and tails look even.
    """
    counted = again = 0
    for used in uses:
        counted += used >= LEAST
        again += used >= 2
    return counted, 2 * counted < again


def fit_scatter(scatters: Sequence[Scatter], prior: Prior) -> Reference:
    """How the log of the excess lies among independent users: it differs by factors, and is never negative. An excess
    below its own error is taken as that error, which says little.
    """
    told = [scatter for scatter in scatters if scatter.parties >= LEAST_PARTIES and scatter.room > 0]
    errors = np.maximum([scatter.error for scatter in told], 1e-9)
    excesses = np.maximum([scatter.excess for scatter in told], errors)
    return fit_reference(np.log(excesses), errors / excesses, prior)


def more_even(scatter: Scatter, reference: Reference) -> float:
    """Chance of so little scatter among independent users, averaged over what is ordinary in the reference."""
    if scatter.room <= 0 or scatter.parties < 3:
        return 1.0
    freedom = scatter.parties - 1
    ordinary = 1 + scatter.room * np.exp(reference.quantiles())
    return float(np.mean(special.chdtr(freedom, freedom * (scatter.observed + scatter.step) / ordinary)))
