"""the store's vectors and texts → an index over them, kept in generations → search.

    generation on disk (segments of vectors and postings) ─┐
    newer prompts, straight from the store (the tail) ─────┴─► nearest, sharing

Everything here can be deleted: without a generation every search is exact and slow, and `rebuild` makes a new one.
A rebuild adds the tail as a segment and joins it with older segments that are not at least twice as large, so that
each prompt is written some log₂(n) times and few segments stand at any time.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

import numpy as np

from promptsim.errors import DamagedError, EncoderMismatchError, StorageFullError
from promptsim.index import generation as gen
from promptsim.index import segments
from promptsim.index.generation import Generation, Identity, Manifest, Segment
from promptsim.index.lists import Tuning
from promptsim.index.prints import TEXT_VERSION
from promptsim.index.rows import Halves
from promptsim.index.seal import Seal
from promptsim.index.segments import Documents, OpenSegment
from promptsim.index.spans import SpanHits, SpanIndex
from promptsim.index.vectors import VectorIndex
from promptsim.progress import Progress, Silent
from promptsim.records import Bools, Floats, Int64s

TAIL_ROWS = 20_000  # searched row by row: about 3 ms
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """What `promptsim status` says: state is "current", "none" (nothing built yet), "stale" or "damaged"."""

    state: str
    generation: str | None
    prompts: int
    indexed: int
    segments: int
    bytes: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A generation with its segments ready to search; nothing, where there is none that fits."""

    generation: Generation | None = None
    segments: tuple[OpenSegment, ...] = ()
    state: str = "none"
    reason: str = ""

    @property
    def covered(self) -> int:
        return self.segments[-1].segment.stop if self.segments else 0


