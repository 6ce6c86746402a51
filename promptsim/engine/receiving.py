"""The body of an ingest request → one durable batch → what became of each item, in order.

A bad item costs nobody else anything. When this returns, everything accepted is on the disk.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from io import BytesIO

from promptsim.encode.encoder import Encoder
from promptsim.engine.ingestion import store_batch
from promptsim.errors import UsageError
from promptsim.intake.batch import Feed
from promptsim.intake.jsonl import read_json
from promptsim.intake.lines import MAX_LINE_BYTES
from promptsim.intake.stream import ByteStream, Counted
from promptsim.records import Event, Rejection
from promptsim.store.store import Store

MOST_ITEMS = 20_000  # of one request: one transaction, so that the answer is true for all of it at once


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one request: its items in order, and which events are new."""

    items: tuple[Event | Rejection, ...]
    fresh: tuple[bool, ...]  # of each event among the items, in order: accepted (new), or already known
    new_prompts: int
    counts: dict[str, int] = field(default_factory=dict)  # liberties taken while reading, by name

    @property
    def accepted(self) -> int:
        return sum(self.fresh)

    @property
    def known(self) -> int:
        return len(self.fresh) - self.accepted

    @property
    def rejections(self) -> tuple[Rejection, ...]:
        return tuple(item for item in self.items if isinstance(item, Rejection))

    @property
    def accepted_events(self) -> tuple[Event, ...]:
        """The events that were new."""
        events = (item for item in self.items if isinstance(item, Event))
        return tuple(event for event, fresh in zip(events, self.fresh, strict=True) if fresh)


def read_items(body: bytes, key: bytes) -> tuple[list[Event | Rejection], Counter[str]]:
    """JSON lines, a JSON array or one JSON object → events and rejections, in order. UsageError beyond the cap."""
    counted = Counted(BytesIO(body))
    feed = Feed(ByteStream(counted, counted, None), "request", key=key, limit=MAX_LINE_BYTES)
    items: list[Event | Rejection] = []
    for item in read_json(feed):
        items.append(item)
        if len(items) > MOST_ITEMS:
            raise UsageError(f"more than {MOST_ITEMS:,} items in one request: send them in several")
    return items, feed.counts


def receive(store: Store, encoder: Encoder, items: list[Event | Rejection], counts: Counter[str]) -> Receipt:
    """Store what can be stored, all of it or nothing."""
    events = [item for item in items if isinstance(item, Event)]
    if not events:
        return Receipt(tuple(items), (), 0, dict(counts))
    done = store_batch(store, encoder, events)
    return Receipt(tuple(items), done.outcomes, done.new_prompts, dict(sorted(counts.items())))
