"""Erasing, retaining, checking, copying, restoring, changing the encoder: nothing left behind, nothing lost."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from store_samples import DIMENSION, NO_NETWORKS, family, found, print_of, put, sent, vector_of

from promptsim.errors import DamagedError, EncoderMismatchError, HomeError, NotFoundError
from promptsim.records import DocumentBatch, Event, Evidence, Finding, Floats, Network, NetworkSet, Run, Skeleton, Slot
from promptsim.store import database
from promptsim.store.backup import restore
from promptsim.store.core import EncoderIdentity
from promptsim.store.store import Store


def finished(store: Store) -> Run:
    return replace(store.start_run(), state="finished", finished=7)


def bytes_of(home: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file())


def mixed_traffic(count: int, seed: int = 5) -> list[Event]:
    """Texts of all lengths, a fifth of them the victim's own, some shared with it."""
    rng = random.Random(seed)
    events = []
    for i in range(count):
        padding = "".join(rng.choices("abcdefgh ", k=rng.choice([5, 60, 400, 3000, 9000])))
        if i % 5 == 0:
            mine = f"canary-text-{i} {padding} tail-canary"
            events.append(sent(i, account="canary-account", user=mine, note=f"canary-metadata-{i % 50}"))
        else:
            events.append(sent(i, account=f"b{i % 11}", user=f"plain {i % 700} {padding[:50]}", note="plain"))
    return events


# ------------------------------------------------------------------ erasure
def test_nothing_of_an_erased_account_is_left_in_any_file(tmp_path: Path) -> None:
    with Store.open(tmp_path / "home") as store:
        events = mixed_traffic(1500)
        for start in range(0, len(events), 100):
            put(store, events[start : start + 100])
        put(
            store,
            [sent(9001, account="canary-account", user="shared text"), sent(9002, account="b1", user="shared text")],
        )
        assert b"canary" in bytes_of(tmp_path)
        erased = store.erase_account("canary-account")
        assert (erased.events, erased.prompts, erased.accounts) == (301, 300, 1)
        assert b"canary" not in bytes_of(tmp_path)
        assert not store.vectors()[erased.prompt_nos].any()
        assert not store.alive()[erased.prompt_nos].any()
        assert store.alive().sum() == store.counts().prompts - 300
        assert store.counts().events == 1201
        with pytest.raises(NotFoundError):
            store.account("canary-account")
        with pytest.raises(NotFoundError):
            store.event("e0")
        assert store.accounts(store.senders(store.lookup([print_of("", "shared text")])).account_no) == ["b1"]
        assert store.prompts(erased.prompt_nos) == []
        assert store.check() == []
        kept = {number for batch in store.documents() for number in batch.prompt_no.tolist()}
        assert kept.isdisjoint(erased.prompt_nos.tolist())
        assert "" not in {store.activity().accounts[number] for number in store.activity().account_no}
    assert b"canary" not in bytes_of(tmp_path)


