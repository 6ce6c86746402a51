"""Usage → how often different parties sent the same filling: sharded work, independent users, or one question set.

Independent users of a public text draw from what people ask, so popular fillings meet; a programme that shards its
work sends each filling once; a benchmark sends every filling from every account. `fewer_than_public` compares
with the rate at which fillings meet in this traffic's own many-party families (a negative binomial: the rate differs
by family).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from promptsim.lookahead import in_spans
from promptsim.networks.reference import Prior, fit_reference
from promptsim.networks.usage import Usage
from promptsim.order import firsts, order_by
from promptsim.records import Bools, Int32s, Int64s

Doubles = npt.NDArray[np.float64]

PRIOR_RATE, PRIOR_SPREAD, PRIOR_WEIGHT = (
    1e-3,
    1.0,
    2.0,
)  # of fillings meeting: centre, spread of its log, weight in families
MIN_PAIRS = 2_000  # pairs of uses that a family needs to say something about the rate


@dataclass(frozen=True, slots=True)
class Sharding:
    """For each family: distinct (party, filling), those that another party sent too, pairs that meet, pairs in all."""

    sendings: Int64s
    common: Int64s
    meetings: Doubles
    pairs: Doubles

    @property
    def overlap(self) -> Doubles:
        """Share of the sendings that another party made too; 1 for a question set."""
        result: Doubles = self.common / np.maximum(self.sendings, 1)
        return result


@dataclass(frozen=True, slots=True)
class MeetingRate:
    """Gamma-distributed rate at which the fillings of two independent users meet."""

    shape: float
    mean: float
    families: int


def measure_sharding(usage: Usage) -> Sharding:
    """Counts over distinct (family, filling, party): what a party repeats by itself does not matter."""
    parts = in_spans(lambda first, last: _of_families(usage, first, last), usage.starts)
    sendings, common, meetings, pairs = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Sharding(sendings, common, meetings, pairs)


def _of_families(usage: Usage, first: int, last: int) -> tuple[Int64s, Int64s, Doubles, Doubles]:
    """The counts of `Sharding` for the families from `first` to before `last`."""
    rows, families = slice(usage.starts[first], usage.starts[last]), last - first
    family, filling, party = usage.family[rows] - np.int32(first), usage.filling[rows], usage.party[rows]
    key = filling * np.uint64(0x9E3779B97F4A7C15) + family.astype(np.uint64) * np.uint64(0xD6E8FEB86659FD93)
    order = np.argsort(key)  # in no order of parties: a stable one takes three times as long
    family, filling, party = family[order], filling[order], party[order]
    new_filling = firsts(family, filling)
    group = np.cumsum(new_filling) - 1
    sending = _once(group, party, np.bincount(group))
    family, group, party = family[sending], group[sending], party[sending]
    senders = np.bincount(group)
    sendings = np.bincount(family, minlength=families)
    common = np.bincount(family, weights=senders[group] > 1, minlength=families)
    meetings = np.bincount(family, weights=(senders[group] - 1) / 2, minlength=families).astype(np.float64)
    mine = np.sort(family.astype(np.int64) * usage.party_count + party)
    each = np.flatnonzero(firsts(mine))
    own = np.diff(np.append(each, len(mine))).astype(np.float64)
    squares = np.bincount(mine[each] // usage.party_count, weights=own**2, minlength=families)
    pairs = (sendings.astype(np.float64) ** 2 - squares) / 2
    return sendings.astype(np.int64), common.astype(np.int64), meetings, pairs


def _once(group: Int64s, party: Int32s, sizes: Int64s) -> Bools:
    """One row for each (group, party); groups come in order. Most have one row."""
    chosen: Bools = sizes[group] == 1
    rows = np.flatnonzero(~chosen)
    rows = rows[order_by(group[rows], party[rows])]
    chosen[rows[firsts(group[rows], party[rows])]] = True
    return chosen


def fit_meeting_rate(sharding: Sharding, reference: Bools) -> MeetingRate:
    """A Gamma over families from the log rates of those reference families whose fillings do meet."""
    telling = reference & (sharding.pairs >= MIN_PAIRS) & (sharding.meetings >= 3)
    logs = np.log(sharding.meetings[telling] / sharding.pairs[telling])
    errors = 1 / np.sqrt(sharding.meetings[telling])
    found = fit_reference(logs, errors, Prior(float(np.log(PRIOR_RATE)), PRIOR_SPREAD, PRIOR_WEIGHT))
    return MeetingRate(shape=1 / found.spread**2, mean=float(np.exp(found.centre)), families=found.families)


def fewer_than_public(meetings: float, pairs: float, rate: MeetingRate) -> float:
    """Chance that independent users of a public text would make so few repeats."""
    return float(fewer_than_public_of(np.array([meetings]), np.array([pairs]), rate)[0])


def fewer_than_public_of(meetings: Doubles, pairs: Doubles, rate: MeetingRate) -> Doubles:
    """The same for many families: the distribution function of the negative binomial."""
    expected = np.maximum(pairs * rate.mean, 1e-12)
    chance: Doubles = special.betainc(rate.shape, np.floor(meetings) + 1, rate.shape / (rate.shape + expected))
    return chance
