"""Families, networks, accounts ─► how many accounts and events they hold together: what a decision touches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from promptsim.records import Bools, Int64s
from promptsim.store.findings import Findings


@dataclass(frozen=True, slots=True)
class Reach:
    """Distinct accounts and events; an account in two families counts once."""

    accounts: int
    events: int


@dataclass(frozen=True, slots=True)
class Share:
    """How much of what an account sent belongs to some families, and what it did before."""

    account_id: str
    inside: int
    total: int
    began: int  # its first event of all
    began_inside: int  # its first event in those families


class Reaches(Findings):
    """Counting over all events, in the columns."""

    def reach(self, families: Sequence[str] = (), networks: Sequence[str] = (), accounts: Sequence[str] = ()) -> Reach:
        """What these subjects hold together. Of a network, what its accounts sent in its families."""
        with self.snapshot() as connection:
            count = self._event_count(connection)
            account = self.columns.account(count)
            chosen = self._in_families(families, count)
            people = [account[chosen]]
            for network in map(self.network, networks):
                mine = self._numbers(network.account_ids)
                chosen |= self._in_families(network.family_ids, count) & np.isin(account, mine)
                people.append(mine.astype(np.int32))
            named = self._numbers(accounts)
            chosen |= np.isin(account, named)
            people.append(named.astype(np.int32))
        distinct = np.unique(np.concatenate(people))
        return Reach(int((distinct >= 0).sum()), int((chosen & (account >= 0)).sum()))

    def shares(self, families: Sequence[str]) -> list[Share]:
        """Every account that sent anything of these families, by number, and how much of its sends that is."""
        with self.snapshot() as connection:
            count = self._event_count(connection)
            account, time = self.columns.account(count), self.columns.time(count)
            inside = self._in_families(families, count) & (account >= 0)
            numbers = np.unique(account[inside])
            names = self.accounts(numbers.astype(np.int64))
        place = np.searchsorted(numbers, account).clip(max=max(len(numbers) - 1, 0))
        known = (numbers[place] == account) if len(numbers) else np.zeros(count, np.bool_)
        total = np.bincount(place[known], minlength=len(numbers))
        within = np.bincount(place[inside], minlength=len(numbers))
        began = _earliest(place[known], time[known], len(numbers))
        began_inside = _earliest(place[inside], time[inside], len(numbers))
        return [
            Share(name, int(within[i]), int(total[i]), int(began[i]), int(began_inside[i]))
            for i, name in enumerate(names)
        ]

    def _in_families(self, families: Sequence[str], events: int) -> Bools:
        """Which events are on a prompt of any of these families."""
        prompt = self.columns.prompt(events)
        inside = np.zeros(int(prompt.max(initial=-1)) + 1, np.bool_)
        for family_id in families:
            numbers = self.family_prompts(family_id)
            inside[numbers[numbers < len(inside)]] = True
        return inside[prompt] if len(prompt) else np.zeros(0, np.bool_)

    def _numbers(self, account_ids: Sequence[str]) -> Int64s:
        connection = self.database.reader()
        found = [self._known_account(connection, name) for name in account_ids]
        return np.array([n for n in found if n is not None], np.int64)


def _earliest(place: Int64s, time: Int64s, groups: int) -> Int64s:
    first = np.full(groups, np.iinfo(np.int64).max, np.int64)
    np.minimum.at(first, place, time)
    return first
