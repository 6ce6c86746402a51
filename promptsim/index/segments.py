"""a range of prompts → its files in a generation: built from the store, kept from the last generation, or thinned.

A segment is two indexes over the same prompts: lists of vectors (`lists`) and postings of fingerprints (`postings`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from promptsim.index import lists, postings
from promptsim.index.generation import Generation, Segment, link_or_copy
from promptsim.index.lists import Lists, Tuning
from promptsim.index.postings import Postings, PostingsWriter
from promptsim.index.rows import Halves
from promptsim.index.seal import Seal
from promptsim.index.spans import before, pairs_of
from promptsim.progress import Progress
from promptsim.records import Bools, DocumentBatch

JOIN_BELOW = 4  # an older segment smaller than this many times the new one is built into it: each costs every search


class Documents(Protocol):
    """The store's texts from a prompt number on, ascending."""

    def __call__(self, *, since_no: int) -> Iterator[DocumentBatch]: ...


@dataclass(frozen=True, slots=True)
class OpenSegment:
    """A segment ready to search."""

    segment: Segment
    lists: Lists
    postings: Postings

    def check_all(self) -> None:
        """Check every byte; raises DamagedError."""
        self.lists.file.check_all()
        self.postings.check_all()


def open_segments(held: Generation) -> tuple[OpenSegment, ...]:
    """Every segment of a generation; raises DamagedError."""
    files = dict(held.manifest.files)
    opened = []
    for segment in held.manifest.segments:
        name = held.folder / segment.name
        opened.append(OpenSegment(segment, Lists(name, files), Postings.open(name, files)))
    return tuple(opened)


def worth_keeping(segments: tuple[Segment, ...], stop: int) -> list[Segment]:
    """The segments that stay when the rest up to `stop` is built as one: each at least JOIN_BELOW times as large."""
    kept = list(segments)
    while kept:
        last = kept[-1]
        if stop == last.stop or last.stop - last.start >= JOIN_BELOW * (stop - last.stop):
            break
        kept.pop()
    return kept


def build(
    folder: Path, segment: Segment, rows: Halves, documents: Documents, tuning: Tuning, progress: Progress
) -> dict[str, Seal]:
    """Write a segment's files from the store; their seals."""
    name, count = folder / segment.name, segment.stop - segment.start
    with progress.stage("indexing vectors", total=3 * count) as stage:
        files = lists.build(name, rows, segment.start, segment.stop, tuning, stage)
    writer = PostingsWriter(name)
    with progress.stage("indexing texts", total=count) as stage:
        for whole in documents(since_no=segment.start):
            batch = before(whole, segment.stop)
            writer.add(*pairs_of(batch))
            stage.advance(batch.prompt_no.size)
            if batch.prompt_no.size < whole.prompt_no.size:
                break
    return files | writer.finish()


def keep(held: Generation, opened: OpenSegment, alive: Bools | None, folder: Path) -> tuple[Segment, dict[str, Seal]]:
    """Take a segment over from the last generation, without the prompts that were erased since."""
    segment = opened.segment
    left = living(alive, segment.start, segment.stop)
    if alive is not None and left != segment.prompts:
        opened.check_all()
        thinned = Segment(segment.start, segment.stop, left)
        name = folder / thinned.name
        link_or_copy(held.folder / (segment.name + lists.QUANTISER), folder / (thinned.name + lists.QUANTISER))
        return thinned, lists.thin(opened.lists, alive, name) | postings.thin(opened.postings, alive, name)
    files = {file: entry for file, entry in held.manifest.files.items() if file.split(".")[0] == segment.name}
    for file in files:
        link_or_copy(held.folder / file, folder / file)
    return segment, files


def living(alive: Bools | None, start: int, stop: int) -> int:
    """How many prompts in a range are not erased."""
    return stop - start if alive is None else int(np.count_nonzero(alive[start:stop]))
