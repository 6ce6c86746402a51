"""Sizes and seeds → how often the defaults find a planted campaign, and how often they accuse anyone of nothing.

Pure: synthetic traffic (`rehearsal`) through `link`. An operator asks it with the number of accounts of their own
traffic, to see what can be found there at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from promptsim.networks.link import link
from promptsim.networks.options import NetworkOptions
from promptsim.networks.rehearsal import Rehearsal, add_benign


@dataclass(frozen=True, slots=True)
class Power:
    """One cell of the drill: what was planted and what share of its accounts was flagged, and of whom else."""

    size: int
    families: int
    dilution: float
    seeds: int
    recall: float  # of the planted accounts, mean over seeds
    found: float  # share of runs in which at least half of them were
    strangers: float  # flagged accounts that were not planted, mean over seeds


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """Runs on traffic without any campaign: in how many anything was flagged, and how many accounts at most."""

    seeds: int
    runs_with_a_flag: int
    most_accounts: int

    @staticmethod
    def of(counts: Sequence[int]) -> FalseAlarms:
        """From the accounts flagged in each run."""
        return FalseAlarms(len(counts), sum(count > 0 for count in counts), max(counts, default=0))


def flagged_numbers(traffic: Rehearsal, options: NetworkOptions | None = None) -> set[int]:
    """Account numbers of all flagged networks."""
    families, members, activity = traffic.build()
    number = {name: at for at, name in enumerate(activity.accounts)}
    found = link(families, members, activity, options=options, seed=traffic.seed).networks
    return {number[name] for network in found if network.flagged for name in network.account_ids}


def measure_power(
    accounts: int,
    seeds: int,
    *,
    sizes: Sequence[int] = (6, 12, 50, 200),
    families: Sequence[int] = (1, 2, 4),
    dilutions: Sequence[float] = (0.0, 0.3, 0.8),
    each: float = 25,
) -> Iterator[Power]:
    """One cell for each combination; `each` is what an account of the campaign sends for it."""
    for size in sizes:
        for count in families:
            for dilution in dilutions:
                yield _cell(accounts, seeds, size, count, dilution, each)


def _cell(accounts: int, seeds: int, size: int, families: int, dilution: float, each: float) -> Power:
    shares, strangers = [], []
    for seed in range(seeds):
        traffic = Rehearsal(seed)
        add_benign(traffic, accounts)
        traffic.add_campaign(size, families, each, dilution=dilution)
        flagged, planted = flagged_numbers(traffic), set(traffic.kinds["campaign"])
        shares.append(len(flagged & planted) / size)
        strangers.append(len(flagged - planted))
    found = sum(share >= 0.5 for share in shares) / seeds
    return Power(size, families, dilution, seeds, sum(shares) / seeds, found, sum(strangers) / seeds)


def measure_false_alarms(accounts: int, seeds: int) -> Iterator[int]:
    """For each run without a campaign, the accounts flagged in it: all of them wrongly."""
    for seed in range(seeds):
        traffic = Rehearsal(seed)
        add_benign(traffic, accounts)
        yield len(flagged_numbers(traffic))
