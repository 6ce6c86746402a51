"""Families, members, activity and parties → `Usage`: who used which family when, as flat arrays.

    activity ─► sendings: by account, without retries ─► joined with the main family of each prompt ─► Usage

Second step of `link`; the sendings know nothing of families, and can be put in order while those are sought. An event
counts for the main family of its prompt alone, so that two families that claim the same prompts are not tied by it. A
retry (the same account sends the same prompt again within ten minutes) is one use.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from promptsim.networks.options import HOUR
from promptsim.networks.parties import Parties
from promptsim.order import firsts, order_by, order_of, put_ties_in_order
from promptsim.records import Activity, Bools, Family, Int32s, Int64s, Members, UInt8s, UInt64s

RETRY_WITHIN = HOUR // 6
REGULAR = 3  # uses from which on a party is more than a passer-by: fewer claim nobody
SESSION_GAP = HOUR // 2


@dataclass(frozen=True, slots=True)
class Sendings:
    """What each account sent, by account, then time, without retries; first, last and number of events by account.

    `in_session` says whether the account sent something else within half an hour.
    """

    account: Int32s
    prompt: Int64s
    time: Int64s
    in_session: Bools
    events: Int64s
    first: Int64s
    last: Int64s
    retries: int


@dataclass(frozen=True, slots=True)
class Usage:
    """One row for each use of a family that at least two accounts use, sorted by family, party, account and time.

    `starts[f]:starts[f + 1]` are the rows of family f. `in_session` is as in `Sendings`; `account_events`,
    `account_first` and `account_last` are of all that an account sent.
    """

    family: Int32s
    party: Int32s
    account: Int32s
    time: Int64s
    filling: UInt64s
    place: UInt8s | None
    in_session: Bools
    starts: Int64s
    pair_family: Int32s  # distinct (family, party), sorted
    pair_party: Int32s
    pair_uses: Int64s  # rows of each such pair
    family_parties: Int64s
    party_count: int
    account_events: Int64s
    account_first: Int64s
    account_last: Int64s
    retries: int

    def regulars(self, families: int) -> Int64s:
        """For each family, the parties that use it at least `REGULAR` times: more than passers-by."""
        regular = self.pair_uses >= REGULAR
        return np.bincount(self.pair_family[regular], minlength=families).astype(np.int64)

    def lifetimes(self, families: Sequence[int], parties: Sequence[int]) -> tuple[Int64s, Int64s]:
        """First and last use of any of these families by each of these parties, all of which use one."""
        first = np.full(self.party_count, np.iinfo(np.int64).max, np.int64)
        last = np.zeros(self.party_count, np.int64)
        for family in families:
            rows = self.rows(family)
            np.minimum.at(first, self.party[rows], self.time[rows])
            np.maximum.at(last, self.party[rows], self.time[rows])
        return first[list(parties)], last[list(parties)]

    def users(self, families: Sequence[int] | Int64s) -> Int32s:
        """The parties that use these families, a party once for each."""
        own = np.unique(np.asarray(families, self.pair_family.dtype))  # of another type, all pairs would be converted
        starts, ends = (np.searchsorted(self.pair_family, own, side) for side in ("left", "right"))
        parts = [self.pair_party[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        return np.concatenate([np.empty(0, np.int32), *parts])

    def rows(self, family: int) -> slice:
        return slice(int(self.starts[family]), int(self.starts[family + 1]))


def among(numbers: Collection[int] | Int32s, count: int) -> Bools:
    """Of so many parties, or texts, whether each is one of these."""
    found = np.zeros(count, bool)
    found[numbers if isinstance(numbers, np.ndarray) else list(numbers)] = True
    return found


def sendings_of(activity: Activity) -> Sendings:
    """All events by account, then time, without retries."""
    order = _by_account(activity)
    account, prompt, time = activity.account_no[order], activity.prompt_no[order], activity.time[order]
    again = np.zeros(len(account), bool)
    again[1:] = (account[1:] == account[:-1]) & (prompt[1:] == prompt[:-1]) & (time[1:] - time[:-1] <= RETRY_WITHIN)
    account, prompt, time = account[~again], prompt[~again], time[~again]
    count = len(activity.accounts)
    events = np.bincount(account, minlength=count).astype(np.int64)
    ends = np.cumsum(events)
    first, last = np.zeros(count, np.int64), np.zeros(count, np.int64)
    seen = events > 0
    first[seen], last[seen] = time[(ends - events)[seen]], time[ends[seen] - 1]
    return Sendings(account, prompt, time, _in_session(account, time), events, first, last, int(again.sum()))


def _by_account(activity: Activity) -> Int64s:
    """The order by account, time and prompt. Events come by time, so that only prompts of one moment are sorted."""
    account, time, prompt = activity.account_no, activity.time, activity.prompt_no
    if (time[1:] < time[:-1]).any():
        return order_by(account, time, prompt)
    order = order_of(account)
    put_ties_in_order(order, [account, time], [prompt])
    return order


def measure_usage(families: Sequence[Family], members: Members, sendings: Sendings, parties: Parties) -> Usage:
    """Join sendings with the main family of their prompt and drop the rest."""
    row = _main_rows(members, sendings.prompt)
    shared = _shared_families(families, members, row, sendings.account)
    keep = np.flatnonzero(row >= 0)
    keep = keep[shared[members.family[row[keep]]]]
    row, account = row[keep], sendings.account[keep]
    family, party = members.family[row], parties.of[account]
    order = order_of(family * np.int64(parties.count) + party)  # account and time are in order
    row, family, party = row[order], family[order], party[order]
    starts = np.searchsorted(family, np.arange(len(families) + 1)).astype(np.int64)
    fresh = firsts(family, party)
    place = None if members.place is None else members.place[row]
    return Usage(
        family=family.astype(np.int32),
        party=party.astype(np.int32),
        account=account[order].astype(np.int32),
        time=sendings.time[keep][order],
        filling=members.filling[row],
        place=place,
        in_session=sendings.in_session[keep][order],
        starts=starts,
        pair_family=family[fresh].astype(np.int32),
        pair_party=party[fresh].astype(np.int32),
        pair_uses=np.diff(np.flatnonzero(np.append(fresh, True))).astype(np.int64),
        family_parties=np.bincount(family[fresh], minlength=len(families)).astype(np.int64),
        party_count=parties.count,
        account_events=sendings.events,
        account_first=sendings.first,
        account_last=sendings.last,
        retries=sendings.retries,
    )


def _in_session(account: Int32s, time: Int64s) -> Bools:
    """Whether the event before or the event after, of the same account, is near."""
    near = (account[1:] == account[:-1]) & (time[1:] - time[:-1] <= SESSION_GAP)
    result = np.zeros(len(account), bool)
    result[1:] |= near
    result[:-1] |= near
    return result


def _main_rows(members: Members, prompt: Int64s) -> Int64s:
    """The row in `members` of each event's main family, -1 for none: the first row of the prompt."""
    if not len(members.prompt_no) or not len(prompt):
        return np.full(len(prompt), -1, np.int64)
    first = np.flatnonzero(np.append(True, members.prompt_no[1:] != members.prompt_no[:-1]))  # they come by prompt
    numbers = members.prompt_no[first]
    table = np.full(int(max(numbers[-1], prompt.max())) + 1, -1, np.int64)
    table[numbers] = first
    return table[prompt]


def _shared_families(families: Sequence[Family], members: Members, row: Int64s, account: Int32s) -> Bools:
    """Families that at least two accounts use."""
    used = row >= 0
    family, account = members.family[row[used]], account[used]
    one = np.full(len(families), -1, account.dtype)
    one[family] = account  # any of them
    shared = np.zeros(len(families), np.bool_)
    shared[family[one[family] != account]] = True
    return shared
