"""Families and usage → which benign explanations hold for each family: asked before any claim is made.

`question_set` (a benchmark: the same fillings from every party), `burst` (a class with one task), `public` (fillings
meet as those of independent users do), `commonplace` (anyone writes it), `listed` (the operator knows it),
`single_party`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from promptsim.networks.known import listed
from promptsim.networks.options import DAY, NetworkOptions
from promptsim.networks.sharding import MeetingRate, Sharding, fewer_than_public_of, fit_meeting_rate
from promptsim.networks.usage import Usage
from promptsim.records import Bools, Family, Int64s

Doubles = npt.NDArray[np.float64]

BURST_WITHIN = 2 * DAY  # nearly all uses of a classroom's task lie within
BURST_USES = 5  # … and few are made by each party
TRAFFIC_SPANS = 8 * DAY  # what the traffic must span for a burst to mean anything
PUBLIC_LEVEL = 0.01


@dataclass(frozen=True, slots=True)
class Benign:
    """One truth value a family for each explanation, and the figures behind them."""

    question_set: Bools
    burst: Bools
    public: Bools
    commonplace: Bools
    listed: Bools
    single_party: Bools
    public_p: Doubles
    rate: MeetingRate

    @property
    def excluded(self) -> Bools:
        """Families that support no claim at all. A public look alone does not exclude: see `find_ties`."""
        result: Bools = self.question_set | self.burst | self.commonplace | self.listed | self.single_party
        return result


def explain(families: Sequence[Family], usage: Usage, sharding: Sharding, options: NetworkOptions) -> Benign:
    """Ask every explanation of every family."""
    parties = usage.family_parties
    question_set = sharding.overlap > options.max_overlap
    burst = _bursts(usage)
    commonplace = np.array([family.commonplace > options.max_commonplace for family in families], bool)
    rate = fit_meeting_rate(sharding, ~question_set & ~burst & (parties >= options.min_solo_parties))
    public_p = np.where(sharding.pairs > 0, fewer_than_public_of(sharding.meetings, sharding.pairs, rate), 1.0)
    return Benign(
        question_set=question_set & (parties >= 2),
        burst=burst,
        public=(sharding.meetings > 0) & (public_p > PUBLIC_LEVEL),
        commonplace=commonplace,
        listed=listed(families, options.public_templates),
        single_party=parties < 2,
        public_p=public_p,
        rate=rate,
    )


def _by_family_and_time(usage: Usage) -> Int64s:
    """The times of all uses, by family, ascending in each: in one number with the family, where there is room."""
    start = int(usage.time.min())
    width = int(usage.time.max() - start).bit_length()
    if width + int(usage.family.max()).bit_length() > 62:
        return usage.time[np.lexsort((usage.time, usage.family))]
    both = np.sort(usage.family.astype(np.int64) << width | (usage.time - start))
    return (both & ((1 << width) - 1)) + start


def _bursts(usage: Usage) -> Bools:
    """Families whose middle nine tenths of uses lie within two days, with few uses a party."""
    result = np.zeros(len(usage.family_parties), bool)
    if not len(usage.time) or int(usage.time.max() - usage.time.min()) < TRAFFIC_SPANS:
        return result
    time = _by_family_and_time(usage)
    count = np.diff(usage.starts)
    used = np.flatnonzero(count)
    low = time[usage.starts[used] + (count[used] * 0.05).astype(np.int64)]
    high = time[usage.starts[used] + np.minimum((count[used] * 0.95).astype(np.int64), count[used] - 1)]
    few = count[used] <= BURST_USES * usage.family_parties[used]
    result[used] = (high - low <= BURST_WITHIN) & few
    return result
