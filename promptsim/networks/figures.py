"""Rows of usage → figures of each party behind them: how often, in sittings, of how much, at which hours.

Compiled: they are taken of every text that says something, and of every community.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from promptsim.networks.options import DAY
from promptsim.networks.usage import Usage
from promptsim.order import order_by
from promptsim.records import Bools, Int64s

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Figures:
    """One row for each party, ascending."""

    party: Int64s
    uses: Int64s
    sitting: Int64s  # uses with another event of the account near
    total: Int64s  # all that the accounts of these uses sent
    daily: Doubles  # squared length of the sum of the uses' daily phases, as unit vectors
    gaps: Doubles  # variation of the times between uses

    def only(self, keep: Bools) -> Figures:
        return Figures(*(getattr(self, field.name)[keep] for field in fields(Figures)))


def figures_of(usage: Usage, rows: Int64s | slice) -> Figures:
    """Of these rows, each once, in any order."""
    party, account, time = usage.party[rows], usage.account[rows], usage.time[rows]
    in_session, events = usage.in_session[rows], usage.account_events
    if not _in_order(party, account, time):  # rows of several texts; those of one are
        order = order_by(party, account, time)
        party, account, time, in_session = party[order], account[order], time[order], in_session[order]
    return Figures(*_figures(party, account, time, in_session, events))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _in_order(party: Any, account: Any, time: Any) -> bool:
    """Whether rows come by party, then account, then time."""
    for i in range(1, len(party)):
        if (party[i], account[i], time[i]) < (party[i - 1], account[i - 1], time[i - 1]):
            return False
    return True


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _figures(party: Any, account: Any, time: Any, in_session: Any, events: Any) -> Any:
    """Rows must be `_in_order`."""
    n = len(party)
    parties = 0
    for i in range(n):
        parties += i == 0 or party[i] != party[i - 1]
    who, uses, sitting, total = (np.zeros(parties, np.int64), np.zeros(parties, np.int64), np.zeros(parties, np.int64),
                                 np.zeros(parties, np.int64))  # fmt: skip
    daily, gaps = np.zeros(parties), np.zeros(parties)
    at, low = 0, 0
    while low < n:
        high = low
        several = False
        x = y = 0.0
        while high < n and party[high] == party[low]:
            if high == low or account[high] != account[high - 1]:
                total[at] += events[account[high]]
                several = several or high > low
            sitting[at] += in_session[high]
            phase = 2 * np.pi * (time[high] % DAY) / DAY
            x += np.cos(phase)
            y += np.sin(phase)
            high += 1
        who[at], uses[at], daily[at] = party[low], high - low, x * x + y * y
        times = np.sort(time[low:high]) if several else time[low:high]
        gaps[at] = _variation(times)
        at += 1
        low = high
    return who, uses, sitting, total, daily, gaps


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _variation(times: Any) -> float:
    """Standard deviation over mean of the gaps between ascending times; 0 if there is no gap."""
    count = max(len(times) - 1, 1)
    sums = squares = 0.0
    for i in range(1, len(times)):
        gap = (times[i] - times[i - 1]) / DAY
        sums += gap
        squares += gap * gap
    mean = sums / count
    return float(np.sqrt(max(squares / count - mean * mean, 0.0)) / max(mean, 1e-9))