def test_the_same_account_may_come_back_after_its_erasure(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store, Store.open(tmp_path) as other:
        put(store, [sent(1, account="a", user="one"), sent(2, account="b", user="two")])
        put(other, [sent(3, account="a", user="one", org="x")])
        store.erase_account("a")
        assert put(other, [sent(1, account="a", user="one", org="x")]).outcomes == (True,)  # as if never seen
        prompt = store.prompts(store.lookup([print_of("", "one")]))[0]
        assert prompt.prompt_no == 2
        assert store.event("e1").metadata == {"org": "x"}
        assert store.account("a").event_count == 1
        assert store.check() == []
        assert other.check() == []


def test_findings_forget_what_only_the_erased_account_wrote(tmp_path: Path) -> None:
    with Store.open(tmp_path / "home") as store:
        put(store, [sent(i, account="canary-account", user=f"Do it: canary{i}") for i in range(2)])
        put(store, [sent(2, account="b", user="Do it: other"), sent(3, account="b", user="DO IT: more")])
        slot = Slot("1", 4, ("canary0", "other"))
        shared = replace(family(0, template="Do it: {1}"), slots=(slot,))
        own = family(1, template="canary wording {1}")
        mixed = family(2, template="Do it: canary1")
        mention = (Evidence("start", 1, "canary-account began it"), Evidence("size", 2, "two accounts"))
        network = Network(
            "n", ("b", "canary-account"), ("f_0",), 1, 2, True, 1.0, None, mention, "open", {"canary-account": 1.0}
        )
        networks = NetworkSet((network,), {}, {"canary-account": Finding("canary-account", True, 1, None, ())}, {})
        result = found(
            [shared, own, mixed], [(0, 0, 0, 2, 1), (1, 1, 0, 2, 1), (1, 2, 0, 2, 1), (2, 0, 0, 2, 1), (3, 2, 0, 2, 1)]
        )
        odd = Skeleton("w_0_0", "f_0", np.zeros(1, np.uint64), np.zeros(1, np.float32), "it: canary0 it")
        store.save_run(finished(store), replace(result, skeletons=(*result.skeletons, odd)), networks, covered=4)
        assert b"canary" in bytes_of(tmp_path)
        store.erase_account("canary-account")
        assert b"canary" not in bytes_of(tmp_path)
        left = {f.family_id: f.template for f in store.families()}
        assert left == {"f_0": "Do it: {1}", "f_2": ""}
        assert store.family("f_0").slots == (replace(slot, examples=()),)
        assert [s.text for s in store.skeletons()] == ["Do it: {1}", "", ""]
        assert store.networks()[0].account_ids == ("b",)
        assert store.networks()[0].evidence == mention[1:]
        assert store.account_findings() == {}
        assert {e.event_id for e in store.member_events()} == {"e2", "e3"}


def test_retention_takes_what_is_older_and_only_that(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        put(store, [sent(i, account=f"a{i}", user=f"t{i % 3}", time=100 + i) for i in range(6)])
        put(store, [sent(9, account="old", user="old text", time=50)])
        done = store.retain(104)
        assert (done.events, done.prompts, done.accounts) == (5, 2, 5)
        assert store.counts().events == 2
        assert [(p.user, p.first_seen) for p in store.prompts(range(9))] == [("t1", 104), ("t2", 105)]
        assert store.retain(104).events == 0
        put(store, [sent(20, user="t0", time=200)])
        assert store.counts().events == 3
        assert store.activity().time.tolist() == [104, 105, 200]
        assert store.check() == []


def test_an_erasure_that_was_interrupted_is_finished_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(tmp_path) as store:
        put(store, [sent(1, account="a"), sent(2, account="b")])
        with monkeypatch.context() as patch:
            patch.setattr(Store, "_clear_files", lambda _: None)  # as if killed after the commit
            store.erase_account("a")
        assert store.vectors()[0].any()
    with Store.open(tmp_path) as store:
        assert not store.vectors()[0].any()
        assert store.vectors()[1].any()
        assert store.activity().account_no.tolist() == [1]
        assert store.check() == []


# ------------------------------------------------------------------ check
@pytest.fixture
def home(tmp_path: Path) -> Path:
    with Store.open(tmp_path / "home") as store:
        for start in range(0, 200, 50):
            put(store, [sent(i) for i in range(start, start + 50)])
    return tmp_path / "home"


def codes(home: Path) -> list[str]:
    with Store.open(home) as store:
        return [problem.code for problem in store.check()]


def flip(path: Path, place: int) -> None:
    body = bytearray(path.read_bytes())
    body[place] ^= 1
    path.write_bytes(body)


def test_a_sound_home_has_no_problems(home: Path) -> None:
    assert codes(home) == []


def test_a_flipped_bit_in_the_vectors_is_found_and_located(home: Path) -> None:
    flip(home / "vectors.f16", 75 * 2 * DIMENSION)
    with Store.open(home) as store:
        problems = store.check()
    assert [p.code for p in problems] == ["vectors-damaged"]
    assert "rows 50 to 99" in str(problems[0])


def test_missing_vectors_are_found(home: Path) -> None:
    body = (home / "vectors.f16").read_bytes()
    (home / "vectors.f16").write_bytes(body[:-1])
    assert codes(home) == ["vectors-missing"]
    (home / "vectors.f16").unlink()
    assert codes(home) == ["vectors-missing"]


def test_damaged_columns_are_found_and_missing_ones_are_made_again(home: Path) -> None:
    flip(home / "events.cols", 17)
    assert codes(home) == ["columns-damaged"]
    (home / "events.cols").unlink()
    assert codes(home) == []


def test_a_damaged_database_is_found(home: Path) -> None:
    with Store.open(home) as store, store.database.writing() as connection:
        connection.execute("DELETE FROM accounts WHERE account_no = 3")
    assert codes(home) == ["rows-missing"]


def test_an_event_stored_twice_is_found(home: Path) -> None:
    with Store.open(home) as store, store.database.writing() as connection:
        connection.execute("UPDATE events SET event_id = 'e1' WHERE event_no = 5")
    assert "keys-damaged" in codes(home)


# ------------------------------------------------------------------ copies
def test_a_copy_is_a_home_of_one_state(home: Path, tmp_path: Path) -> None:
    with Store.open(home) as store:
        store.save_run(finished(store), found([family(0)], [(0, 0, 0, 2, 7)]), NO_NETWORKS, covered=200)
        expected, families = store.counts(), store.families()
        store.copy_to(tmp_path / "copy")
        put(store, [sent(i) for i in range(500, 520)])
        with pytest.raises(HomeError, match="exists already"):
            store.copy_to(tmp_path / "copy")
    restore(tmp_path / "copy", tmp_path / "again")
    with Store.open(tmp_path / "again") as again:
        assert again.counts() == expected
        assert again.families() == families
        assert (
            again.vectors() == np.array([vector_of(print_of("", f"text {i}")) for i in range(200)], np.float16)
        ).all()
        assert put(again, [sent(0), sent(500)]).outcomes == (False, True)
        assert again.check() == []


def test_a_damaged_copy_is_not_restored_in_silence(home: Path, tmp_path: Path) -> None:
    with Store.open(home) as store:
        store.copy_to(tmp_path / "copy")
    flip(tmp_path / "copy" / "vectors.f16", 9)
    with pytest.raises(DamagedError, match="is damaged"):
        restore(tmp_path / "copy", tmp_path / "again")
    with pytest.raises(HomeError, match="is a home already"):
        restore(tmp_path / "copy", home)
    with pytest.raises(HomeError, match="not a snapshot"):
        restore(tmp_path, tmp_path / "new")


def test_a_copy_can_be_taken_while_another_writes(home: Path, tmp_path: Path) -> None:
    import threading

    with Store.open(home) as store, Store.open(home) as writer:
        done = threading.Event()

        def write() -> None:
            number = 1000
            while not done.is_set():
                put(writer, [sent(i) for i in range(number, number + 10)])
                number += 10

        thread = threading.Thread(target=write)
        thread.start()
        try:
            for i in range(5):
                store.copy_to(tmp_path / f"copy{i}")
        finally:
            done.set()
            thread.join()
    for i in range(5):
        assert codes(tmp_path / f"copy{i}") == []
        shutil.rmtree(tmp_path / f"copy{i}")


# ------------------------------------------------------------------ another encoder
def test_another_encoder_takes_over_at_once(home: Path) -> None:
    first, second = EncoderIdentity("one", "d", DIMENSION), EncoderIdentity("two", "e", 3)

    def encode(documents: DocumentBatch) -> Floats:
        return np.array(
            [[len(user), i % 50, 0] for user, i in zip(documents.user, documents.prompt_no, strict=True)], np.float32
        )

    with Store.open(home) as store, Store.open(home) as other:
        other._expected = first
        put(store, [sent(900, account="gone")])
        store.erase_account("gone")
        old = store.vectors()
        store.reencode(second, encode, batch=64)
        assert store.encoder() == second
        assert store.vectors().shape == (201, 3)
        assert store.vectors()[123].tolist() == [8, 23, 0]
        assert not store.vectors()[200].any()
        assert old.shape == (201, DIMENSION)  # what was mapped before stays readable
        assert store.check() == []
        with pytest.raises(EncoderMismatchError, match="made by two"):
            put(other, [sent(901)])
    assert sorted(p.name for p in home.glob("*.f16")) == ["vectors-2.f16"]
    with Store.open(home) as store:
        store.use_encoder(second)
        with pytest.raises(EncoderMismatchError):
            store.use_encoder(first)


def test_an_erasure_beside_a_reader_of_the_old_state_is_finished_later(tmp_path: Path) -> None:
    with Store.open(tmp_path / "home") as store, Store.open(tmp_path / "home") as reader:
        put(store, mixed_traffic(50))
        with reader.snapshot(), pytest.MonkeyPatch.context() as patch:
            patch.setattr(database.Database.empty_log, "__defaults__", (0.05,))
            assert not store.erase_account("canary-account").complete
            with pytest.raises(NotFoundError):
                reader.account("canary-account")
        assert b"canary" in bytes_of(tmp_path)
        with Store.open(tmp_path / "home") as again:
            assert b"canary" not in bytes_of(tmp_path)
            assert again.check() == []
