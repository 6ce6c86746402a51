"""16-byte keys ─► numbers: which fingerprint is which prompt, which event id which event.

The database holds the truth in the order of arrival; this finds it. A finder is a chain of sorted runs (arrays in
files under `keys/`, mapped) that cover numbers 0…n, and a dictionary for the newest. Full dictionaries become runs and
runs of like size are merged, so that each key is moved about log2(n / SPILL) times, always in sequence; a b-tree would
write a page for every key. The files can be deleted at any time: they are made again from the database.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xxhash

from promptsim.records import Int32s, Int64s, UInt64s

Pairs = tuple[list[bytes], list[int]]
# Rows (key, number) of `first <= number < last`, in any number of lists.
Source = Callable[[int, int], Iterator[Pairs]]

KEY_BYTES = 16
SPILL = 262_144
MAGIC = b"PSKEYS01"
_NAME = re.compile(r"(?P<kind>[a-z]+)-(?P<epoch>\d+)-(?P<first>\d+)-(?P<last>\d+)\.run")


@dataclass(frozen=True, slots=True)
class Run:
    """The keys of numbers `first` ≤ n < `last`, sorted; a key is two halves."""

    first: int
    last: int
    high: UInt64s
    low: UInt64s
    number: Int32s

    def find(self, high: UInt64s, low: UInt64s, into: Int64s) -> None:
        """Put the numbers of the keys that are here into `into`."""
        if len(self.high) == 0:
            return
        place = np.searchsorted(self.high, high)
        todo = np.flatnonzero(place < len(self.high))
        while len(todo):  # more than one round only where two keys share their first half
            at = place[todo]
            todo, at = todo[self.high[at] == high[todo]], at[self.high[at] == high[todo]]
            same = self.low[at] == low[todo]
            into[todo[same]] = self.number[at[same]]
            todo = todo[~same]
            place[todo] += 1
            todo = todo[place[todo] < len(self.high)]


class KeyFinder:
    """Finds numbers by key for one kind (`events` or `prompts`) of one home; safe to share between threads."""

    def __init__(self, folder: Path, kind: str, *, spill: int = SPILL) -> None:
        self.folder = folder
        self.kind = kind
        self._spill = spill
        self._lock = threading.RLock()
        self._epoch = -1
        self._runs: tuple[Run, ...] = ()
        self._tail: dict[bytes, int] = {}
        self._next = 0

    def catch_up(self, epoch: int, count: int, source: Source) -> None:
        """Learn of everything below `count`, whoever wrote it; start afresh when something was taken away."""
        with self._lock:
            if epoch != self._epoch:
                self._forget(epoch)
                self._runs = self._load(count)
                self._next = self._covered()
            if count - self._covered() > 2 * self._spill:
                self._adopt(count)
            while count - self._next >= self._spill and not self._tail:
                self._take_run(self._next + self._spill, source)
            for keys, numbers in source(self._next, count) if count > self._next else ():
                self._tail.update(zip(keys, numbers, strict=True))
            self._next = max(self._next, count)

    def add(self, keys: Sequence[bytes], first: int) -> None:
        """Keys just committed, numbered from `first` on; does nothing if they are known from elsewhere already."""
        with self._lock:
            if first == self._next:
                self._tail.update(zip(keys, range(first, first + len(keys)), strict=True))
                self._next = first + len(keys)

    def find(self, keys: Sequence[bytes]) -> Int64s:
        """The number of each key, or -1."""
        with self._lock:
            tail, runs = self._tail, self._runs
            found = np.fromiter((tail.get(key, -1) for key in keys), dtype=np.int64, count=len(keys))
        missing = np.flatnonzero(found < 0)
        if len(missing) and runs:
            high, low = _halves([keys[i] for i in missing.tolist()])
            order = np.argsort(high)
            into = np.full(len(missing), -1, dtype=np.int64)
            sorted_high, sorted_low = high[order], low[order]
            for run in runs:
                run.find(sorted_high, sorted_low, into)
            found[missing[order]] = into
        return found

    def settle(self) -> None:
        """Turn a full dictionary into a run and merge runs of like size; called by the writer between batches."""
        with self._lock:
            if len(self._tail) < self._spill:
                return
            run = _sorted_run(self._covered(), self._next, list(self._tail), list(self._tail.values()))
            self._tail = {}
            self._push(run)

    def _forget(self, epoch: int) -> None:
        self._epoch, self._runs, self._tail, self._next = epoch, (), {}, 0

    def _covered(self) -> int:
        return self._runs[-1].last if self._runs else 0

    def _adopt(self, count: int) -> None:
        """Use runs that another process has written in the meantime."""
        runs = self._load(count)
        if runs and runs[-1].last > self._covered():
            self._runs = runs
            covered = self._covered()
            self._tail = {key: number for key, number in self._tail.items() if number >= covered}
            self._next = max(self._next, covered)

    def _take_run(self, last: int, source: Source) -> None:
        keys: list[bytes] = []
        numbers: list[int] = []
        for some_keys, some_numbers in source(self._next, last):
            keys.extend(some_keys)
            numbers.extend(some_numbers)
        self._push(_sorted_run(self._next, last, keys, numbers))
        self._next = last

    def _push(self, run: Run) -> None:
        runs = [*self._runs, run]
        while len(runs) > 1 and len(runs[-2].high) <= 2 * len(runs[-1].high):
            right, left = runs.pop(), runs.pop()
            runs.append(_merged(left, right))
        try:
            runs[-1] = self._save(runs[-1])
        except OSError:  # a full disk: the run stays in memory, the files can be made again
            self._runs = tuple(runs)
            return
        self._runs = tuple(runs)
        self._tidy()

    # ---------------------------------------------------------------- files
    def _path(self, first: int, last: int) -> Path:
        return self.folder / f"{self.kind}-{self._epoch}-{first}-{last}.run"

    def _save(self, run: Run) -> Run:
        self.folder.mkdir(exist_ok=True)
        body = run.high.tobytes() + run.low.tobytes() + run.number.tobytes()
        path = self._path(run.first, run.last)
        partial = path.with_suffix(f".{os.getpid()}.partial")
        try:
            with open(partial, "wb") as file:
                file.write(MAGIC + xxhash.xxh3_64_digest(body) + len(run.high).to_bytes(8, "little"))
                file.write(body)
                file.flush()
                os.fdatasync(file.fileno())
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
        return self._read(path, run.first, run.last) or run

    def _tidy(self) -> None:
        """Delete what the chain no longer needs; processes that still have it mapped keep their view."""
        used = {self._path(run.first, run.last).name for run in self._runs}
        for path in self.folder.iterdir():
            name = _NAME.fullmatch(path.name)
            if name and name["kind"] == self.kind and path.name not in used and int(name["last"]) <= self._covered():
                path.unlink(missing_ok=True)

    def _load(self, count: int) -> tuple[Run, ...]:
        """The longest chain of sound runs from 0 that stays within `count`."""
        spans: dict[int, list[int]] = {}
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            name = _NAME.fullmatch(path.name)
            if name and name["kind"] == self.kind and int(name["epoch"]) == self._epoch and int(name["last"]) <= count:
                spans.setdefault(int(name["first"]), []).append(int(name["last"]))
        runs: list[Run] = []
        while True:
            first = runs[-1].last if runs else 0
            candidates = sorted(spans.get(first, ()), reverse=True)
            found = (self._read(self._path(first, last), first, last) for last in candidates)
            run = next((run for run in found if run is not None), None)
            if run is None:
                return tuple(runs)
            runs.append(run)

    def _read(self, path: Path, first: int, last: int) -> Run | None:
        """A run from its file, mapped; None if the file is gone or is not what was written."""
        try:
            raw = np.memmap(path, dtype=np.uint8, mode="r")
        except (OSError, ValueError):
            return None
        head = raw[:24].tobytes()
        rows = int.from_bytes(head[16:24], "little")
        if head[:8] != MAGIC or len(raw) != 24 + 20 * rows or xxhash.xxh3_64_digest(raw.data[24:]) != head[8:16]:
            return None
        high = raw[24 : 24 + 8 * rows].view("<u8")
        low = raw[24 + 8 * rows : 24 + 16 * rows].view("<u8")
        return Run(first, last, high, low, raw[24 + 16 * rows :].view("<i4"))


def _halves(keys: Sequence[bytes]) -> tuple[UInt64s, UInt64s]:
    both = np.frombuffer(b"".join(keys), dtype="<u8").reshape(-1, 2)
    return np.ascontiguousarray(both[:, 0]), np.ascontiguousarray(both[:, 1])


def _sorted_run(first: int, last: int, keys: Sequence[bytes], numbers: Sequence[int]) -> Run:
    high, low = _halves(keys)
    order = np.argsort(high, kind="stable")
    return Run(first, last, high[order], low[order], np.asarray(numbers, dtype="<i4")[order])


def _merged(left: Run, right: Run) -> Run:
    high = np.concatenate([left.high, right.high])
    order = np.argsort(high, kind="stable")  # two sorted halves: one merge
    low = np.concatenate([left.low, right.low])[order]
    return Run(left.first, right.last, high[order], low, np.concatenate([left.number, right.number])[order])
