"""What a run found comes back exactly as saved, as a whole, and what ingest adds later joins it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_samples import NO_NETWORKS, family, found, put, sent

from promptsim.errors import BusyError, NotFoundError, UsageError
from promptsim.records import (
    RELATIONS,
    Evidence,
    Family,
    Finding,
    Lineage,
    Network,
    NetworkSet,
    Run,
    Skeleton,
    Slot,
    Verdict,
    Wording,
)
from promptsim.store import members as members_module
from promptsim.store import rows
from promptsim.store.members import Membership
from promptsim.store.store import Store

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
counts = st.integers(0, 2**53)
times = st.integers(-(2**62), 2**62)
figures = st.floats(allow_nan=False, width=64)
ids = st.lists(texts, max_size=3).map(tuple)
evidence = st.lists(
    st.builds(Evidence, texts, st.one_of(figures, st.integers(), texts), texts, st.none() | figures), max_size=2
).map(tuple)
slots = st.lists(st.builds(Slot, texts, counts, ids, texts), max_size=2).map(tuple)
wordings = st.lists(st.builds(Wording, texts, texts, counts, counts, slots), max_size=2).map(tuple)
families = st.builds(
    Family, texts, st.sampled_from(RELATIONS), texts, texts, slots, wordings, counts, counts, counts, times, times,
    figures, st.booleans(), figures, st.none() | figures, evidence, texts, ids,
    st.builds(Lineage, ids, ids, st.none() | texts),
)  # fmt: skip
memberships = st.dictionaries(texts, figures, max_size=3)
networks = st.builds(
    Network, texts, ids, ids, times, times, st.booleans(), figures, st.none() | figures, evidence, texts, memberships
)
findings = st.builds(Finding, texts, st.booleans(), figures, st.none() | figures, evidence, ids)
maps = st.dictionaries(texts, counts, max_size=3)
seconds = st.dictionaries(texts, figures, max_size=3)
states = st.sampled_from(["running", "finished", "failed"])
runs = st.builds(Run, texts, states, times, st.none() | times, st.booleans(), maps, seconds, maps, st.none() | texts)
hashes = st.lists(st.integers(0, 2**64 - 1), max_size=5)


@given(families)
def test_a_family_comes_back_as_it_was(record: Family) -> None:
    assert rows.family_from_row(rows.family_to_row(record)) == record


@given(networks)
def test_a_network_comes_back_as_it_was(record: Network) -> None:
    assert rows.network_from_row(rows.network_to_row(record)) == record


@given(findings)
def test_a_finding_comes_back_as_it_was(record: Finding) -> None:
    assert rows.finding_from_row(rows.finding_to_row(record)) == record


@given(runs)
def test_a_run_comes_back_as_it_was(record: Run) -> None:
    assert rows.run_from_row(rows.run_to_row(record)) == record


@given(hashes)
def test_a_skeleton_comes_back_as_it_was(values: list[int]) -> None:
    weights = np.linspace(0, 1, len(values), dtype=np.float32)
    record = Skeleton("w", "f", np.array(values, dtype=np.uint64), weights, "text")
    back = rows.skeleton_from_row(rows.skeleton_to_row(record))
    assert (back.shingles == record.shingles).all()
    assert (back.weights == record.weights).all()
    assert (back.shingles.dtype, back.weights.dtype) == (np.uint64, np.float32)


def finished(store: Store) -> Run:
    return replace(store.start_run(), state="finished", finished=7)


def test_figures_of_numpy_are_stored_as_plain_ones(tmp_path: Path) -> None:
    shown = (Evidence("spread", np.float32(0.5), "half", np.float64(0.25)),)  # type: ignore[arg-type]
    odd = replace(family(0), event_count=np.int64(3), score=np.float32(1.5), evidence=shown, flagged=np.bool_(True))
    with Store.open(tmp_path) as store:
        store.save_run(finished(store), found([odd], []), NO_NETWORKS, covered=0)
        back = store.family("f_0")
    assert (back.event_count, back.score, back.flagged) == (3, 1.5, True)
    assert back.evidence == (Evidence("spread", 0.5, "half", 0.25),)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Ten prompts, of two accounts each."""
    store = Store.open(tmp_path)
    put(store, [sent(i, user=f"text {i % 10}", account=f"a{i // 10}") for i in range(20)])
    return store


def test_a_run_replaces_the_result_of_the_one_before(store: Store) -> None:
    store.save_run(
        finished(store), found([family(0), family(1)], [(0, 0, 0, 2, 7), (1, 1, 0, 2, 8)]), NO_NETWORKS, covered=10
    )
    store.save_run(finished(store), found([family(5)], [(3, 0, 0, 0, 2**64 - 1)]), NO_NETWORKS, covered=10)
    assert [f.family_id for f in store.families()] == ["f_5"]
    assert store.members().prompt_no.tolist() == [3]
    assert store.members().filling.tolist() == [2**64 - 1]
    assert [s.family_id for s in store.skeletons()] == ["f_5"]
    assert store.families_of([0, 1, 2, 3]) == {3: (Membership("f_5", "w_5_0", "exact"),)}
    assert len(store.runs()) == 2


