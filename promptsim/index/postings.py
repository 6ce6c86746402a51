"""(fingerprint, prompt) pairs in any order → one sorted flat array → who holds a fingerprint.

    NAME.entries   uint64 each: 32 bits of the fingerprint, then 32 bits of the prompt's number, scrambled
    NAME.buckets   int64 each: where the fingerprints with the same first bits begin

The pairs are cut into PARTS by the fingerprint's first bits and sorted part by part, so that building needs memory for
one chunk, and 12 + 32 bits of a fingerprint are told apart. Within one fingerprint, entries stand in the order of the
scrambled number: the first ones are a fixed random sample of its prompts, the same prompts for every fingerprint that
they share, which is what a cap needs. About 8.3 bytes a pair.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from promptsim.errors import DamagedError
from promptsim.index.seal import Seal, SealedFile, seal
from promptsim.records import Bools, Int64s, UInt64s

ENTRIES, BUCKETS = ".entries", ".buckets"
PART_BITS = 12
PAIRS_PER_BUCKET = 32
CHUNK = 1 << 22  # pairs held in memory while building: about 200 MB with the sort's own needs
LOW = np.uint64(0xFFFFFFFF)
MOST_PROMPTS = 1 << 32


def scramble(numbers: Int64s) -> UInt64s:
    """A fixed one-to-one scrambling of 32-bit numbers, so that the lowest are a random sample."""
    x = numbers.astype(np.uint64)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x ^= x >> np.uint64(shift)
        x = (x * np.uint64(factor)) & LOW
    return x ^ (x >> np.uint64(16))


def unscramble(scrambled: UInt64s) -> Int64s:
    x = scrambled & LOW
    x = x ^ (x >> np.uint64(16))
    x = (x * np.uint64(0x7ED1B41D)) & LOW
    x = x ^ (x >> np.uint64(13)) ^ (x >> np.uint64(26))
    x = (x * np.uint64(0xA5CB9243)) & LOW
    numbers: Int64s = (x ^ (x >> np.uint64(16))).astype(np.int64)
    return numbers


@dataclass(frozen=True, slots=True)
class Postings:
    """Sorted pairs, in memory or mapped; `file` checks mapped entries before they are read."""

    entries: UInt64s
    buckets: Int64s
    file: SealedFile | None = None

    @staticmethod
    def of(prints: UInt64s, numbers: Int64s) -> Postings:
        """Postings in memory."""
        run, bounds = _run(prints, numbers)
        parts = list(_sorted_parts(run, [bounds]))
        counts = np.zeros(1 << bucket_bits(prints.size), np.int64)
        for part, entries in parts:
            _count(part, entries, counts)
        return Postings(np.concatenate([np.zeros(0, np.uint64), *(e for _, e in parts)]), _directory(_joined(counts)))

    @staticmethod
    def open(name: Path, files: dict[str, Seal]) -> Postings:
        """Map a segment's postings; raises DamagedError."""
        file = SealedFile(name.with_name(name.name + ENTRIES), files)
        buckets: Int64s = SealedFile(name.with_name(name.name + BUCKETS), files).array("<i8")
        entries: UInt64s = file.array("<u8")
        if buckets.size < 2 or buckets.size - 1 != 1 << bucket_bits(entries.size) or buckets[-1] != entries.size:
            raise DamagedError(f"{file.path}: its buckets do not fit it")
        return Postings(entries, buckets, file)

    def locate(self, prints: UInt64s) -> tuple[Int64s, Int64s]:
        """Where each fingerprint's entries begin and end."""
        bits = int(self.buckets.size - 1).bit_length() - 1
        bucket = (prints >> np.uint64(64 - bits)).astype(np.int64)
        lows, highs = self.buckets[bucket], self.buckets[bucket + 1]
        self.check(lows, highs)
        keys = _packed(prints, np.zeros(prints.size, np.uint64))
        starts, stops = lows.copy(), lows.copy()
        for i in np.flatnonzero(highs > lows).tolist():
            held = self.entries[lows[i] : highs[i]]
            starts[i] += np.searchsorted(held, keys[i])
            stops[i] += np.searchsorted(held, keys[i] | LOW, side="right")
        return starts, stops

    def check_all(self) -> None:
        if self.file is not None:
            self.file.check_all()

    def check(self, starts: Int64s, stops: Int64s) -> None:
        if self.file is not None:
            used = stops > starts
            self.file.check(starts[used] * 8, stops[used] * 8)


class PostingsWriter:
    """Takes pairs as they come, writes sorted postings: memory for one chunk, disk for the pairs twice."""

    def __init__(self, name: Path) -> None:
        self.name = name
        self._run_path = name.with_name(name.name + ".run")
        self._run: IO[bytes] = self._run_path.open("w+b")
        self._held: list[tuple[UInt64s, Int64s]] = []
        self._size = 0
        self._bounds: list[Int64s] = []  # of each run, where its parts begin, in pairs

    def add(self, prints: UInt64s, numbers: Int64s) -> None:
        """Each fingerprint with the number of a prompt that holds it; repeats are dropped."""
        if numbers.size and int(numbers.max()) >= MOST_PROMPTS:
            raise ValueError(f"more than {MOST_PROMPTS} prompts")
        self._held.append((prints, numbers))
        self._size += prints.size
        if self._size >= CHUNK:
            self._flush()

    def finish(self) -> dict[str, Seal]:
        """Sort, write and seal; the seals of the files."""
        self._flush()
        self._run.close()
        try:
            total = int(self._bounds[-1][-1]) if self._bounds else 0
            run = np.memmap(self._run_path, np.uint64, "r").view(np.ndarray) if total else np.zeros(0, np.uint64)
            counts = np.zeros(1 << bucket_bits(total), np.int64)
            with self.name.with_name(self.name.name + ENTRIES).open("wb") as out:
                for part, entries in _sorted_parts(run, self._bounds):
                    _count(part, entries, counts)
                    out.write(entries.astype("<u8", copy=False).data)
        finally:
            self._run_path.unlink()
        return _sealed(self.name, counts)

    def _flush(self) -> None:
        """Write what is held as one run: its pairs grouped by part, as (fingerprint's bits, scrambled number)."""
        if not self._size:
            return
        run, bounds = _run(*joined(self._held))
        self._bounds.append(bounds + (self._bounds[-1][-1] if self._bounds else 0))
        self._run.write(run.data)
        self._run.flush()
        self._held, self._size = [], 0


