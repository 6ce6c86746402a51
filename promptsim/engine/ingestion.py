"""Events → fingerprints → vectors of the texts not seen before → one durable batch in the store.

An event is one send, a prompt one distinct text: a known text is not embedded again, and its second sender is
never forgotten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from promptsim.encode.encoder import Encoder
from promptsim.engine.known import known
from promptsim.engine.placing import place
from promptsim.engine.watching import watch
from promptsim.intake.formats import read
from promptsim.intake.rejects import RejectsWriter
from promptsim.progress import Progress, Silent
from promptsim.records import DocumentBatch, Event, Floats, Ingested, Rejection, whole_text
from promptsim.store.core import EncoderIdentity
from promptsim.store.store import Store
from promptsim.text.fingerprint import fingerprint

BATCH = 8_192
REJECTIONS_SHOWN = 5
SAME_TEXT_WARNING = 0.05  # above this share of one text, logs are more often redacted than people alike
WARNING_FLOOR = 200  # events below which a share says nothing


@dataclass
class IngestReport:
    """Running totals of one ingest call."""

    accepted: int = 0
    known: int = 0
    rejected: int = 0
    new_prompts: int = 0
    turns_left_out: int = 0
    first_rejections: list[Rejection] = field(default_factory=list)
    rejection_codes: Counter[str] = field(default_factory=Counter)
    conflicts: int = 0  # events known by their id, but with another account or text: the first one stands
    counts: Counter[str] = field(default_factory=Counter)  # liberties taken while reading, by name
    warnings: list[str] = field(default_factory=list)

    def add(self, done: Ingested, events: Sequence[Event]) -> None:
        """Count one stored batch."""
        self.accepted += done.accepted
        self.known += done.known
        self.new_prompts += done.new_prompts
        self.conflicts += done.conflicts
        self.turns_left_out += sum(event.turns_left_out for event in events)

    def reject(self, rejections: Sequence[Rejection]) -> None:
        """Count rejected lines and keep the first for the reader."""
        self.rejected += len(rejections)
        self.rejection_codes.update(rejection.code for rejection in rejections)
        self.first_rejections.extend(rejections[: max(0, REJECTIONS_SHOWN - len(self.first_rejections))])

    def sentence(self) -> str:
        """The totals for a person."""
        said = f"{self.accepted:,} accepted, {self.known:,} already known, {self.rejected:,} rejected; "
        said += f"{self.new_prompts:,} new prompts"
        if self.turns_left_out:
            said += f"; {self.turns_left_out:,} assistant and tool turns are not part of prompts"
        return said

    def notes(self) -> str:
        """What was done to make events of the input, for a person; "" where nothing was."""
        return ", ".join(f"{count:,} {name.replace('-', ' ')}" for name, count in sorted(self.counts.items()))

    def as_row(self) -> dict[str, object]:
        """The totals as JSON."""
        return {
            "accepted": self.accepted,
            "known": self.known,
            "rejected": self.rejected,
            "new_prompts": self.new_prompts,
            "turns_left_out": self.turns_left_out,
            "rejection_codes": dict(sorted(self.rejection_codes.items())),
            "conflicts": self.conflicts,
            "counts": dict(sorted(self.counts.items())),
            "warnings": list(self.warnings),
        }


def ingest_events(store: Store, encoder: Encoder, events: Iterable[Event]) -> IngestReport:
    """Store events in batches; each batch is durable before the next is begun."""
    report = IngestReport()
    for batch in _batches(events):
        report.add(store_batch(store, encoder, batch), batch)
    return report


def ingest_files(
    store: Store,
    encoder: Encoder,
    sources: Sequence[Path | BinaryIO],
    *,
    format: str = "auto",
    mapping: Mapping[str, str] | None = None,
    rejects: Path | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Read, check and store files; bad lines are counted, kept in `rejects`, and never cost the good ones."""
    report = IngestReport()
    joined_before = store.join_count()
    texts: Counter[bytes] = Counter()
    with RejectsWriter(rejects) as kept:
        for source in sources:
            name = source.name if isinstance(source, Path) else "<stdin>"
            with (progress or Silent()).stage(f"ingesting {name}") as stage:
                for batch in read(source, format=format, mapping=mapping or {}, source_name=name, key=store.key):
                    report.counts.update(batch.counts)
                    report.reject(batch.rejections)
                    kept.write(batch.rejections)
                    if batch.events:
                        prints = fingerprints(store, batch.events)
                        texts.update(prints)
                        report.add(store_batch(store, encoder, batch.events, prints), batch.events)
                    stage.advance(len(batch.events) + len(batch.rejections))
                    _forget_rare(texts)
    report.warnings.extend(_warnings(texts, report))
    joined = store.join_count() - joined_before
    if joined:
        report.warnings.append(f"{joined:,} accounts joined families judged coordinated: promptsim alerts lists them")
    return report


def fingerprints(store: Store, events: Sequence[Event]) -> list[bytes]:
    """The keyed content fingerprint of each event's prompt."""
    return [fingerprint(event.system, event.user, store.key) for event in events]


def store_batch(
    store: Store, encoder: Encoder, events: Sequence[Event], prints: Sequence[bytes] | None = None
) -> Ingested:
    """Embed what is new in one batch and store the batch durably."""
    prints = fingerprints(store, events) if prints is None else prints
    numbers = store.lookup(prints)
    fresh = {
        key: whole_text(event.system, event.user)
        for key, event, number in zip(prints, events, numbers, strict=True)
        if number < 0
    }
    vectors = encoder.encode(list(fresh.values()))
    done = store.append(events, prints, dict(zip(fresh, vectors, strict=True)))
    if fresh and known(store).places:
        texts = {key: (event.system, event.user) for key, event in zip(prints, events, strict=True) if key in fresh}
        place(store, store.lookup(list(texts)), list(texts.values()))
    if done.accepted:
        watch(store)
    return done


def embed_again(store: Store, encoder: Encoder, identity: EncoderIdentity, progress: Progress) -> None:
    """Replace every stored vector by this encoder's; search goes on with the old ones until the change-over."""
    with progress.stage("embedding again", total=store.counts().prompts) as stage:

        def encode(batch: DocumentBatch) -> Floats:
            vectors = encoder.encode([whole_text(s, u) for s, u in zip(batch.system, batch.user, strict=True)])
            stage.advance(len(vectors))
            return vectors

        store.reencode(identity, encode)


def _batches(events: Iterable[Event]) -> Iterator[Sequence[Event]]:
    stream = iter(events)
    while batch := list(islice(stream, BATCH)):
        yield batch


def _forget_rare(texts: Counter[bytes], most: int = 200_000) -> None:
    """Keep the count of repeated texts bounded: what was seen once so far cannot be 5 % of a large input."""
    if len(texts) > most:
        for key in [key for key, count in texts.items() if count == 1]:
            del texts[key]


def _warnings(texts: Counter[bytes], report: IngestReport) -> Iterator[str]:
    if report.conflicts:
        yield (
            f"{report.conflicts:,} events have the id of an earlier event with another account or text: only the "
            "earlier one is kept; give each event an id of its own, or none at all"
        )
    total = report.accepted + report.known + report.rejected
    if total < WARNING_FLOOR:
        return
    empty = report.rejection_codes["empty-text"] + report.rejection_codes["redacted"]
    if empty > SAME_TEXT_WARNING * total:
        yield f"{empty / total:.0%} of the input has no text or a redaction place-holder: is the log redacted?"
    for _, count in texts.most_common(1):
        if count > SAME_TEXT_WARNING * total:
            yield f"{count / total:.0%} of the input is one identical text: a place-holder, or the wrong column?"
