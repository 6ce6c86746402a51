"""When events happen: people by day in their own time zone, in sittings; machines around the clock; classes in one
burst.

Times are microseconds since 1970, as everywhere.
"""

from __future__ import annotations

from itertools import accumulate

from promptsim.simulate.language import Voice
from promptsim.simulate.ledger import Account

HOUR = 3_600_000_000
DAY = 24 * HOUR
MINUTE = HOUR // 60
START = 1_772_409_600_000_000  # 2026-03-02T00:00:00Z, a Monday

# How likely a person is to write in each hour of their day.
_WAKING = tuple(accumulate((2, 1, 1, 1, 1, 2, 5, 10, 16, 20, 22, 21, 18, 20, 22, 22, 20, 18, 16, 17, 18, 16, 10, 5)))
GOES_ON = 0.65  # how often a person's next request belongs to the sitting of the last
ZONES = (-8, -7, -6, -5, -5, -3, 0, 0, 1, 1, 1, 2, 3, 5, 5, 7, 8, 8, 9, 10)


def person(voice: Voice, zone: int, first: int, last: int) -> int:
    """A moment between two days (of START) at which a person in this zone is awake."""
    mark = voice.random.random() * _WAKING[-1]
    hour = next(h for h, weight in enumerate(_WAKING) if mark < weight)
    day = voice.between(first, last - 1)
    if (day % 7) >= 5 and voice.chance(0.4):  # fewer on weekends
        day = max(first, day - 2)
    return _within(START + day * DAY + (hour - zone) * HOUR + int(voice.random.random() * HOUR), first, last)


def next_of(voice: Voice, account: Account, first: int, last: int) -> int:
    """When this person writes next: mostly minutes after the last time, else at another moment (`person`)."""
    soon = account.latest + int(voice.random.expovariate(1 / 4) * MINUTE)
    if account.latest and voice.chance(GOES_ON) and START + first * DAY <= soon < START + last * DAY:
        account.latest = soon
    else:
        account.latest = person(voice, account.zone, first, last)
    return account.latest


def machine(voice: Voice, first: float, last: float) -> int:
    """Any moment between two days: no night, no weekend."""
    return START + int((first + voice.random.random() * (last - first)) * DAY)


def burst(voice: Voice, begin: int, minutes: int) -> int:
    """A moment soon after a beginning."""
    return begin + int(voice.random.random() * minutes * MINUTE)


def school_hour(voice: Voice, zone: int, days: int) -> int:
    """The beginning of a lesson on a weekday."""
    day = voice.between(0, days - 1)
    day -= max(0, day % 7 - 4)
    return START + day * DAY + (voice.between(9, 15) - zone) * HOUR


def _within(time: int, first: int, last: int) -> int:
    low, high = START + first * DAY, START + last * DAY
    return low + (time - low) % (high - low)
