"""Accounts like one: those that send the same families come first, however much else each of them sends."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from promptsim.engine import Engine
from promptsim.engine.likeness import neighbours

FIXED = "Rewrite the following product review so that a lawyer could read it aloud in court, sentence by sentence: "


def sends(account: str, *texts: str) -> list[dict[str, object]]:
    return [{"account_id": account, "timestamp": 1_772_000_000, "text": text} for text in texts]


def test_the_cosine_of_what_accounts_send(tmp_path: Path) -> None:
    """Without families: worked out by hand. A text that one account alone sends counts for nobody."""
    with Engine.open(tmp_path / "home") as engine:
        engine.ingest([
            *sends("a", "red", "green", "only a sends this"),
            *sends("b", "red", "green"),
            *sends("c", "red", "only c sends this", "only c sends this too"),
            *sends("d", "something else"),
        ])  # fmt: skip
        found = neighbours(engine.store, "a", k=10)
        red, green = math.log1p(4 / 3), math.log1p(4 / 2)
        expected = [("b", 1.0, 2), ("c", red / math.hypot(red, green), 1)]
        assert [(n.account_id, n.shared_prompts) for n in found] == [(name, n) for name, _, n in expected]
        assert [n.similarity for n in found] == pytest.approx([value for _, value, _ in expected])
        assert neighbours(engine.store, "d", k=10) == []


def test_accomplices_come_before_who_shares_a_curiosity(tmp_path: Path) -> None:
    """Ten accounts work through one template among prompts of their own; one of them once shared a rare text."""
    events = []
    for i in range(10):
        own = [f"My own question number {i} {j}: what about topic {7 * i + j}?" for j in range(12)]
        filled = [f"{FIXED}item {i} {j} is {'very ' * (j % 3)}good, said customer {31 * i + j}." for j in range(8)]
        events += sends(f"ring{i}", *own, *filled)
    for i in range(40):
        events += sends(f"bystander{i}", *(f"Unrelated matter {i} {j} about place {i * j}" for j in range(6)))
    events += sends("ring0", "a curiosity") + sends("bystander3", "a curiosity")
    with Engine.open(tmp_path / "home") as engine:
        engine.ingest(events)
        engine.cluster()
        found = neighbours(engine.store, "ring0", k=9)
        assert {n.account_id for n in found} == {f"ring{i}" for i in range(1, 10)}
        assert all(n.shared_family_ids for n in found)
