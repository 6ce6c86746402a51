"""a text → the prompts that share long runs of tokens with it, however large the rest of them is.

    fingerprints of the text ─► rarest first: who holds them ─► candidates ─► which fingerprints each shares ─► ranked

Whole-text vectors do not see a fixed instruction in a long payload; a shared run of 13 tokens is always seen here. A
fingerprint counts for more the fewer prompts hold it. One that very many hold is read as a sample (the same prompts for
every such fingerprint), and that is counted in the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from promptsim.index.postings import Postings, contains, held_by, joined, scramble
from promptsim.index.prints import RUN, SHINGLE, prints_of
from promptsim.index.rows import eligible
from promptsim.records import Bools, DocumentBatch, Floats, Int32s, Int64s, UInt64s

MOST_PRINTS = 4096  # of one query; a text of 85 words has about 22
MOST_HOLDERS = 1000  # prompts taken from one fingerprint
MOST_READ = 20_000  # entries read for one fingerprint under a filter that allows many prompts
FEW_ALLOWED = 20_000  # allowed prompts that are looked up one by one, so that nothing is cut
MOST_TAIL = 200_000  # prompts held in memory beside the generation
TAIL_FACTOR = 4  # a part of the tail is joined to one that is at most so many times larger
SPARE = 200  # candidates counted in full beyond the limit
EMPTY_GAP = SHINGLE + RUN


@dataclass(frozen=True, slots=True)
class SpanHits:
    """Prompts that share fingerprints with a text, best first; the arrays have one length.

    `weight` is the shared part of the text's fingerprints in [0, 1], rare ones counting for more; `shared` counts them
    (of `prints`); `run` estimates the longest shared run in tokens, from below. `capped` fingerprints were too common
    to be read in full; `unread` ones of a very long text were left out; `unsearched` prompts are not indexed yet.
    """

    prompt_no: Int64s
    weight: Floats
    shared: Int32s
    run: Int32s
    prints: int
    capped: int = 0
    unread: int = 0
    unsearched: int = 0


@dataclass(frozen=True, slots=True)
class _Query:
    """The distinct fingerprints of a text, and each occurrence in order: which one, and at which token."""

    prints: UInt64s
    which: Int64s
    places: Int64s
    unread: int


@dataclass(frozen=True, slots=True)
class _Newer:
    """Some of the texts that no segment has: their fingerprints with the prompts' numbers, and the same sorted."""

    pairs: tuple[UInt64s, Int64s]
    postings: Postings


class SpanIndex:
    """Search over segments' postings, which cover the first `covered` prompts, and the texts of what is newer.

    `documents(since_no=…)` gives the stored texts from that number on, ascending.
    """

    def __init__(
        self,
        count: int,
        segments: Sequence[Postings],
        covered: int,
        documents: Callable[..., Iterator[DocumentBatch]],
        alive: Bools | None = None,
    ) -> None:
        self.segments, self.covered, self._documents = tuple(segments), covered, documents
        self._tail: list[_Newer] = []
        self._tail_stop = self._tail_start = covered
        self.refresh(count, alive)

    def refresh(self, count: int, alive: Bools | None = None) -> None:
        """The store has grown to `count` prompts, or prompts were erased. New texts are read at the next search."""
        self.count = count
        self.alive = None if alive is None or alive.all() else alive

    def search(self, system: str, user: str, limit: int, allowed: Bools | None = None) -> SpanHits:
        """The `limit` prompts that share most with the text, by weight, then lowest number."""
        query = _query(system, user)
        self.read_tail()
        parts = (*self.segments, *(each.postings for each in self._tail))
        found = [part.locate(query.prints) for part in parts]
        held = sum((stops - starts for starts, stops in found), np.zeros(query.prints.size, np.int64))
        rarity = np.log1p(max(1, self.count) / np.maximum(held, 1)).astype(np.float32)
        holders, capped = self._holders(parts, found, query.prints.size, eligible(allowed, self.alive, self.count))
        numbers = _most_weight(holders, rarity, limit + SPARE)
        shares = _shares(parts, found, numbers, query.prints.size)
        weight = shares @ rarity / max(float(rarity.sum()), 1e-9)
        order = np.lexsort((numbers, -weight))[:limit]
        return SpanHits(
            prompt_no=numbers[order],
            weight=weight[order].astype(np.float32),
            shared=shares[order].sum(axis=1).astype(np.int32),
            run=_longest_run(shares[order], query),
            prints=int(query.prints.size),
            capped=capped,
            unread=query.unread,
            unsearched=self._tail_start - self.covered,
        )

    def _holders(
        self, parts: Sequence[Postings], found: Sequence[tuple[Int64s, Int64s]], prints: int, mask: Bools | None
    ) -> tuple[list[Int64s], int]:
        """For each fingerprint the prompts that hold it (of very many a fixed sample), and how many were cut."""
        few = _few(mask)
        capped, lists = 0, []
        for i in range(prints):
            read = [
                _read(part, int(starts[i]), int(stops[i]), mask, few)
                for part, (starts, stops) in zip(parts, found, strict=True)
            ]
            numbers = np.concatenate([np.zeros(0, np.int64), *(numbers for numbers, _ in read)])
            cut = any(cut for _, cut in read)
            if numbers.size > MOST_HOLDERS:
                cut, numbers = True, numbers[np.argsort(scramble(numbers))[:MOST_HOLDERS]]
            capped += cut
            lists.append(numbers)
        return lists, capped

    def read_tail(self) -> None:
        """Take in the texts that came after the generation, or after the last search.

        A few new ones are sorted by themselves and joined to older ones when those are not many more: under a stream
        of new texts each is sorted a few times, not once for every batch after it.
        """
        if self._tail_stop >= self.count:
            return
        if self.count - self._tail_stop > MOST_TAIL:  # nothing was built for long: only the newest are held
            self._tail.clear()
            self._tail_start = self._tail_stop = self.count - MOST_TAIL
        pairs = []
        for batch in self._documents(since_no=self._tail_stop):
            batch = before(batch, self.count)
            pairs.append(pairs_of(batch))
            if batch.prompt_no.size == 0 or batch.prompt_no[-1] >= self.count - 1:
                break
        self._tail_stop = self.count
        fresh = joined(pairs)
        while self._tail and self._tail[-1].pairs[0].size <= TAIL_FACTOR * fresh[0].size:
            fresh = joined([self._tail.pop().pairs, fresh])
        self._tail.append(_Newer(fresh, Postings.of(*fresh)))