def test_a_reader_sees_one_result_throughout(store: Store) -> None:
    store.save_run(finished(store), found([family(0)], [(0, 0, 0, 2, 7)]), NO_NETWORKS, covered=10)
    with store.snapshot():
        first = store.families()
        store.save_run(finished(store), found([family(1)], [(0, 0, 0, 2, 7)]), NO_NETWORKS, covered=10)
        assert store.families() == first
        assert [e.family_id for e in store.member_events()] == ["f_0", "f_0"]
    assert [e.family_id for e in store.member_events()] == ["f_1", "f_1"]


def test_members_survive_many_blocks(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members_module, "BLOCK_ROWS", 3)
    monkeypatch.setattr(members_module, "FAMILY_CHUNK", 2)
    given_rows = [(0, 1, 0, 2, 1), (0, 0, 1, 3, 2), (2, 0, 0, 2, 3), (2, 1, 0, 0, 4), (2, 2, 0, 1, 5)]
    given_rows += [(n, 0, 1, 2, n) for n in range(4, 9)]
    families_found = [family(0, wordings=2), family(1), family(2)]
    store.save_run(finished(store), found(families_found, given_rows), NO_NETWORKS, covered=10)
    back = store.members()
    assert list(zip(back.prompt_no, back.family, back.wording, back.relation, back.filling, strict=True)) == given_rows
    assert store.family_prompts("f_0").tolist() == [0, 2, 4, 5, 6, 7, 8]
    assert [m.family_id for m in store.families_of([2])[2]] == ["f_0", "f_1", "f_2"]
    assert store.families_of([0, 1, 8]) == {
        0: (Membership("f_1", "w_1_0", "template"), Membership("f_0", "w_0_1", "paraphrase")),
        8: (Membership("f_0", "w_0_1", "template"),),
    }


def test_each_event_is_exported_with_its_main_family_first(store: Store) -> None:
    rows_given = [(0, 1, 0, 2, 1), (0, 0, 0, 1, 2), (3, 0, 0, 0, 0)]
    store.save_run(finished(store), found([family(0), family(1)], rows_given), NO_NETWORKS, covered=10)
    exported = [(e.event_id, e.account_id, e.family_id, e.relation) for e in store.member_events()]
    assert exported == [
        ("e0", "a0", "f_1", "template"), ("e0", "a0", "f_0", "near-duplicate"),
        ("e10", "a1", "f_1", "template"), ("e10", "a1", "f_0", "near-duplicate"),
        ("e3", "a0", "f_0", "exact"), ("e13", "a1", "f_0", "exact"),
    ]  # fmt: skip
    only = list(store.member_events(["f_1"]))
    assert [e.event_id for e in only] == ["e0", "e10"]
    assert only[0].prompt_id == store.prompts([0])[0].prompt_id


def test_late_members_join_their_family_until_a_run_has_seen_them(store: Store) -> None:
    store.save_run(finished(store), found([family(0), family(1)], [(0, 0, 0, 2, 1)]), NO_NETWORKS, covered=8)
    store.add_members([(8, 0, "f_1", 0, 2, 2**64 - 1), (9, 0, "f_0", 0, 2, 5), (9, 1, "gone", 0, 2, 5)])
    assert store.families_of([8, 9]) == {
        8: (Membership("f_1", "w_1_0", "template"),),
        9: (Membership("f_0", "w_0_0", "template"),),
    }
    assert store.members().filling.tolist() == [1, 2**64 - 1, 5]
    assert store.family_prompts("f_0").tolist() == [0, 9]
    assert [e.event_id for e in store.member_events(["f_0"])] == ["e0", "e10", "e9", "e19"]
    # the next run saw prompt 8 and says nothing of it; 9 came later, and its family has another number now
    store.save_run(finished(store), found([family(7), family(0)], [(0, 1, 0, 2, 1)]), NO_NETWORKS, covered=9)
    assert store.families_of([8, 9]) == {9: (Membership("f_0", "w_0_0", "template"),)}


def test_members_of_a_family_are_shown_with_their_counts(store: Store) -> None:
    store.save_run(finished(store), found([family(0)], [(0, 0, 0, 2, 1), (4, 0, 0, 2, 1)]), NO_NETWORKS, covered=10)
    shown = store.member_prompts("f_0", limit=1, offset=1)
    assert [(m.text, m.event_count, m.account_count, m.wording_id) for m in shown] == [("text 4", 2, 2, "w_0_0")]
    with pytest.raises(NotFoundError):
        store.member_prompts("f_9")