def thin(held: Postings, alive: Bools, name: Path) -> dict[str, Seal]:
    """Write the postings again without erased prompts."""
    kept = np.zeros(held.buckets.size, np.int64)  # pairs that stay, before each bucket
    step = max(1, CHUNK // PAIRS_PER_BUCKET)
    with name.with_name(name.name + ENTRIES).open("wb") as out:
        for first in range(0, held.buckets.size - 1, step):
            edges = held.buckets[first : first + step + 1]
            entries = held.entries[edges[0] : edges[-1]]
            stays = alive[unscramble(entries)]
            kept[first : first + edges.size] = kept[first] + _directory(stays)[edges - edges[0]]
            out.write(entries[stays].data)
    return _sealed(name, np.diff(kept))


def _sealed(name: Path, counts: Int64s) -> dict[str, Seal]:
    """Write the directory beside the entries and seal both."""
    directory = name.with_name(name.name + BUCKETS)
    directory.write_bytes(_directory(_joined(counts)).astype("<i8").data)
    return seal(name.with_name(name.name + ENTRIES)) | seal(directory, whole_up_to=1 << 62)


def bucket_bits(pairs: int) -> int:
    """How many of a fingerprint's first bits choose its bucket."""
    return max(PART_BITS, (max(1, pairs) // PAIRS_PER_BUCKET).bit_length())


def held_by(part: Postings, start: int, stop: int) -> Int64s:
    """The prompts in a range of entries, in their sampling order."""
    return unscramble(part.entries[start:stop])


def contains(part: Postings, start: int, stop: int, scrambled: UInt64s) -> Bools:
    """Which prompts (scrambled numbers) stand in the range of one fingerprint's entries."""
    held = part.entries[start:stop]
    if not held.size:
        return np.zeros(scrambled.size, np.bool_)
    wanted = (held[0] & ~LOW) | scrambled
    place = np.minimum(np.searchsorted(held, wanted), held.size - 1)
    found: Bools = held[place] == wanted
    return found


def _packed(prints: UInt64s, scrambled: UInt64s) -> UInt64s:
    return ((prints << np.uint64(PART_BITS)) & ~LOW) | scrambled


def _distinct(entries: UInt64s) -> UInt64s:
    return entries[np.concatenate(([True], entries[1:] != entries[:-1]))] if entries.size else entries


def _run(prints: UInt64s, numbers: Int64s) -> tuple[UInt64s, Int64s]:
    """Pairs as entries, grouped by part but not sorted yet, and where each part begins and the last one ends."""
    part = (prints >> np.uint64(64 - PART_BITS)).astype(np.uint16)
    order = np.argsort(part, kind="stable")
    return _packed(prints[order], scramble(numbers[order])), _directory(np.bincount(part, minlength=1 << PART_BITS))


def _sorted_parts(run: UInt64s, bounds: Sequence[Int64s]) -> Iterator[tuple[int, UInt64s]]:
    """Each part that has entries, sorted and without repeats; `bounds` are those of the runs that `run` consists of."""
    if not bounds:
        return
    edges = np.stack(bounds)
    for part in np.flatnonzero((edges[:, 1:] > edges[:, :-1]).any(axis=0)).tolist():
        pieces = [run[a:b] for a, b in edges[:, part : part + 2].tolist()]
        yield part, _distinct(np.sort(np.concatenate(pieces)))


def _count(part: int, entries: UInt64s, counts: Int64s) -> None:
    """Add a part's entries to its buckets."""
    extra = counts.size.bit_length() - 1 - PART_BITS
    if not extra:
        counts[part] += entries.size
        return
    bucket = (entries >> np.uint64(64 - extra)).astype(np.int64)
    counts[part << extra : (part + 1) << extra] += np.bincount(bucket, minlength=1 << extra)


def _joined(counts: Int64s) -> Int64s:
    """Neighbouring buckets joined, where there are more than the total calls for (repeats or erased ones went)."""
    summed: Int64s = counts.reshape(1 << bucket_bits(int(counts.sum())), -1).sum(axis=1)
    return summed


def _directory(counts: Int64s | Bools) -> Int64s:
    return np.concatenate(([0], np.cumsum(counts))).astype(np.int64)


def joined(pairs: Sequence[tuple[UInt64s, Int64s]]) -> tuple[UInt64s, Int64s]:
    """Several pieces of (fingerprints, numbers) as one."""
    if not pairs:
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    return np.concatenate([p for p, _ in pairs]), np.concatenate([n for _, n in pairs])
