"""A run from end to end on simulated traffic: what it finds, and that it finds the same again."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from promptsim.engine import Engine
from promptsim.engine import engine as engine_module
from promptsim.errors import UsageError
from promptsim.families.probes import PROBES
from promptsim.records import Floats, MemberEvent
from promptsim.simulate.plan import Plan
from promptsim.simulate.traffic import Simulation, simulate

EVENTS = 4_000


@pytest.fixture(scope="module")
def traffic() -> Simulation:
    return simulate(events=EVENTS, seed=3, plan=Plan())


@pytest.fixture(scope="module")
def clustered(traffic: Simulation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine.open(tmp_path_factory.mktemp("run") / "home") as engine:
        engine.ingest(traffic.events)
        engine.cluster()
        yield engine


def memberships(engine: Engine) -> set[tuple[str, str, str]]:
    return {(m.event_id, m.family_id, m.relation) for m in engine.member_events()}


def test_planted_families_are_found_whole(clustered: Engine, traffic: Simulation) -> None:
    planted = {str(row["id"]): str(row["family"]) for row in traffic.truth_events if row["role"] == "c1"}
    main: dict[str, MemberEvent] = {}
    for member in clustered.member_events():
        main.setdefault(member.event_id, member)
    for family in sorted(set(planted.values())):
        events = [event for event, name in planted.items() if name == family]
        found = [main[event].family_id for event in events if event in main]
        most = max(set(found), key=found.count)
        inside = [event for event, member in main.items() if member.family_id == most]
        assert found.count(most) >= 0.9 * len(events), family
        assert sum(planted.get(event) == family for event in inside) >= 0.9 * len(inside), family


def test_identical_texts_share_their_families(clustered: Engine) -> None:
    by_prompt: dict[str, dict[str, list[str]]] = {}
    for m in clustered.member_events():
        by_prompt.setdefault(m.prompt_id, {}).setdefault(m.event_id, []).append(m.family_id)
    assert all(len({tuple(f) for f in events.values()}) == 1 for events in by_prompt.values())


def test_a_run_on_the_same_data_gives_the_same_result(clustered: Engine) -> None:
    before, families = memberships(clustered), clustered.families()
    again = clustered.cluster()
    assert memberships(clustered) == before
    assert [f.family_id for f in clustered.families()] == [f.family_id for f in families]
    assert (again.changes["new"], again.changes["ended"]) == (0, 0)


def test_a_known_public_prompt_accuses_nobody(
    clustered: Engine, traffic: Simulation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = tmp_path / "known.jsonl"
    hydra = [str(row["template_text"]) for row in traffic.truth_families if row["campaign"] == "C1"]
    known.write_text("".join(f"{json.dumps(text)}\n" for text in hydra), encoding="utf-8")
    accounts = {str(row["account_id"]) for row in traffic.truth_accounts if row["campaign"] == "C1"}

    def accused(engine: Engine) -> set[str]:
        return {a for network in engine.networks() if network.flagged for a in network.account_ids}

    assert accounts <= accused(clustered)
    others = accused(clustered) - accounts
    clustered.cluster(known=known)
    assert accused(clustered) == others
    clustered.cluster()
    monkeypatch.setenv("PROMPTSIM_KNOWN_PROMPTS", str(known))
    clustered.cluster()
    assert accused(clustered) == others
    monkeypatch.setenv("PROMPTSIM_KNOWN_PROMPTS", str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="known prompts cannot be read"):
        clustered.cluster()
    monkeypatch.delenv("PROMPTSIM_KNOWN_PROMPTS")
    clustered.cluster()


def test_the_order_of_ingestion_does_not_matter(clustered: Engine, traffic: Simulation, tmp_path: Path) -> None:
    shuffled = list(traffic.events)
    random.Random(1).shuffle(shuffled)
    with Engine.open(tmp_path / "home") as other:
        other.ingest(shuffled)
        other.cluster()
        assert memberships(other) == memberships(clustered)


def test_search_names_the_family_of_a_hit(clustered: Engine) -> None:
    widest = clustered.families(sort="accounts", limit=1)[0]
    member = clustered.members(widest.family_id, limit=1)[0]
    assert clustered.search(member.text, k=1).hits[0].family_id == widest.family_id


def test_families_are_sorted_and_counted_as_asked(clustered: Engine) -> None:
    accounts = [f.account_count for f in clustered.families(sort="accounts")]
    assert accounts == sorted(accounts, reverse=True)
    assert len(clustered.families(limit=3)) == 3
    with pytest.raises(UsageError, match="colour"):
        clustered.families(sort="colour")


def test_a_verdict_stands_above_the_programs_claim(clustered: Engine) -> None:
    family = clustered.families(limit=1)[0]
    clustered.review(family.family_id, verdict="coordinated", reason="seen before", by="ada")
    assert (clustered.family(family.family_id).status, clustered.family(family.family_id).flagged) == (
        "coordinated",
        True,
    )
    clustered.review(family.family_id, verdict="benign", reason="our own tests", by="ada")
    assert (clustered.family(family.family_id).status, clustered.family(family.family_id).flagged) == ("benign", False)
    assert family.family_id not in {f.family_id for f in clustered.families(flagged=True)}
    assert [v.verdict for v in clustered.verdicts()] == ["coordinated", "benign"]


@pytest.mark.parametrize("events", [0, 1, 2, 3])
def test_tiny_corpora_work(engine: Engine, events: int) -> None:
    rows = [{"account_id": f"a{i}", "timestamp": 1_760_000_000 + i, "text": "the same text"} for i in range(events)]
    engine.ingest(rows)
    run = engine.cluster()
    assert run.counts["families"] == (1 if events == 3 else 0)  # what two accounts sent is a meeting, not a family
    assert engine.networks() == []


def test_a_wording_model_compares_fixed_texts_and_leaves_the_vectors_alone(
    traffic: Simulation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Model:
        """Knows nothing but the length of a text, and keeps what it was asked."""

        def encode(self, texts: Sequence[str]) -> Floats:
            asked.extend(texts)
            return np.eye(64, dtype=np.float32)[[len(text) % 64 for text in texts]]

    shipped = engine_module.open_encoder
    monkeypatch.setattr(engine_module, "open_encoder", lambda model: Model() if model == "another" else shipped(model))
    with Engine.open(tmp_path / "home", wording_model="another") as engine:
        engine.ingest(traffic.events)
        vectors = engine.store.encoder()
        engine.cluster()
        assert set(PROBES) < set(asked)
        assert len(asked) < len(PROBES) + 2 * sum(len(family.wordings) for family in engine.families(limit=10_000))
        assert engine.store.encoder() == vectors == engine_module.identity(shipped())


def test_a_wording_model_that_cannot_be_loaded_is_said_before_the_run(clustered: Engine, tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    runs = len(clustered.runs())
    with (
        Engine.open(clustered.store.home.path, wording_model=str(tmp_path), create=False) as engine,
        pytest.raises(UsageError, match=str(tmp_path)),
    ):
        engine.cluster()
    assert len(clustered.runs()) == runs


@pytest.mark.parametrize("erased", [0, 1, 2])
def test_a_run_after_an_erasure_keeps_the_ids_of_what_is_left(tmp_path: Path, erased: int) -> None:
    """A family that only the erased account sent is gone; no other takes its place, members or verdict."""
    fixed = [
        "You are a careful auditor of ledgers. Check each booking against its receipt and list what does not fit: ",
        "Write a bedtime story for a child of five in which a brave otter learns to share its pebbles with others: ",
        "Translate the following court ruling into plain language that a tenant without training understands: ",
    ]
    with Engine.open(tmp_path / "home") as engine:
        engine.ingest(
            {"account_id": f"only{n}", "timestamp": 1_772_000_000 + i, "text": f"{text}case {i} of {i * i + n}"}
            for n, text in enumerate(fixed)
            for i in range(12)
        )
        engine.cluster()
        ids = {m.account_id: m.family_id for m in engine.member_events()}
        assert len(set(ids.values())) == 3
        templates = {family.family_id: family.template for family in engine.families()}
        assert engine.erase(f"only{erased}").prompts == 12
        left = {account: family for account, family in ids.items() if account != f"only{erased}"}
        assert {a.account_id: set(a.family_ids) for a in engine.accounts()} == {a: {f} for a, f in left.items()}
        run = engine.cluster()
        assert (run.state, run.changes["continued"], run.changes["new"]) == ("finished", 2, 0)
        assert {m.account_id: m.family_id for m in engine.member_events()} == left
        assert {f.family_id: f.template for f in engine.families()} == {f: templates[f] for f in left.values()}