def test_findings_are_laid_over_the_families(store: Store) -> None:
    claim = Evidence("co-use", 12, "12 accounts", 1e-9)
    finding = Finding("f_0", True, 0.9, 1e-9, (claim,), ("n_0",))
    network = Network("n_0", ("a0", "a1"), ("f_0",), 1, 2, True, 0.9, 1e-9, (claim,), membership={"a0": 1.0, "a1": 0.5})
    of_account = Finding("a0", True, 0.8, None, (), ("n_0",))
    result = NetworkSet((network,), {"f_0": finding}, {"a0": of_account}, {})
    store.save_run(finished(store), found([family(0), family(1, score=0.5)], []), result, covered=10)
    best = store.families()[0]
    assert (best.family_id, best.flagged, best.score, best.network_ids) == ("f_0", True, 0.9, ("n_0",))
    assert best.evidence == (claim,)
    assert [f.family_id for f in store.families(flagged=False)] == ["f_1"]
    assert store.networks() == [network]
    assert store.network("n_0") == network
    assert store.account_finding("a0") == of_account
    assert store.account_finding("a1") is None


def test_families_are_listed_in_the_order_asked_for(store: Store) -> None:
    some = [replace(family(0), event_count=9), replace(family(1), account_count=9), replace(family(2), first_seen=99)]
    store.save_run(finished(store), found(some, []), NO_NETWORKS, covered=10)
    assert store.families(sort="events", limit=1)[0].family_id == "f_0"
    assert store.families(sort="accounts")[0].family_id == "f_1"
    assert store.families(sort="new", limit=1, offset=1)[0].family_id == "f_0"
    with pytest.raises(UsageError, match="sorted"):
        store.families(sort="colour")


# ------------------------------------------------------------------ runs and verdicts
def test_only_one_run_goes_on_at_a_time(store: Store) -> None:
    run = store.start_run(now=1_000_000, seconds=10)
    with Store.open(store.home.path) as other, pytest.raises(BusyError, match="under way"):
        other.start_run(now=2_000_000)
    store.renew_lease(run.run_id, now=10_000_000, seconds=10, counts={"prompts": 3})
    with pytest.raises(BusyError):
        store.start_run(now=19_000_000)
    assert store.run(run.run_id).counts == {"prompts": 3}


def test_a_run_whose_process_died_is_recorded_as_failed_by_the_next(store: Store) -> None:
    dead = store.start_run(now=1_000_000, seconds=10)
    alive = store.start_run(now=12_000_000, seconds=10)
    assert store.run(dead.run_id).state == "failed"
    assert "interrupted" in (store.run(dead.run_id).error or "")
    with pytest.raises(BusyError, match="lost its lease"):
        store.renew_lease(dead.run_id, now=13_000_000)
    with pytest.raises(BusyError, match="lost its lease"):
        store.save_run(dead, found([family(0)], []), NO_NETWORKS, covered=1)
    assert store.families() == []
    store.save_run(replace(alive, state="finished", finished=14_000_000), found([], []), NO_NETWORKS, covered=1)
    last = store.last_run()
    assert last is not None
    assert last.run_id == alive.run_id


def test_a_failed_run_gives_its_lease_back_and_leaves_the_result(store: Store) -> None:
    store.save_run(finished(store), found([family(0)], []), NO_NETWORKS, covered=10)
    run = store.start_run()
    store.fail_run(run.run_id, "out of memory")
    assert (store.run(run.run_id).state, store.run(run.run_id).error) == ("failed", "out of memory")
    assert [f.family_id for f in store.families()] == ["f_0"]
    store.start_run()


def test_verdicts_are_only_ever_added(store: Store) -> None:
    first = Verdict("v1", "f_0", "coordinated", "one payload each", "ada", 5)
    undo = Verdict("v2", "f_0", "unsure", "a class", "grace", 6)
    for verdict in (first, undo, Verdict("v3", "n_0", "benign", "one firm", "ada", 7)):
        store.add_verdict(verdict)
    assert store.verdicts("f_0") == [first, undo]
    assert store.latest_verdicts()["f_0"] == undo
    assert len(store.verdicts()) == 3
    for statement in (
        "UPDATE verdicts SET reason = ''",
        "DELETE FROM verdicts",
        "REPLACE INTO verdicts SELECT * FROM verdicts",
    ):
        with pytest.raises(Exception, match="append-only"), store.database.writing() as connection:
            connection.execute(statement)
    assert store.verdicts("f_0") == [first, undo]
    with pytest.raises(UsageError, match="reason"):
        store.add_verdict(Verdict("v4", "f_0", "benign", " ", "ada", 8))
