"""A store → the skeletons of its last run, ready to be matched against: by ingest, and by `match`.

They are made ready once in a process, and again after the next run.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from promptsim.families.assignment import SkeletonIndex
from promptsim.store.store import Store


@dataclass(frozen=True, slots=True)
class Known:
    """The skeletons of one run, and for each its family and the number of its wording there. Threads may share it."""

    run_id: str
    index: SkeletonIndex
    places: tuple[tuple[str, int], ...]


class _Kept:
    """What is known of one store, and who is reading it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.known: Known | None = None


_kept: WeakKeyDictionary[Store, _Kept] = WeakKeyDictionary()
_keeping = threading.Lock()


def known(store: Store, *, newest: bool = True) -> Known:
    """The skeletons of the last run; without `newest` those of the one before, while another thread reads the last."""
    with _keeping:
        kept = _kept.setdefault(store, _Kept())
    if not kept.lock.acquire(blocking=newest or kept.known is None):
        assert kept.known is not None
        return kept.known
    try:
        last = store.last_run()
        run_id = "" if last is None else last.run_id
        if kept.known is None or kept.known.run_id != run_id:
            kept.known = _read(store, run_id)
        return kept.known
    finally:
        kept.lock.release()


def _read(store: Store, run_id: str) -> Known:
    wordings = store.wordings() if run_id else {}
    skeletons = [s for s in store.skeletons() if len(s.shingles) and s.wording_id in wordings]
    return Known(run_id, SkeletonIndex(skeletons), tuple(wordings[s.wording_id] for s in skeletons))
