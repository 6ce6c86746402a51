"""Reading: filters against a plain recount, streams against the events that went in."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_samples import NO_NETWORKS, family, found, put, sent

from promptsim.errors import NotFoundError
from promptsim.records import AccountSummary, Event, Finding, NetworkSet
from promptsim.store import columns, streams
from promptsim.store.filters import Filters
from promptsim.store.store import Store

drawn = st.tuples(
    st.integers(0, 5), st.integers(0, 4), st.integers(1, 30), st.sampled_from([None, "x", "y", 1, True, 2.5])
)
filters = st.builds(
    Filters,
    st.none() | st.sampled_from(["a0", "a3", "nobody"]),
    st.none() | st.integers(0, 31),
    st.none() | st.integers(0, 31),
    st.dictionaries(st.sampled_from(["org", "none"]), st.sampled_from(["x", "1", "true", "2.5", "null"]), max_size=1),
)


def made(draws: list[tuple[int, int, int, object]]) -> list[Event]:
    events = []
    for i, (text, account, time, value) in enumerate(draws):
        metadata = {} if value is None else {"org": value}
        events.append(sent(i, user=f"t{text}", account=f"a{account}", time=time, **metadata))
    return events


def passes(event: Event, wanted: Filters) -> bool:
    plain = {"x": "x", "y": "y", 1: "1", 2.5: "2.5"}
    value = event.metadata.get("org")
    shown = "true" if value is True else plain.get(value)  # type: ignore[call-overload]
    return (
        wanted.account_id in (None, event.account_id)
        and (wanted.since is None or event.time >= wanted.since)
        and (wanted.until is None or event.time < wanted.until)
        and all(key == "org" and shown == v for key, v in wanted.metadata.items())
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(drawn, min_size=1, max_size=40), filters, st.integers(1, 7))
def test_filters_choose_what_a_plain_recount_chooses(
    tmp_path_factory: pytest.TempPathFactory, draws: list[tuple[int, int, int, object]], wanted: Filters, size: int
) -> None:
    events = made(draws)
    with Store.open(tmp_path_factory.mktemp("home")) as store:
        for start in range(0, len(events), size):
            put(store, events[start : start + size])
        texts = {p.user: p.prompt_no for p in store.prompts(range(store.counts().prompts))}
        times: dict[tuple[int, str], list[int]] = defaultdict(list)
        for event in events:
            if passes(event, wanted):
                times[texts[event.user], event.account_id].append(event.time)
        allowed = store.allowed(wanted)
        if wanted:
            assert allowed is not None
            assert set(np.flatnonzero(allowed).tolist()) == {prompt for prompt, _ in times}
        else:
            assert allowed is None
        got = store.senders(list(texts.values()), wanted)
        names = store.accounts(got.account_no)
        columns_ = (got.prompt_no.tolist(), names, got.events.tolist(), got.first_seen.tolist(), got.last_seen.tolist())
        expected = [(*key, len(some), min(some), max(some)) for key, some in times.items()]
        assert sorted(zip(*columns_, strict=True)) == sorted(expected)


def test_streams_give_back_every_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    draws = [(int(t), int(a), int(m), "x") for t, a, m in rng.integers((0, 0, 1), (60, 9, 99), (500, 3))]
    events = made(draws)
    monkeypatch.setattr(columns, "BLOCK", 64)  # several blocks, batches across their borders
    monkeypatch.setattr(columns, "LAYOUT", np.dtype([(name, kind, (64,)) for name, kind in columns.FIELDS]))
    with Store.open(tmp_path) as store:
        for start in range(0, 500, 37):
            put(store, events[start : start + 37])
        activity, incidence = store.activity(), store.incidence()
        texts = {p.prompt_no: p.user for p in store.prompts(range(60))}
    told = zip(activity.time.tolist(), activity.account_no.tolist(), activity.prompt_no.tolist(), strict=True)
    assert Counter((t, activity.accounts[a], texts[p]) for t, a, p in told) == Counter(
        (e.time, e.account_id, e.user) for e in events
    )
    assert (np.diff(activity.time) >= 0).all()
    assert activity.metadata == {"org": dict.fromkeys(range(9), ("x",))}
    pairs = list(zip(incidence.prompt_no.tolist(), incidence.account_no.tolist(), strict=True))
    assert pairs == sorted(set(pairs))
    by_pair: dict[tuple[str, str], list[int]] = defaultdict(list)
    for event in events:
        by_pair[event.user, event.account_id].append(event.time)
    for i, (prompt, account) in enumerate(pairs):
        times = by_pair.pop((texts[prompt], activity.accounts[account]))
        figures = incidence.events[i], incidence.first_seen[i], incidence.last_seen[i]
        assert figures == (len(times), min(times), max(times))
    assert by_pair == {}


def test_documents_come_in_order_and_from_where_one_asks(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        put(store, [sent(i) for i in range(10)])
        batches = list(store.documents(batch=4, since_no=3))
        assert [b.prompt_no.tolist() for b in batches] == [[3, 4, 5, 6], [7, 8, 9]]
        assert batches[1].user == ("text 7", "text 8", "text 9")
        assert batches[1].system == ("", "", "")
        left_half_way = store.documents(batch=2)
        next(left_half_way)
        put(store, [sent(10)])
        assert store.counts().prompts == 11  # an unfinished stream pins nothing but itself
        assert sum(len(b.prompt_no) for b in left_half_way) == 8


def test_an_empty_home_reads_as_empty(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        assert len(store.incidence().prompt_no) == 0
        assert len(store.activity().time) == 0
        assert list(store.documents()) == []
        assert store.vectors().shape == (0, 0)
        assert store.alive().shape == (0,)
        assert len(store.members().prompt_no) == 0
        assert list(store.member_events()) == []
        assert list(store.account_summaries()) == []
        assert store.families_of([0, 1]) == {}
        assert store.prompts([0]) == []
        assert len(store.senders([0])) == 0
        assert store.allowed(Filters(account_id="a")) is not None
        assert store.last_run() is None
        assert store.check() == []


def test_unknown_ids_are_said_to_be_unknown(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        put(store, [sent(1, account="a")])
        prompt = store.prompts([0])[0]
        assert store.prompt_by_id(prompt.prompt_id) == prompt
        assert store.prompt_ids([0, 7]) == [prompt.prompt_id, ""]
        for identifier in ("p_" + "0" * 32, "p_0", "p_xyz", "", prompt.prompt_id[2:], "p_é"):
            with pytest.raises(NotFoundError):
                store.prompt_by_id(identifier)
        with pytest.raises(NotFoundError, match="nobody"):
            store.account("nobody")
        with pytest.raises(NotFoundError):
            store.event("e2")


def test_an_account_is_summed_up_alone_as_among_all(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        put(store, [sent(i, user=f"t{i % 4}", account=f"a{i % 3}", time=100 + i) for i in range(12)])
        flagged = Finding("a1", True, 0.7, 0.01, (), ("n_1", "n_2"))
        run = replace(store.start_run(), state="finished", finished=1)
        result = found([family(0), family(1)], [(0, 1, 0, 2, 0), (0, 0, 0, 2, 0), (3, 0, 0, 2, 0)])
        store.save_run(run, result, NetworkSet((), {}, {"a1": flagged}, {}), covered=4)
        told = list(store.account_summaries())
        assert told == [store.account_summary(f"a{i}") for i in range(3)]
        assert told[1] == AccountSummary("a1", 4, ("f_0", "f_1"), "n_1", True, 0.7, 0.01, 101, 110)
        assert NO_NETWORKS.accounts == {}


def test_an_account_with_endless_metadata_is_cut_and_the_cut_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "VALUES_A_KEY", 5)
    with Store.open(tmp_path) as store:
        put(store, [sent(i, account="a", ip=f"10.0.0.{i}") for i in range(9)])
        activity = store.activity()
    assert activity.metadata["ip"][0] == ("10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4")
    assert activity.cuts == {"metadata values of an account and key": 4}


RACE = """
import sys, threading
from pathlib import Path
from promptsim.store.database import Database

for _ in range(150):
    database = Database(Path(sys.argv[1]))
    database.writer().execute("CREATE TABLE IF NOT EXISTS meta (key, value)")
    ready, go = threading.Barrier(7), threading.Event()

    def read():
        database.reader().execute("SELECT 1").fetchone()
        ready.wait()
        go.wait()

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    ready.wait()
    go.set()
    database.close()
    for thread in threads:
        thread.join()
"""


def test_threads_may_end_while_the_database_is_closed(tmp_path: Path) -> None:
    """Each closes the connection of its own, and so does the database: twice at once ended the process."""
    done = subprocess.run([sys.executable, "-c", RACE, str(tmp_path / "race.db")], timeout=120, check=False)
    assert done.returncode == 0