class Index:
    """Search over all prompts of a home; `vectors` and `spans` are its two halves."""

    def __init__(
        self,
        folder: Path,
        vectors: Halves,
        encoder_name: str,
        encoder_digest: str,
        documents: Documents,
        alive: Bools | None = None,
        *,
        reindex: bool = False,
        tuning: Tuning | None = None,
    ) -> None:
        self.folder, self.tuning = folder, tuning or Tuning()
        self._names, self._documents, self._reindex = (encoder_name, encoder_digest), documents, reindex
        self._rows, self._alive = vectors, _fitted(alive, len(vectors))
        self._adopt(self._open())

    @classmethod
    def open(
        cls,
        folder: Path,
        vectors: Halves,
        encoder_name: str,
        encoder_digest: str,
        documents: Documents,
        alive: Bools | None = None,
        *,
        reindex: bool = False,
    ) -> Self:
        """Open the current generation under `folder`.

        `vectors` are the store's rows float16 [n, d] (a row of zeros: empty or erased), `documents(since_no=…)` its
        texts from a prompt number on, `alive` a mask of prompts that were not erased. Raises EncoderMismatchError when
        the generation belongs to another encoder, unless `reindex` says that it is about to be replaced. One that is
        missing, damaged or of an older text version is not used: searches are then exact and slow until `rebuild`, and
        `status` says why.
        """
        return cls(folder, vectors, encoder_name, encoder_digest, documents, alive, reindex=reindex)

    def nearest(self, queries: Floats, k: int, allowed: Bools | None = None) -> tuple[Floats, Int64s]:
        """The k closest prompts of each query by cosine; see `VectorIndex.search`."""
        return self._answered(lambda: self.vectors.search(queries, k, allowed))

    def sharing(self, system: str, user: str, limit: int, allowed: Bools | None = None) -> SpanHits:
        """The prompts that share the most, and longest, runs of tokens with a text; see `SpanIndex.search`."""
        return self._answered(lambda: self.spans.search(system, user, limit, allowed))

    def refresh(self, vectors: Halves, alive: Bools | None = None) -> None:
        """The store has grown or prompts were erased, here or in another process, which may also have rebuilt."""
        self._rows, self._alive = vectors, _fitted(alive, len(vectors))
        held = self._opened.generation
        try:
            named = gen.current_name(self.folder)
        except DamagedError:
            named = None
        if (named and named[0]) != (held and held.name) or self._opened.covered > len(vectors):
            self._adopt(self._open())
            return
        self.vectors.refresh(vectors, self._alive)
        self.spans.refresh(len(vectors), self._alive)

    def read_tail(self) -> None:
        """Read the newest texts now, so that no search has to."""
        self.spans.read_tail()

    @property
    def needs_rebuild(self) -> bool:
        """Whether searches would gain from a rebuild: the tail is long, or the generation cannot be used."""
        return self._opened.state in ("damaged", "stale") or len(self._rows) - self._opened.covered > TAIL_ROWS

    def rebuild(self, progress: Progress | None = None, *, full: bool = False) -> None:
        """Index everything that the store holds, without what was erased, and swap it in; `full` builds all anew.

        Raises BusyError when another process is building. Readers go on meanwhile, and after a kill.
        """
        progress = progress or Silent()
        stop = len(self._rows)
        with full_disk_explained(self.folder), gen.building(self.folder) as folder:
            self.refresh(self._rows, self._alive)
            files: dict[str, Seal] = {}
            kept: list[Segment] = []
            for opened in self._worth_keeping(stop) if not full else ():
                assert self._opened.generation is not None
                segment, more = segments.keep(self._opened.generation, opened, self._alive, folder)
                kept.append(segment)
                files |= more
            start = kept[-1].stop if kept else 0
            if stop > start:
                kept.append(Segment(start, stop, segments.living(self._alive, start, stop)))
                files |= segments.build(folder, kept[-1], self._rows, self._documents, self.tuning, progress)
            name = gen.publish(
                self.folder, folder, Manifest("vectors+spans", self._identity(), stop, tuple(kept), files)
            )
            self._adopt(self._open())
            gen.remove_old(self.folder, keep=name)

    def status(self) -> IndexStatus:
        held = self._opened.generation
        size = sum(entry.size for entry in held.manifest.files.values()) if held else 0
        state, reason = self._opened.state, self._opened.reason
        if state == "none" and not self.needs_rebuild:
            reason = "not needed yet: so few prompts are searched one by one"
        name = held.name if held else None
        return IndexStatus(state, name, len(self._rows), self._opened.covered, len(self._opened.segments), size, reason)

    def check(self) -> list[str]:
        """Read and check every byte of the generation; what is wrong with it, if anything."""
        if self._opened.state != "current":
            return [f"index: {self._opened.reason}"] if self._opened.reason else []
        try:
            for opened in self._opened.segments:
                opened.check_all()
        except DamagedError as error:
            self._adopt(_Opened(state="damaged", reason=str(error)))
            return [f"index: {error}"]
        return []

    def close(self) -> None:
        if self._opened.generation is not None:
            self._opened.generation.close()

    def _identity(self) -> Identity:
        return Identity(*self._names, int(self._rows.shape[1]), TEXT_VERSION)

    def _open(self) -> _Opened:
        try:
            held = gen.open_current(self.folder)
            if held is None:
                return _Opened()
            return self._opened_parts(held)
        except DamagedError as error:
            return _Opened(state="damaged", reason=str(error))

    def _opened_parts(self, held: Generation) -> _Opened:
        problem = self._misfit(held.manifest)
        if problem:
            held.close()
            return _Opened(state="stale", reason=problem)
        return _Opened(held, segments.open_segments(held), "current")

    def _misfit(self, manifest: Manifest) -> str:
        """Why a whole generation cannot be used; raises EncoderMismatchError where the fix is the user's to choose."""
        built, wanted = manifest.identity, self._identity()
        if not manifest.count:
            return ""
        if manifest.count > len(self._rows):
            return f"covers {manifest.count} prompts, the store has {len(self._rows)}"
        if (built.encoder_digest, built.dimension) != (wanted.encoder_digest, wanted.dimension):
            said = (
                f"the index was built with the encoder {built.encoder_name} ({built.encoder_digest[:12]}, "
                f"{built.dimension} dimensions), not {wanted.encoder_name} ({wanted.encoder_digest[:12]}, "
                f"{wanted.dimension} dimensions): run `promptsim reindex`"
            )
            if not self._reindex:
                raise EncoderMismatchError(said)
            return said
        if built.text_version != wanted.text_version:
            return f"its texts were read by rules {built.text_version}, this release has {wanted.text_version}"
        return ""

    def _adopt(self, opened: _Opened) -> None:
        left = getattr(self, "_opened", None)
        self._opened = opened
        vectors = [each.lists for each in opened.segments]
        spans = [each.postings for each in opened.segments]
        self.vectors = VectorIndex(self._rows, vectors, opened.covered, self._alive)
        self.spans = SpanIndex(len(self._rows), spans, opened.covered, self._documents, self._alive)
        if left is not None and left.generation is not None:
            left.generation.close()

    def _worth_keeping(self, stop: int) -> tuple[OpenSegment, ...]:
        kept = segments.worth_keeping(tuple(each.segment for each in self._opened.segments), stop)
        return self._opened.segments[: len(kept)]

    def _answered(self, ask: Callable[[], Answer]) -> Answer:
        """The answer; if the generation proves damaged, the answer without it."""
        try:
            return ask()
        except DamagedError as error:
            self._adopt(_Opened(state="damaged", reason=str(error)))
            return ask()


@contextlib.contextmanager
def full_disk_explained(folder: Path) -> Iterator[None]:
    """A full disk as an error that names what to do; the generation before goes on answering."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise StorageFullError(f"no space left for the index in {folder}: free some and run it again") from error


def _fitted(alive: Bools | None, count: int) -> Bools | None:
    """The mask cut or stretched to `count` prompts: what it does not know yet is alive."""
    if alive is None or alive.size == count:
        return alive
    fitted = np.ones(count, np.bool_)
    fitted[: alive.size] = alive[:count]
    return fitted
