"""The `metadata` object, checked so that no later stage meets a value that it cannot store or show."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal

from promptsim.contract import rfc3339
from promptsim.intake.problems import BadEvent
from promptsim.intake.timestamp import BadTime, from_datetime

MAX_DEPTH = 32
MAX_EXTRA_CHARS = 256
_EMPTY: dict[str, object] = {}
_LARGEST = 2**63


def check_metadata(value: object) -> Mapping[str, object]:
    """The object itself where it is plain; else cleaned: dates become text, NaN and null are dropped."""
    if value is None or value == "":
        return _EMPTY
    if not isinstance(value, dict):
        raise BadEvent("bad-metadata", f"metadata must be an object, not {type(value).__name__}")
    for key, item in value.items():
        if type(key) is not str or type(item) is not str or not (key.isascii() and item.isascii()):
            return _object(value, 1)
    return value


def with_unknown(
    metadata: Mapping[str, object], fields: Mapping[str, object], known: Collection[str], counts: Counter[str]
) -> Mapping[str, object]:
    """The metadata, and with it the fields beside the known ones: tables and flat logs have no other place for them.

    What `metadata` holds itself is not replaced. Long texts, lists and objects are left out, and counted: they are
    answers, embeddings and the like, which nobody asked to be kept.
    """
    more: dict[str, object] = {}
    for name, value in fields.items():
        if name in known or name in metadata or value is None or value == "":
            continue
        short = isinstance(value, str) and len(value) <= MAX_EXTRA_CHARS
        if short or isinstance(value, bool | int | float | Decimal | date):
            more[name] = value
        else:
            counts["fields-left-out"] += 1
    return {**metadata, **check_metadata(more)} if more else metadata


def _object(value: Mapping[object, object], depth: int) -> dict[str, object]:
    if depth > MAX_DEPTH:
        raise BadEvent("too-deep", f"metadata is nested more than {MAX_DEPTH} deep")
    cleaned: dict[str, object] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise BadEvent("bad-metadata", f"a key of metadata must be text, not {type(key).__name__}")
        _check_text(key)
        kept = _value(item, depth)
        if kept is not None:
            cleaned[key] = kept
    return cleaned


def _value(item: object, depth: int) -> object:
    if isinstance(item, str):
        _check_text(item)
        return item
    if item is None or isinstance(item, bool):
        return item
    if isinstance(item, int):
        if not -_LARGEST <= item < _LARGEST * 2:
            raise BadEvent("bad-metadata", "a number in metadata is beyond 64 bits; send it as text")
        return item
    if isinstance(item, float):
        return item if math.isfinite(item) else None
    if isinstance(item, dict):
        return _object(item, depth + 1)
    if isinstance(item, list | tuple):
        if depth >= MAX_DEPTH:
            raise BadEvent("too-deep", f"metadata is nested more than {MAX_DEPTH} deep")
        return [_value(part, depth + 1) for part in item]
    return _other(item)


def _check_text(text: str) -> None:
    try:
        text.isascii() or text.encode()
    except UnicodeEncodeError:
        raise BadEvent("lone-surrogate", "metadata holds half of a surrogate pair") from None


def _other(item: object) -> object:
    if isinstance(item, datetime):
        try:
            return rfc3339(from_datetime(item))
        except BadTime:
            return str(item)
    if isinstance(item, date | Decimal):
        return str(item)
    raise BadEvent("bad-metadata", f"metadata holds a {type(item).__name__}, which JSON cannot")
