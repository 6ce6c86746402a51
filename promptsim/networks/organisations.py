"""Usage and parties → organisations whose seats share templates of their own: to be shown, not flagged.

Who belongs to one organisation is the operator's word, and it is believed: seats act together openly. Where seats are
run by a scheduler that is said, so that nobody hides a pool of accounts behind one organisation unseen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from promptsim.networks.options import NetworkOptions
from promptsim.networks.parties import Parties
from promptsim.networks.rhythm import People, Schedule, assess_schedule
from promptsim.networks.usage import Usage
from promptsim.records import Activity, Family


@dataclass(frozen=True, slots=True)
class Organisation:
    """One party of several accounts, and the families that at least three of its accounts use and no one else."""

    accounts: tuple[int, ...]
    families: tuple[int, ...]
    reason: str
    first: int
    last: int

    def account_ids(self, activity: Activity) -> tuple[str, ...]:
        return tuple(sorted(activity.accounts[account] for account in self.accounts))


def seats_on_schedule(organisation: Organisation, usage: Usage, people: People) -> Schedule:
    """How many seats send their organisation's texts as a scheduler would."""
    rows = np.concatenate([np.arange(usage.rows(f).start, usage.rows(f).stop) for f in organisation.families])
    _, seat, uses = np.unique(usage.account[rows], return_inverse=True, return_counts=True)
    sitting = np.bincount(seat, weights=usage.in_session[rows]).astype(np.int64)
    return assess_schedule(people, uses.astype(np.int64), sitting)


def find_organisations(
    families: Sequence[Family], usage: Usage, parties: Parties, options: NetworkOptions
) -> list[Organisation]:
    """Parties of at least `min_parties` accounts with a family of their own."""
    own: dict[int, list[int]] = {}
    for family in np.flatnonzero((usage.family_parties == 1) & (np.diff(usage.starts) > 0)).tolist():
        if families[family].commonplace > options.max_commonplace:
            continue
        rows = usage.rows(family)
        if len(np.unique(usage.account[rows])) >= options.min_parties:
            own.setdefault(int(usage.party[rows.start]), []).append(family)
    return [_organisation(party, own[party], usage, parties) for party in sorted(own)]


def _organisation(party: int, families: list[int], usage: Usage, parties: Parties) -> Organisation:
    rows = np.concatenate([np.arange(usage.rows(f).start, usage.rows(f).stop) for f in families])
    accounts = np.unique(usage.account[rows])
    time = usage.time[rows]
    reason = parties.names.get(party, "metadata")
    return Organisation(tuple(accounts.tolist()), tuple(families), reason, int(time.min()), int(time.max()))