def _few(mask: Bools | None) -> tuple[Int64s, UInt64s] | None:
    """The allowed prompts and their scrambled numbers, if they are few enough to look each of them up."""
    if mask is None or np.count_nonzero(mask) > FEW_ALLOWED:
        return None
    numbers = np.flatnonzero(mask).astype(np.int64)
    return numbers, scramble(numbers)


def _read(
    part: Postings, start: int, stop: int, mask: Bools | None, few: tuple[Int64s, UInt64s] | None
) -> tuple[Int64s, bool]:
    """The allowed prompts among the entries of one fingerprint, and whether some were not read."""
    if few is not None and stop - start > len(few[0]):
        return few[0][contains(part, start, stop, few[1])], False
    most = MOST_HOLDERS + 1 if mask is None else MOST_READ
    numbers = held_by(part, start, min(stop, start + most))
    return (numbers if mask is None else numbers[mask[numbers]]), stop - start > most


def pairs_of(batch: DocumentBatch) -> tuple[UInt64s, Int64s]:
    """Every fingerprint in a batch with the number of its prompt."""
    pieces = []
    for texts in (batch.system, batch.user):
        prints = prints_of(texts)
        pieces.append((prints.hashes, np.repeat(batch.prompt_no, np.diff(prints.offsets))))
    return joined(pieces)


def before(batch: DocumentBatch, stop: int) -> DocumentBatch:
    """The documents numbered below `stop`."""
    keep = int(np.searchsorted(batch.prompt_no, stop))
    if keep == batch.prompt_no.size:
        return batch
    return DocumentBatch(batch.prompt_no[:keep], batch.system[:keep], batch.user[:keep])


def _query(system: str, user: str) -> _Query:
    prints = prints_of([system, user])
    places = prints.places.astype(np.int64)
    places[prints.offsets[1] :] += prints.tokens[0] + EMPTY_GAP
    hashes, unread = prints.hashes, 0
    distinct = np.unique(hashes)
    if distinct.size > MOST_PRINTS:  # the lowest hashes: a fixed sample, the same for the same passage anywhere
        unread = distinct.size - MOST_PRINTS
        distinct = distinct[:MOST_PRINTS]
        keep = hashes <= distinct[-1]
        hashes, places = hashes[keep], places[keep]
    return _Query(distinct, np.searchsorted(distinct, hashes).astype(np.int64), places, unread)


def _most_weight(lists: Sequence[Int64s], rarity: Floats, most: int) -> Int64s:
    """The prompts whose fingerprints in the lists weigh most, ascending."""
    if not lists:
        return np.zeros(0, np.int64)
    numbers, inverse = np.unique(np.concatenate(lists), return_inverse=True)
    weights = np.bincount(inverse, np.repeat(rarity, [held.size for held in lists]), minlength=numbers.size)
    if numbers.size <= most:
        return numbers
    return np.sort(numbers[np.lexsort((numbers, -weights))[:most]])


def _shares(parts: Sequence[Postings], found: Sequence[tuple[Int64s, Int64s]], numbers: Int64s, prints: int) -> Bools:
    """[numbers, fingerprints]: which prompt holds which fingerprint, by looking each up: caps have no effect here."""
    scrambled = scramble(numbers)
    shares = np.zeros((numbers.size, prints), np.bool_)
    for part, (starts, stops) in zip(parts, found, strict=True):
        for i in np.flatnonzero(stops > starts).tolist():
            shares[:, i] |= contains(part, int(starts[i]), int(stops[i]), scrambled)
    return shares


def _longest_run(shares: Bools, query: _Query) -> Int32s:
    """Tokens from the first to the last of neighbouring fingerprints that are all shared, at its longest."""
    longest, begun = np.zeros(len(shares), np.int64), np.zeros(len(shares), np.int64)
    before, end = np.zeros(len(shares), np.bool_), -EMPTY_GAP
    for which, place in zip(query.which.tolist(), query.places.tolist(), strict=True):
        here = shares[:, which]
        begun = np.where(here & before & (place - end < EMPTY_GAP), begun, place)
        longest = np.where(here, np.maximum(longest, place + SHINGLE - begun), longest)
        before, end = here, place
    return longest.astype(np.int32)
