"""Uses of a family by its parties → are they more alike in volume, or in share of what each sends, than independent
users?

Independent users differ: their volumes scatter far beyond a Poisson law, and so do their shares beyond a binomial. A
programme that deals out work gives every account about as much, or the same share. The scatter that counts as
ordinary is taken from the reference families. Parties with fewer than `LEAST` uses are left out and the rest counted
from there on: a family sees only those who used it, and cut-off distributions look even.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
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
    volume = uses[uses >= LEAST].astype(np.float64) - (LEAST - 1)
    if len(volume) < 3 or _mostly_cut_off(uses):
        return Scatter(1.0, 0.0, len(volume))
    mean = float(volume.mean())
    return Scatter(float(volume.var(ddof=1)) / mean, mean, len(volume), 1 / (len(volume) * mean))


def share_scatter(uses: Int64s, total: Int64s) -> Scatter:
    """Pearson's dispersion of the shares that the family has in what each party sends."""
    keep = uses >= LEAST
    used, sent = uses[keep].astype(np.float64), total[keep].astype(np.float64)
    share = used.sum() / max(sent.sum(), 1)
    if keep.sum() < 3 or share >= MIXED_SHARE or _mostly_cut_off(uses):
        return Scatter(1.0, 0.0, int(keep.sum()))
    dice = sent * share * (1 - share)
    spread = float((np.square(used - sent * share) / dice).sum() / (len(used) - 1))
    return Scatter(spread, float(sent.mean() - 1), len(used), 1 / float(dice.sum()))


def _mostly_cut_off(uses: Int64s) -> bool:
    """Of those who came back, less than half are counted: what is left is a tail, and tails look even."""
    return bool(2 * (uses >= LEAST).sum() < (uses >= 2).sum())


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
