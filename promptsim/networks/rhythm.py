"""Usage → do the users of a family send it in sittings, as people do, or spread over the clock, as a scheduler does?

A person's request mostly has another of the same account within half an hour. Each party's count of such requests is
compared with a beta-binomial over parties of the reference families; a party is *scheduled* when so few would be
seen in 5 % of people. The claim is about how many parties of a family are scheduled, against what that gives by chance;
the same is asked at 0.5 %, so that a few clear cases count for more than as many narrow ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy import special

from promptsim.networks.figures import Figures
from promptsim.networks.laws import beta_binomial, negative_binomial_tail
from promptsim.networks.reference import Prior, fit_reference
from promptsim.networks.usage import Usage
from promptsim.order import firsts
from promptsim.records import Bools, Int64s

Doubles = npt.NDArray[np.float64]

LEAST_USES = 4  # of a party whose hours are looked at
OWN_HOURS = 0.5  # of people's concentration on hours of the day: from there on, users keep hours of their own
TIMER = 0.5  # variation of the gaps between uses below which a timer sends them (dealt-out work: about 1)
MANY_USES = 300  # beyond, the count's own scatter is negligible
LEVELS = (0.05, 0.005)  # a party is scheduled, or plainly so, when people show so few requests in sittings this rarely
SITTING_PRIOR = Prior(centre=0.65, spread=0.1)  # share of uses in sittings
ALIKE_PRIOR = Prior(centre=0.2, spread=0.1)  # correlation of that within a party
HOURS_PRIOR = Prior(centre=0.4, spread=0.1)  # concentration on hours of the day
EXCESS_PRIOR = Prior(centre=0.0, spread=0.7)  # log of scheduled parties against chance, over families


@dataclass(frozen=True, slots=True)
class Uses:
    """For each (family, party): how many uses, how many of them in a sitting, the days they touch, all it sent."""

    uses: Int64s
    sitting: Int64s
    total: Int64s


@dataclass(frozen=True, slots=True)
class Excess:
    """Parties of reference families that look scheduled at a level, as a multiple of what the beta-binomial gives, and
    how far that differs between families (variance of its log).
    """

    level: float
    rate: float = 1.0
    dispersion: float = 1.0


@dataclass(frozen=True, slots=True)
class People:
    """How people use what they share: beta-binomial over parties; how far families differ beyond that."""

    alpha: float
    beta: float
    excesses: tuple[Excess, ...]
    families: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """What rhythm says of one family: its parties that look scheduled, how many chance gives, and the p-value."""

    scheduled: Bools  # by party of the family, in the order of the pairs
    count: int
    expected: float
    share_in_sittings: float
    p_value: float


def measure_uses(usage: Usage) -> Uses:
    """Sums over the rows of each (family, party) pair."""
    fresh = firsts(usage.family, usage.party)
    pair = np.cumsum(fresh) - 1
    count = len(usage.pair_family)
    new_account = fresh.copy()
    new_account[1:] |= usage.account[1:] != usage.account[:-1]
    total = np.bincount(pair[new_account], weights=usage.account_events[usage.account[new_account]], minlength=count)
    sitting = np.bincount(pair, weights=usage.in_session, minlength=count)
    return Uses(np.bincount(pair, minlength=count).astype(np.int64), sitting.astype(np.int64), total.astype(np.int64))


def fit_people(usage: Usage, uses: Uses, reference: Bools, ordinary: Bools) -> People:
    """Medians over families of the share in sittings and of its correlation within a party; then how families scatter.

    `ordinary`: the parties that count. Medians, because a reference family may have a scheduler among its users.
    """
    numbers = np.flatnonzero(reference)
    parts = [_pairs(usage, int(family), ordinary) for family in numbers]
    moments = [_moments(uses, part) for part in parts]
    shares, alike = (np.array([m[at] for m in moments if m is not None]) for at in (0, 1))
    share = fit_reference(shares, np.zeros(len(shares)), SITTING_PRIOR).centre
    within = float(np.clip(fit_reference(alike, np.zeros(len(alike)), ALIKE_PRIOR).centre, 0.02, 0.6))
    size = (1 - within) / within
    alpha, beta = share * size, (1 - share) * size
    return People(alpha, beta, tuple(_excess(alpha, beta, uses, parts, level) for level in LEVELS), len(numbers))


def _excess(alpha: float, beta: float, uses: Uses, parts: Sequence[Int64s], level: float) -> Excess:
    """How many more parties look scheduled in these families than the beta-binomial gives; never counted as fewer."""
    scheduled, chance = scheduled_parties(alpha, beta, uses.uses, uses.sitting, level)
    seen = np.array([scheduled[part].sum() for part in parts], np.float64)
    expected = np.array([chance[part].sum() for part in parts], np.float64)
    telling = expected >= 0.5
    logs = np.log((seen[telling] + 0.5) / (expected[telling] + 0.5))
    found = fit_reference(logs, 1 / np.sqrt(expected[telling] + 0.5), EXCESS_PRIOR)
    return Excess(level, max(float(np.exp(found.centre)), 1.0), found.spread**2)


def _pairs(usage: Usage, family: int, ordinary: Bools) -> Int64s:
    own = usage.pair_family.dtype.type(family)
    low, high = np.searchsorted(usage.pair_family, own), np.searchsorted(usage.pair_family, own, "right")
    pairs = np.arange(low, high)
    return pairs[ordinary[usage.pair_party[pairs]]]


def _moments(uses: Uses, pairs: Int64s) -> tuple[float, float] | None:
    """Share in sittings and correlation within a party, of one family's parties with three uses or more."""
    n, s = uses.uses[pairs].astype(np.float64), uses.sitting[pairs].astype(np.float64)
    n, s = n[n >= 3], s[n >= 3]
    if len(n) < 3:
        return None
    mean = float(np.clip(s.sum() / n.sum(), 0.02, 0.98))
    excess = ((s - n * mean) ** 2).sum() - n.sum() * mean * (1 - mean)
    return mean, float(excess / ((n * (n - 1)).sum() * mean * (1 - mean)))


