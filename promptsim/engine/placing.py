"""New prompts → the families of the last run that they are made from, at ingest: members until the next run says more.

texts just stored ─► known skeletons ─► late members
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from promptsim.engine.known import known
from promptsim.families.groups import TEMPLATE
from promptsim.records import Int64s
from promptsim.store.store import Store


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
