"""Groups and who sent what → Spread: events, prompts, accounts and times of each group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptsim.records import Incidence, Int32s, Int64s


@dataclass(frozen=True, slots=True)
class Spread:
    """How widely each group is sent; `accounts[of[g]:of[g+1]]` are the accounts of group g."""

    events: Int64s
    prompts: Int64s
    accounts: Int32s
    of: Int64s
    first_seen: Int64s
    last_seen: Int64s

    def senders(self, g: int) -> Int32s:
        return self.accounts[self.of[g] : self.of[g + 1]]

    def account_count(self, g: int) -> int:
        return int(self.of[g + 1] - self.of[g])


def spread_of(prompt_no: Int64s, label: Int32s, n: int, incidence: Incidence) -> Spread:
    """Join labels 0…n-1 of prompts (-1: none; a prompt once) with the incidence."""
    most = max(int(prompt_no.max(initial=-1)), int(incidence.prompt_no.max(initial=-1)))
    table = np.full(most + 1, -1, np.int32)
    table[prompt_no] = label
    of_row = table[incidence.prompt_no]
    known = np.flatnonzero(of_row >= 0)
    group = of_row[known].astype(np.int64)
    first = np.full(n, np.iinfo(np.int64).max)
    last = np.full(n, np.iinfo(np.int64).min)
    np.minimum.at(first, group, incidence.first_seen[known])
    np.maximum.at(last, group, incidence.last_seen[known])
    senders = np.sort(group << 32 | incidence.account_no[known].astype(np.int64))
    senders = senders[
        np.append(True, senders[1:] != senders[:-1])[: len(senders)]
    ]  # np.unique hashes: six times slower
    events = np.bincount(group, weights=incidence.events[known], minlength=n).astype(np.int64)
    of = np.searchsorted(senders >> 32, np.arange(n + 1))
    accounts = (senders & 0xFFFFFFFF).astype(np.int32)
    prompts = np.bincount(label[label >= 0], minlength=n)
    return Spread(events, prompts, accounts, of, first, last)
