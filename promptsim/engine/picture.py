"""A family or a network ─► who sends it how often, and when: what a reviewer's tables and drawings show.

Everything is bounded, and the whole figures stand beside what is shown, so that a page can say what it leaves out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptsim.engine.timeline import SECOND
from promptsim.records import Int32s, Int64s, Network
from promptsim.store.store import Store

MOST_BARS, FEWEST_BARS = 120, 40
_HOUR, _DAY = 3600, 86_400
NICE_STEPS = (60, 300, 900, _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY, 28 * _DAY,
              91 * _DAY, 364 * _DAY, 3640 * _DAY, 36_400 * _DAY)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bars:
    """Equal steps of time from `start`: events and distinct accounts in each."""

    start: int
    step: int
    events: tuple[int, ...]
    accounts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sends:
    """How often an account sends one family, since when, until when."""

    account_id: str
    event_count: int
    first_seen: int
    last_seen: int


@dataclass(frozen=True, slots=True)
class FamilyPicture:
    """The accounts that send a family most, and its events over time."""

    account_count: int
    event_count: int
    senders: tuple[Sends, ...]
    bars: Bars | None


@dataclass(frozen=True, slots=True)
class NetworkPicture:
    """Accounts by families (events), accounts by time (events), and all events over time; strongest members first.

    `event_count` counts what the network's accounts sent of its families, each event once for each family.
    """

    account_ids: tuple[str, ...]
    family_ids: tuple[str, ...]
    cells: tuple[tuple[int, ...], ...]  # a row an account, a column a family
    lanes: tuple[tuple[int, ...], ...]  # a row an account, a column a step of `bars`
    event_count: int
    bars: Bars | None


def step_for(span: int, most: int = MOST_BARS) -> int:
    """The shortest nice step, in microseconds, that covers a span with at most so many bars."""
    for seconds in NICE_STEPS:
        if span // (seconds * SECOND) + 2 <= most:
            return seconds * SECOND
    return span // (most - 2) + 1


def bars(time: Int64s, account: Int32s) -> Bars | None:
    """Events over time, in fewer steps where there are few; None where there are none."""
    if not len(time):
        return None
    most = min(MOST_BARS, max(FEWEST_BARS, len(time) // 3))
    step = step_for(int(time.max() - time.min()), most)
    number = time // step
    first = int(number.min())
    place = number - first
    count = int(place.max()) + 1
    pairs = np.unique(place * (int(account.max()) + 1) + account) // (int(account.max()) + 1)
    events, accounts = (np.bincount(x, minlength=count).tolist() for x in (place, pairs))
    return Bars(first * step, step, tuple(events), tuple(accounts))


def family_picture(store: Store, family_id: str, *, senders: int) -> FamilyPicture:
    """Who sends a family, those who send it most first; NotFoundError if there is no such family."""
    time, account = store.family_activity(family_id)
    numbers, place = np.unique(account, return_inverse=True)
    counts = np.bincount(place, minlength=len(numbers))
    shown = np.lexsort((numbers, -counts))[:senders]
    names = store.accounts(numbers[shown].tolist())
    rows = []
    for name, i in zip(names, shown.tolist(), strict=True):
        mine = time[place == i]
        rows.append(Sends(name, int(counts[i]), int(mine.min()), int(mine.max())))
    return FamilyPicture(len(numbers), len(time), tuple(rows), bars(time, account))


def network_picture(store: Store, network: Network, *, accounts: int, families: int) -> NetworkPicture:
    """Who of a network sends which of its families, and when."""
    family_ids = network.family_ids
    times, senders, columns = _events_of(store, network)
    order = sorted(network.account_ids, key=lambda a: (-network.membership.get(a, 0.0), a))[:accounts]
    number_of = _numbers(store, senders)
    per_family = np.bincount(columns, minlength=len(family_ids))
    shown = [int(i) for i in np.argsort(-per_family, kind="stable")[:families]]
    drawn = bars(times, senders)
    cells, lanes = [], []
    for account_id in order:
        mine = senders == number_of.get(account_id, -1)
        counts = np.bincount(columns[mine], minlength=len(family_ids))
        cells.append(tuple(int(counts[i]) for i in shown))
        steps = (times[mine] - drawn.start) // drawn.step if drawn else times[mine]
        lanes.append(tuple(np.bincount(steps, minlength=len(drawn.events) if drawn else 0).tolist()))
    rows = sorted(range(len(order)), key=lambda i: ([-(c > 0) for c in cells[i]], -sum(cells[i]), order[i]))
    return NetworkPicture(
        tuple(order[i] for i in rows),
        tuple(family_ids[i] for i in shown),
        tuple(cells[i] for i in rows),
        tuple(lanes[i] for i in rows),
        len(times),
        drawn,
    )


def _events_of(store: Store, network: Network) -> tuple[Int64s, Int32s, Int64s]:
    """(time, account number, column of the family) of what the network's accounts sent of its families."""
    parts = [store.family_activity(family_id) for family_id in network.family_ids]
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int64)
    time = np.concatenate([t for t, _ in parts])
    account = np.concatenate([a for _, a in parts])
    column = np.concatenate([np.full(len(t), i, np.int64) for i, (t, _) in enumerate(parts)])
    names = _numbers(store, account)
    inside = np.isin(account, [names[name] for name in network.account_ids if name in names])
    return time[inside], account[inside], column[inside]


def _numbers(store: Store, account: Int32s) -> dict[str, int]:
    distinct = np.unique(account)
    return dict(zip(store.accounts(distinct.tolist()), distinct.tolist(), strict=True))
