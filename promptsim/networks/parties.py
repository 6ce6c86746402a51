"""Account metadata → parties: accounts that openly belong together count as one in every test.

First step of `link`: seats of one organisation are coordinated and innocent, so they are grouped and shown as
one party. Sharing a payment or an address is not open belonging: that is evidence, see `metadata`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from promptsim.networks.options import NetworkOptions
from promptsim.records import Activity, Bools, Int32s

PARTY_KEYS = ("org_id", "organisation_id", "organization_id", "team_id", "tenant_id")


@dataclass(frozen=True, slots=True)
class Parties:
    """`of[account_no]` is a dense party number; `names` says by which metadata a party of several accounts was
    grouped.
    """

    of: Int32s
    size: Int32s
    names: Mapping[int, str]
    declared: Bools  # parties that carry a value of a party key: each a different organisation
    ignored: int  # metadata values too widespread to name a party

    @property
    def count(self) -> int:
        return len(self.size)


def group_parties(activity: Activity, options: NetworkOptions) -> Parties:
    """Accounts that share a value of a party key, transitively; every other account is a party of its own."""
    count = len(activity.accounts)
    leader = np.arange(count, dtype=np.int64)
    names: dict[int, str] = {}
    ignored = 0
    for key in PARTY_KEYS:
        holders = _holders(activity.metadata.get(key, {}))
        for value in sorted(holders):
            accounts = holders[value]
            if len(accounts) < 2:
                continue
            if len(accounts) > max(2, options.max_party_share * count):
                ignored += 1
                continue
            _join(leader, accounts)
            names[accounts[0]] = f"{key} {value}"
    roots = np.array([_root(leader, account) for account in range(count)], dtype=np.int64)
    _, of = np.unique(roots, return_inverse=True)
    size = np.bincount(of, minlength=int(of.max(initial=-1)) + 1).astype(np.int32)
    by_party = {int(of[account]): name for account, name in sorted(names.items(), reverse=True)}
    declared = np.zeros(len(size), bool)
    for key in PARTY_KEYS:
        known = [account for account, values in activity.metadata.get(key, {}).items() if any(values)]
        declared[of[sorted(known)]] = True
    return Parties(of.astype(np.int32), size, by_party, declared, ignored)


def _holders(values: Mapping[int, tuple[str, ...]]) -> dict[str, list[int]]:
    """Which accounts carry each value; an account that carries several is of the party of its first alone."""
    holders: dict[str, list[int]] = {}
    for account in sorted(values):
        tally = Counter(value for value in values[account] if value)
        if len(tally) == 1:
            holders.setdefault(next(iter(tally)), []).append(account)
    return holders


def _root(leader: np.ndarray, account: int) -> int:
    while leader[account] != account:
        leader[account] = leader[leader[account]]
        account = int(leader[account])
    return account


def _join(leader: np.ndarray, accounts: list[int]) -> None:
    first = _root(leader, accounts[0])
    for account in accounts[1:]:
        leader[_root(leader, account)] = first
