"""New prompts → the families of the last run that they are made from, at ingest: members until the next run says more.

    texts just stored ─► known skeletons ─► late members

A run's skeletons are made ready once in a process, and again after the next run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from weakref import WeakKeyDictionary

from promptsim.families.assignment import SkeletonIndex
from promptsim.families.groups import TEMPLATE
from promptsim.records import Int64s
from promptsim.store.store import Store


@dataclass(frozen=True, slots=True)
class Known:
    """The skeletons of one run, and for each its family and the number of its wording there."""

    run_id: str
    index: SkeletonIndex
    places: tuple[tuple[str, int], ...]


_known: WeakKeyDictionary[Store, Known] = WeakKeyDictionary()


def known(store: Store) -> Known:
    """The skeletons of the last run."""
    last = store.last_run()
    run_id = "" if last is None else last.run_id
    kept = _known.get(store)
    if kept is None or kept.run_id != run_id:
        wordings = store.wordings() if last else {}
        skeletons = [s for s in store.skeletons() if len(s.shingles) and s.wording_id in wordings] if last else []
        kept = Known(run_id, SkeletonIndex(skeletons), tuple(wordings[s.wording_id] for s in skeletons))
        _known[store] = kept
    return kept


def place(store: Store, numbers: Int64s, texts: Sequence[tuple[str, str]]) -> int:
    """Put new prompts, given as (system, user), into the families that they are made from; how many were."""
    families = known(store)
    if not families.places:
        return 0
    labels = families.index.assign(texts).skeleton.tolist()
    late = [
        (number, 0, *families.places[label], TEMPLATE, filling(*text))
        for number, label, text in zip(numbers.tolist(), labels, texts, strict=True)
        if label >= 0
    ]
    if late:
        store.add_members(late)
    return len(late)


def filling(system: str, user: str) -> int:
    """Different texts count as differently filled until the next run says more."""
    body = system.encode() + b"\0" + user.encode()
    return int.from_bytes(blake2b(body, digest_size=8).digest(), "little")
