"""A written time (RFC 3339, or epoch seconds, milliseconds, microseconds, nanoseconds) → whole microseconds UTC.

`event_time` serves `event.py`, `parse_time` the edges (`--since`, `--until`). Times before 1990 or after 2200 are
refused: they are a wrong unit or a broken clock, and one of them would spoil every first and last time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

SECOND = 1_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = int((datetime(1990, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds()) * SECOND
LATEST = int((datetime(2200, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds()) * SECOND

# Units of an epoch number, as microseconds each: between 1990 and 2200 no number fits two of them.
_UNITS = (Decimal(SECOND), Decimal(1000), Decimal(1), Decimal("0.001"))
_NUMBER = re.compile(r"[+-]?[0-9]{1,20}(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,2})?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_LEAP_SECOND = re.compile(r"(\d{2}:\d{2}):60")
_RANGE = "outside of 1990 to 2200"


class BadTime(ValueError):
    """Not a time; `out_of_range` tells a readable but absurd one from an unreadable one."""

    def __init__(self, reason: str, *, out_of_range: bool = False) -> None:
        super().__init__(reason)
        self.out_of_range = out_of_range


def parse_time(text: str) -> int:
    """What a person writes after `--since`: all that an event may carry, or a date alone (its midnight, UTC)."""
    return event_time(text.strip() + "T00:00:00Z" if _DATE.fullmatch(text.strip()) else text)


def event_time(value: object) -> int:
    """The time in whole microseconds since 1970 UTC; a text without an offset is read as UTC (`has_offset` asks)."""
    if type(value) is str:
        time = _from_text(value)
        return time if EARLIEST <= time < LATEST else _within(time, value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadTime(f"a time is RFC 3339 text or an epoch number, not {type(value).__name__}")
    return _from_number(value)


def has_offset(text: str) -> bool:
    """Does this RFC 3339 text say its offset from UTC? (Epoch numbers need none.)"""
    tail = text.strip()[10:]
    return text[4:5] != "-" or tail[-1:] in "Zz" or "+" in tail or "-" in tail or tail.upper().endswith("UTC")


def _from_text(text: str) -> int:
    # fromisoformat reads more than RFC 3339 (week dates, no separators): the separators are asked for first.
    if len(text) >= 19 and text[4] == "-" and text[7] == "-" and text[13] == ":" and text[16] == ":":
        try:
            since = datetime.fromisoformat(text) - _EPOCH
            return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds
        except (ValueError, TypeError):  # no offset: cannot be subtracted
            return _from_odd_text(text)
    stripped = text.strip()
    if _NUMBER.fullmatch(stripped):
        return _from_decimal(Decimal(stripped), text)
    if stripped != text:
        return _from_text(stripped)
    raise BadTime(f"not a time: {_short(text)}; write it as 2026-03-01T12:00:00Z or as epoch seconds")


def _from_odd_text(text: str) -> int:
    """What RFC 3339 allows and the standard library does not: a leap second, small letters; and a written UTC."""
    plain = text.strip().upper().removesuffix("UTC").strip()
    leap = _LEAP_SECOND.search(plain)
    plain = _LEAP_SECOND.sub(r"\1:59", plain) if leap else plain
    try:
        return _microseconds(datetime.fromisoformat(plain)) + (SECOND if leap else 0)
    except ValueError as error:
        raise BadTime(f"not a time: {_short(text)} ({error})") from None


def _microseconds(moment: datetime) -> int:
    since = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)) - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds


def from_datetime(moment: datetime) -> int:
    """A time already read (from Parquet, from Python); without an offset it is UTC."""
    return _within(_microseconds(moment), moment)


def _from_number(value: int | float) -> int:
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise BadTime(f"not a time: {value}")
        return _from_decimal(Decimal(repr(value)), value)
    for unit, whole in ((SECOND, 1), (1000, 1), (1, 1), (1, 1000)):
        time = value * unit // whole
        if EARLIEST <= time < LATEST:
            return time
    raise BadTime(f"{_short(value)} as an epoch number lies {_RANGE}", out_of_range=True)


def _from_decimal(value: Decimal, written: object) -> int:
    for unit in _UNITS:
        time = value * unit
        if EARLIEST <= time < LATEST:
            return int(time)
    raise BadTime(f"{_short(written)} as an epoch number lies {_RANGE}", out_of_range=True)


def _within(time: int, written: object) -> int:
    if EARLIEST <= time < LATEST:
        return time
    raise BadTime(f"{_short(written)} lies {_RANGE}", out_of_range=True)


def _short(value: object) -> str:
    shown = repr(value) if isinstance(value, str) else str(value)[:60]
    return shown if len(shown) <= 60 else shown[:57] + "…'"
