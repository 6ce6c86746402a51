"""Events ─► flat columns in `events.cols`: account, prompt, time and metadata of every event, by `event_no`.

A copy, made from the database at any time: what a clustering run or a filter reads of all events comes from here at
the speed of memory. Blocks of 65,536 events, each column contiguous inside its block, so that one file and one flush
serve all columns. An event that was taken away has account -1 and is 0 otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from promptsim.records import Int32s, Int64s
from promptsim.store.vectors import put_durably

BLOCK = 65_536
FIELDS = (("account", "<i4"), ("prompt", "<i4"), ("metadata", "<i4"), ("time", "<i8"))
LAYOUT = np.dtype([(name, kind, (BLOCK,)) for name, kind in FIELDS])
GONE = -1


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of consecutive events, of one length."""

    account: npt.NDArray[np.int32]
    prompt: npt.NDArray[np.int32]
    metadata: npt.NDArray[np.int32]
    time: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.account)


class Columns:
    """The file; like the vectors, rows beyond the committed count belong to nobody."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, first: int, rows: Rows) -> None:
        """Write rows from event number `first` on, flushed to the disk."""
        put_durably(self.path, list(_parts(first, rows)), length=self.length(first + len(rows)))

    def length(self, count: int) -> int:
        """How long the file is for `count` events: whole blocks."""
        return -(-count // BLOCK) * LAYOUT.itemsize

    def holds(self, count: int) -> bool:
        """Whether the file is long enough for `count` events."""
        return count == 0 or (self.path.exists() and self.path.stat().st_size >= self.length(count))

    def column(self, name: str, count: int) -> npt.NDArray[np.generic]:
        """One column of the first `count` events, copied into memory."""
        blocks = self._mapped(count)
        return np.asarray(blocks[name].reshape(-1)[:count])

    def account(self, count: int) -> Int32s:
        return self.column("account", count).astype(np.int32, copy=False)

    def prompt(self, count: int) -> Int32s:
        return self.column("prompt", count).astype(np.int32, copy=False)

    def metadata(self, count: int) -> Int32s:
        return self.column("metadata", count).astype(np.int32, copy=False)

    def time(self, count: int) -> Int64s:
        return self.column("time", count).astype(np.int64, copy=False)

    def at(self, name: str, numbers: Int64s, count: int) -> npt.NDArray[np.generic]:
        """One column of some events."""
        return np.asarray(self._mapped(count)[name][numbers // BLOCK, numbers % BLOCK])

    def _mapped(self, count: int) -> npt.NDArray[np.void]:
        if count == 0:
            return np.zeros(0, dtype=LAYOUT)
        return np.memmap(self.path, dtype=LAYOUT, mode="r", shape=(-(-count // BLOCK),))


def _parts(first: int, rows: Rows) -> Iterable[tuple[int, bytes]]:
    """Where each piece of each column goes: a batch may cross the border of a block."""
    assert LAYOUT.fields is not None
    done = 0
    while done < len(rows):
        block, place = divmod(first + done, BLOCK)
        take = min(BLOCK - place, len(rows) - done)
        for name, kind in FIELDS:
            base = block * LAYOUT.itemsize + LAYOUT.fields[name][1]
            piece = getattr(rows, name)[done : done + take].astype(kind, copy=False)
            yield base + place * piece.itemsize, piece.tobytes()
        done += take
