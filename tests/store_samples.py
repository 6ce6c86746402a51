"""Small events, vectors and results for the tests of the store."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from promptsim.records import Event, Family, FamilySet, Floats, Ingested, Members, NetworkSet, Skeleton, Wording
from promptsim.store.store import Store

DIMENSION = 8


def print_of(system: str, user: str) -> bytes:
    """A stand-in for the keyed fingerprint of the text room."""
    return hashlib.blake2b(f"{len(system)}:{system}{user}".encode(), digest_size=16).digest()


def vector_of(fingerprint: bytes) -> Floats:
    """A vector that a test can tell from the fingerprint alone."""
    return np.frombuffer(fingerprint, dtype=np.uint8)[:DIMENSION].astype(np.float32) / 256


def sent(number: int, *, account: str = "", user: str = "", time: int = 0, **metadata: object) -> Event:
    return Event(
        f"e{number}",
        account or f"a{number % 7}",
        time or 1_700_000_000_000_000 + number,
        "",
        user or f"text {number}",
        metadata,
    )


def put(store: Store, events: Sequence[Event]) -> Ingested:
    """Append as ingest does: look up, make the vectors that are missing, store."""
    prints = [print_of(event.system, event.user) for event in events]
    known = store.lookup(prints)
    new = {key: vector_of(key) for key, number in zip(prints, known, strict=True) if number < 0}
    return store.append(events, prints, new)


def family(number: int, *, template: str = "text {1}", score: float = 0.0, wordings: int = 1) -> Family:
    some = tuple(Wording(f"w_{number}_{i}", template, 1, 1) for i in range(wordings))
    return Family(f"f_{number}", "template", "user", template, (), some, 2, 2, 2, 5, 9, score=score)


def members(rows: Sequence[tuple[int, int, int, int, int]]) -> Members:
    """From rows of prompt, family, wording, relation, filling."""
    table = np.array(rows, dtype=np.uint64).reshape(-1, 5)
    kinds = (np.int64, np.int32, np.int32, np.uint8, np.uint64)
    prompt, fam, wording, relation, filling = (table[:, i].astype(kind) for i, kind in enumerate(kinds))
    return Members(prompt, fam, wording, relation, filling)  # type: ignore[arg-type]


def found(families: Sequence[Family], rows: Sequence[tuple[int, int, int, int, int]]) -> FamilySet:
    shingles, weights = np.array([1, 2**64 - 1], dtype=np.uint64), np.array([0.5, 2.0], dtype=np.float32)
    skeletons = tuple(Skeleton(f.wordings[0].wording_id, f.family_id, shingles, weights, f.template) for f in families)
    return FamilySet(tuple(families), members(rows), skeletons, {})


NO_NETWORKS = NetworkSet((), {}, {}, {})
