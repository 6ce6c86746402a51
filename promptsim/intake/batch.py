"""Events and rejections, as a format gives them out one by one → batches of bounded size.

`Feed` is what a format works on: the stream, the mapping, the limits, and the counts of every liberty taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from promptsim.intake.lines import MAX_LINE_BYTES
from promptsim.intake.mapping import Mapper
from promptsim.intake.problems import BadEvent
from promptsim.intake.stream import ByteStream, DamagedStream
from promptsim.records import Event, Rejection

BATCH_EVENTS = 4096
BATCH_CHARS = 16_000_000  # long texts make a batch shorter, so that memory is bounded by characters too
Item = Event | Rejection


@dataclass(frozen=True, slots=True)
class Batch:
    """Some events and rejections. `bytes_read`: of the source, compressed where it is, up to here.

    `counts` are what this batch added: blank lines, parts left out, ids derived, times without an offset and so on.
    """

    events: tuple[Event, ...]
    rejections: tuple[Rejection, ...]
    bytes_read: int
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Feed:
    """One source on its way in; `at` is the line, row or element under way."""

    stream: ByteStream
    name: str = ""
    mapper: Mapper = field(default_factory=lambda: Mapper({}))
    key: bytes = b""
    limit: int = MAX_LINE_BYTES
    counts: Counter[str] = field(default_factory=Counter)
    at: int = 0

    def reject(self, problem: BadEvent, raw: str) -> Rejection:
        """The line under way as a rejection."""
        return Rejection(self.at, problem.code, problem.reason, raw, self.name)


def batches(items: Iterator[Item], feed: Feed) -> Iterator[Batch]:
    """Collect; a stream that breaks off is a rejection of its own after everything that came before it."""
    events: list[Event] = []
    rejections: list[Rejection] = []
    chars = 0
    while True:
        try:
            item = next(items, None)
        except DamagedStream as error:
            item = Rejection(feed.at + 1, "damaged-stream", str(error), "", feed.name)
        if item is None:
            break
        if type(item) is Event:
            events.append(item)
            chars += len(item.user) + len(item.system)
        elif isinstance(item, Rejection):
            rejections.append(item)
            chars += len(item.raw)
        if len(events) + len(rejections) >= BATCH_EVENTS or chars >= BATCH_CHARS:
            yield _batch(events, rejections, feed)
            events, rejections, chars = [], [], 0
    last = _batch(events, rejections, feed)
    if events or rejections or last.counts:
        yield last


def _batch(events: list[Event], rejections: list[Rejection], feed: Feed) -> Batch:
    counts = dict(sorted(feed.counts.items()))
    feed.counts.clear()
    return Batch(tuple(events), tuple(rejections), feed.stream.bytes_read, counts)
