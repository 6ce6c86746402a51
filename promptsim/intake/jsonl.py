"""JSON lines, a JSON array, or JSON objects one after another → events and rejections.

A *shape* turns a decoded object of another product into records with the contract's names (see `formats.py`);
native events need none.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import msgspec

from promptsim.intake.batch import Feed, Item
from promptsim.intake.event import make_event
from promptsim.intake.lines import MAX_LINE_BYTES, Piece, split_elements, split_lines
from promptsim.intake.problems import BadEvent
from promptsim.intake.shapes import Record
from promptsim.intake.stream import ByteStream
from promptsim.records import Event

# A shape gives, for each event in an object, the object that a mapping reads and the contract's fields from it; it
# counts what it passes over.
Shape = Callable[[Record, Counter[str]], Iterable[tuple[Record, Record]]]

# msgspec, because it keeps whole numbers beyond 64 bits and refuses NaN, lone surrogates and deep nesting.
_decode = msgspec.json.Decoder().decode
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_BOM = b"\xef\xbb\xbf"


def read_json(feed: Feed, shape: Shape | None = None) -> Iterator[Item]:
    """Every event of the stream, and every line that cannot become one."""
    native = shape is None and not feed.mapper
    for number, data, length, whole in pieces(feed.stream, feed.limit):
        feed.at = number
        try:
            if length > feed.limit:
                raise BadEvent("line-too-long", f"{length:,} bytes; the limit is {feed.limit:,}")
            if data.isspace() or not data:
                _blank(feed, whole)
                continue
            record = decode(data, whole=whole)
            if native:
                yield _native(feed, record)
            else:
                yield from _shaped(feed, record, data, shape)
        except BadEvent as problem:
            yield feed.reject(problem, readable(data))


def _blank(feed: Feed, whole: bool) -> None:
    if not whole:
        raise BadEvent("truncated", "the array is not closed: the end of the file is missing")
    feed.counts["blank-lines"] += 1


def _native(feed: Feed, record: object) -> Event:
    if not isinstance(record, dict):
        raise BadEvent("not-an-object", f"an event is a JSON object, not {type(record).__name__}")
    return make_event(record, key=feed.key, counts=feed.counts)


def _shaped(feed: Feed, record: object, data: bytes, shape: Shape | None) -> Iterator[Item]:
    """The events of one object of another product or with other names; each is accepted or rejected by itself."""
    if not isinstance(record, dict):
        raise BadEvent("not-an-object", f"an event is a JSON object, not {type(record).__name__}")
    for source, fields in shape(record, feed.counts) if shape else ((record, record),):
        try:
            mapped = feed.mapper.apply(source, fields) if feed.mapper else fields
            yield make_event(mapped, key=feed.key, counts=feed.counts)
        except BadEvent as problem:
            yield feed.reject(problem, readable(data))


def pieces(stream: ByteStream, limit: int = MAX_LINE_BYTES) -> Iterator[Piece]:
    """Lines, or elements where the stream is one JSON document over many lines."""
    head = stream.head(1)
    stream.drop(_BOM)
    start = head.removeprefix(_BOM).lstrip()
    if start.startswith(b"["):
        return split_elements(stream, array=True, limit=limit)
    if start.startswith(b"{") and _spans_lines(stream.head(2)):
        return split_elements(stream, array=False, limit=limit)
    return split_lines(stream, limit)


def _spans_lines(head: bytes) -> bool:
    """Does the first object go on in the second line? (A first line that is merely broken does not make it so.)"""
    first, second, *_ = [*(line.strip() for line in head.split(b"\n") if line.strip()), b"", b""]
    return not first.endswith(b"}") and bool(second) and not second.startswith(b"{")


def decode(data: bytes, *, whole: bool = True) -> object:
    """The JSON value of a line; BadEvent names what is wrong with it."""
    try:
        record = _decode(data)
        # One colon after a quote for each key: when the numbers agree no key is there twice. Quoted JSON inside a
        # text makes them differ too, so a second, slow look decides.
        agree = _agree(data, record)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _diagnosis(data, whole, str(error)) from None
    if not agree:
        _check_keys(data)
    return record


def _agree(data: bytes, record: object) -> bool:
    colons = data.count(b'":')
    if type(record) is dict and "messages" not in record:
        metadata = record.get("metadata")
        if colons == len(record) + (len(metadata) if type(metadata) is dict else 0):
            return True
    return colons == _keys(record)


def _keys(value: object) -> int:
    if isinstance(value, dict):
        total = len(value)
        for item in value.values():
            if type(item) is dict or type(item) is list:
                total += _keys(item)
        return total
    if isinstance(value, list):
        return sum(map(_keys, value))
    return 0


def _check_keys(data: bytes) -> None:
    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise BadEvent("duplicate-key", f"{twice!r:.60} stands twice in one object")
        return found

    try:
        json.loads(data, object_pairs_hook=once)
    except (ValueError, RecursionError):
        return  # it was decoded before: only the keys were in question


def _diagnosis(data: bytes, whole: bool, reason: str) -> BadEvent:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return BadEvent("invalid-utf8", f"byte {error.start + 1} is no UTF-8 ({error.reason})")
    if "recursion" in reason:
        return BadEvent("too-deep", "nested too deeply")
    if not whole:
        return BadEvent("truncated", "the last line ends in its middle")
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return BadEvent("bad-json", reason)
    if _SURROGATE.search(data):
        return BadEvent("lone-surrogate", "half of a surrogate pair, which is no character")
    return BadEvent("bad-json", "a number that JSON does not know (NaN, Infinity) or that is too large")


def readable(data: bytes) -> str:
    """Raw bytes as text that can be mended; what is no UTF-8 is shown as \\xNN."""
    return data.decode("utf-8", "backslashreplace")
