"""Sorted rows ─► one page and an opaque cursor that says after which row the next one begins.

A cursor holds the sort key of the last row shown, not a count: rows that come or go in between neither repeat nor skip
others.
"""

from __future__ import annotations

import base64
import binascii
import json
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TypeVar

from promptsim.errors import UsageError

Row = TypeVar("Row")
Key = tuple[float | int | str, ...]


def page_after(rows: Sequence[Row], key: Callable[[Row], Key], cursor: str, limit: int) -> tuple[list[Row], str]:
    """The rows after the cursor, and the next cursor ("" at the end). `rows` are sorted by `key`."""
    start = 0
    if cursor:
        try:
            start = bisect_right(rows, decoded(cursor), key=key)
        except TypeError:
            raise bad_cursor() from None
    shown = list(rows[start : start + limit])
    more = start + limit < len(rows)
    return shown, encoded(key(shown[-1])) if more and shown else ""


def encoded(key: Key) -> str:
    """A sort key as a cursor."""
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode().rstrip("=")


def decoded(cursor: str) -> Key:
    """The sort key of a cursor; UsageError for any other text."""
    try:
        raw = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        key = json.loads(raw)
    except (binascii.Error, UnicodeError, ValueError, RecursionError):
        raise bad_cursor() from None
    if not isinstance(key, list) or not key or not all(isinstance(x, int | float | str) for x in key):
        raise bad_cursor()
    return tuple(key)


def offset(cursor: str) -> int:
    """The place that a cursor of a list without sort keys says."""
    number = decoded(cursor)[0] if cursor else 0
    if not isinstance(number, int) or not 0 <= number < 2**40:
        raise bad_cursor()
    return number


def bad_cursor() -> UsageError:
    return UsageError("this address is not one of a page of this list: begin at the list's first page")
