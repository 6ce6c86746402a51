"""Times and accounts of a family's events → one row an hour, day or week: what a timeline draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptsim.errors import UsageError
from promptsim.records import Int32s, Int64s

SECOND = 1_000_000
STEPS = {"hour": 3600 * SECOND, "day": 86_400 * SECOND, "week": 7 * 86_400 * SECOND}
MONDAY = 4 * 86_400 * SECOND  # 1970-01-01 was a Thursday
MOST_BUCKETS = 10_000


@dataclass(frozen=True, slots=True)
class Bucket:
    """One step of time: how many events, of how many accounts, how many of them for the first time here."""

    start: int
    event_count: int
    account_count: int
    new_account_count: int


def buckets(time: Int64s, account: Int32s, step: str) -> list[Bucket]:
    """Every step that has events, in order. UsageError where there are more than a page could draw."""
    if step not in STEPS:
        raise UsageError(f"step {step!r}: choose one of {', '.join(STEPS)}")
    origin = MONDAY if step == "week" else 0
    number = (time - origin) // STEPS[step]
    starts, of = np.unique(number, return_inverse=True)
    if len(starts) > MOST_BUCKETS:
        raise UsageError(f"{len(starts):,} steps of one {step}: choose a longer step (at most {MOST_BUCKETS:,} rows)")
    pairs = np.unique(of.astype(np.int64) << 32 | account.astype(np.int64))
    _, debut = np.unique(account, return_index=True)
    events = np.bincount(of, minlength=len(starts))
    accounts = np.bincount(pairs >> 32, minlength=len(starts))
    new = np.bincount(of[debut], minlength=len(starts))
    return [
        Bucket(int(s) * STEPS[step] + origin, int(events[i]), int(accounts[i]), int(new[i]))
        for i, s in enumerate(starts)
    ]