def scheduled_parties(alpha: float, beta: float, uses: Int64s, sitting: Int64s, level: float) -> tuple[Bools, Doubles]:
    """Which parties look scheduled at this level, and the chance that a person with as many uses would."""
    limits, chances = _limits(alpha, beta, level)
    few = np.minimum(uses, MANY_USES)
    limit, chance = limits[few], chances[few]
    many = np.flatnonzero(uses > MANY_USES)
    if len(many):
        limit[many] = np.floor(uses[many] * special.betaincinv(alpha, beta, level))
        chance[many] = level
    return sitting <= limit, chance


@lru_cache(maxsize=64)
def _limits(alpha: float, beta: float, level: float) -> tuple[Doubles, Doubles]:
    """For each number of uses, the most in sittings that still count as scheduled (-1: none), and the chance of it."""
    limits, chances = np.full(MANY_USES + 1, -1.0), np.zeros(MANY_USES + 1)
    for uses in range(MANY_USES + 1):
        law = np.cumsum(beta_binomial(np.arange(uses + 1), uses, alpha, beta))
        limit = int(np.searchsorted(law, level, side="right")) - 1
        if limit >= 0:
            limits[uses], chances[uses] = limit, law[limit]
    return limits, chances


def assess_schedule(people: People, uses: Int64s, sitting: Int64s) -> Schedule:
    """Are there more scheduled parties than families of people show? Negative binomial tails, one a level; the smallest
    times their number. Told are the figures of the first level.
    """
    tails, told = [], None
    for excess in people.excesses:
        scheduled, chance = scheduled_parties(people.alpha, people.beta, uses, sitting, excess.level)
        seen, expected = int(scheduled.sum()), float(excess.rate * chance.sum())
        shape = 1 / excess.dispersion
        tails.append(negative_binomial_tail(seen, shape, max(expected, 1e-9)) if seen else 1.0)
        told = told or (scheduled, seen, expected)
    scheduled, seen, expected = told or (np.zeros(len(uses), bool), 0, 0.0)
    share = float(sitting.sum() / max(uses.sum(), 1))
    return Schedule(scheduled, seen, expected, share, min(1.0, len(tails) * float(min(tails, default=1.0))))


@dataclass(frozen=True, slots=True)
class Hours:
    """Concentration of each user on hours of the day (0: any hour, 1: one hour), and the variation of the gaps."""

    concentration: float
    gap_variation: float
    parties: int

    def explained(self, people: float) -> bool:
        """Users keep hours of their own, or each has a timer: independent programmes, or people after all."""
        return self.concentration > OWN_HOURS * people or self.gap_variation < TIMER


def measure_hours(figures: Figures) -> Hours:
    """Mean over parties of the squared resultant of the daily phase, less what chance adds; variation of gaps."""
    return Hours(*_hours(figures.uses, figures.daily, figures.gaps))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _hours(uses: Any, daily: Any, gaps: Any) -> tuple[float, float, int]:
    """The fields of `Hours`."""
    known = uses >= LEAST_USES
    parties = int(known.sum())
    if parties < 3:
        return 1.0, 0.0, parties
    often = uses[known]
    concentration = ((daily[known] - often) / (often * (often - 1))).mean()
    return concentration, np.median(gaps[known]), parties
