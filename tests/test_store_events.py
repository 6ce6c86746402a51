"""Appending: what is known, what is new, and that a batch is stored whole or not at all."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import numpy as np
import pytest
from store_samples import DIMENSION, print_of, put, sent, vector_of

from promptsim.errors import EncoderMismatchError, StorageFullError, UsageError
from promptsim.store import vectors
from promptsim.store.core import EncoderIdentity
from promptsim.store.store import Store


def test_a_batch_sent_again_changes_nothing(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        events = [sent(i) for i in range(5)]
        assert put(store, events).outcomes == (True,) * 5
        version = store.version()
        again = put(store, events)
        assert (again.accepted, again.known, again.new_prompts) == (0, 5, 0)
        assert store.version() == version
        assert store.counts().events == 5


def test_an_event_is_known_by_its_id_even_with_other_content(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        put(store, [sent(1, account="first", user="one")])
        assert put(store, [sent(1, account="second", user="two")]).outcomes == (False,)
        assert store.event("e1").user == "one"
        assert store.counts().prompts == 1
        assert store.counts().accounts == 1


def test_an_id_twice_in_one_batch_is_stored_once(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        assert put(store, [sent(1, user="one"), sent(1, user="two"), sent(2, user="one")]).outcomes == (
            True,
            False,
            True,
        )
        assert [p.user for p in store.prompts(range(5))] == ["one"]


def test_the_second_account_with_the_same_text_is_an_event_on_the_known_prompt(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        put(store, [sent(1, account="a", user="same")])
        assert put(store, [sent(2, account="b", user="same")]).new_prompts == 0
        senders = store.senders([0])
        assert store.accounts(senders.account_no) == ["a", "b"]


def test_vectors_stand_in_the_row_of_their_prompt(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        for start in range(0, 30, 10):
            put(store, [sent(i) for i in range(start, start + 10)])
        stored = store.vectors()
        assert stored.shape == (30, DIMENSION)
        for prompt in store.prompts(range(30)):
            expected = vector_of(print_of(prompt.system, prompt.user)).astype(np.float16)
            assert (stored[prompt.prompt_no] == expected).all()


def test_a_prompt_was_first_seen_at_its_earliest_event_whatever_the_order(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        put(store, [sent(1, user="t", time=50), sent(2, user="t", time=40)])
        put(store, [sent(3, user="t", time=30), sent(4, user="t", time=60)])
        assert store.prompts([0])[0].first_seen == 30


def test_odd_text_and_metadata_come_back_as_sent(tmp_path: Path) -> None:
    odd = "NUL \x00, astral 𝒳, bidi \u202e, combining e\u0301"
    with Store.open(tmp_path) as store:
        put(store, [sent(1, user=odd, org_id="ö", nested={"b": [1, None, 2.5], "a": True})])
        event = store.event("e1")
        assert event.user == odd
        assert event.metadata == {"org_id": "ö", "nested": {"b": [1, None, 2.5], "a": True}}


def test_a_prompt_that_another_writer_stored_since_the_lookup_is_used(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store, Store.open(tmp_path) as other:
        event = sent(1, user="race")
        key = print_of("", "race")
        assert store.lookup([key]).tolist() == [-1]
        put(other, [sent(2, user="race")])
        done = store.append([event], [key], {key: vector_of(key)})
        assert (done.accepted, done.new_prompts) == (1, 0)
        assert store.counts().prompts == 1


def test_two_writers_wait_for_each_other_and_lose_nothing(tmp_path: Path) -> None:
    with Store.open(tmp_path) as one, Store.open(tmp_path) as two:

        def write(store: Store, first: int) -> None:
            for start in range(first, first + 100, 10):  # texts overlap between the writers
                put(store, [sent(i, user=f"text {i % 50}") for i in range(start, start + 10)])

        threads = [threading.Thread(target=write, args=pair) for pair in ((one, 0), (two, 1000))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert one.counts() == two.counts()
        assert (one.counts().events, one.counts().prompts) == (200, 50)
        assert one.lookup([print_of("", f"text {i}") for i in range(50)]).min() >= 0


def test_a_missing_vector_is_refused_and_nothing_is_stored(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        with pytest.raises(ValueError, match="no vector"):
            store.append([sent(1)], [print_of("", "text 1")], {})
        put(store, [sent(1)])
        with pytest.raises(UsageError, match="dimension"):
            store.append([sent(2)], [b"\1" * 16], {b"\1" * 16: np.zeros(3, np.float32)})
        assert store.counts().events == 1
        assert put(store, [sent(2)]).accepted == 1


def test_another_encoder_is_refused_once_there_are_vectors(tmp_path: Path) -> None:
    mine, other = EncoderIdentity("mine", "d1", DIMENSION, "1"), EncoderIdentity("other", "d2", DIMENSION, "1")
    with Store.open(tmp_path) as store:
        store.use_encoder(other)
        store.use_encoder(mine)
        put(store, [sent(1)])
        with pytest.raises(EncoderMismatchError, match="mine"):
            store.use_encoder(other)
        assert store.encoder() == mine


def test_a_full_database_says_so_and_recovers(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        put(store, [sent(1)])
        writer = store.database.writer()
        pages = writer.execute("PRAGMA page_count").fetchone()[0]
        writer.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StorageFullError, match="no space left"):
            put(store, [sent(i, user="x" * 20_000 + str(i)) for i in range(2, 9)])
        assert store.counts().events == 1
        assert store.prompts([0])[0].user == "text 1"
        writer.execute("PRAGMA max_page_count = 1000000")
        assert put(store, [sent(i) for i in range(2, 9)]).accepted == 7
        assert store.check() == []


def test_a_full_disk_under_the_vectors_says_so_and_recovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open(tmp_path) as store:
        put(store, [sent(1)])

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(vectors, "_write_all", full)
            with pytest.raises(StorageFullError, match="no space left"):
                put(store, [sent(2)])
        assert store.counts().events == 1
        assert put(store, [sent(2)]).accepted == 1
        assert store.check() == []


def test_a_reader_in_another_thread_is_never_locked_out(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        done = threading.Event()
        failures: list[BaseException] = []

        def read() -> None:
            try:
                while not done.is_set():
                    numbers = store.lookup([print_of("", f"text {i}") for i in range(200)])
                    assert len(store.prompts(numbers[numbers >= 0])) == (numbers >= 0).sum()
                    with store.snapshot():
                        assert len(store.vectors()) == len(store.alive())
            except BaseException as error:
                failures.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        for start in range(0, 200, 5):
            put(store, [sent(i) for i in range(start, start + 5)])
        done.set()
        reader.join()
        assert failures == []


def test_a_snapshot_sees_one_state(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        put(store, [sent(1), sent(2)])
        with store.snapshot():
            before = store.counts()
            put(store, [sent(3)])
            assert store.counts() == before
            assert store.lookup([print_of("", "text 3")]).tolist() == [-1]
            assert len(store.incidence().prompt_no) == 2
            assert len(store.vectors()) == 2
            assert sum(len(batch.prompt_no) for batch in store.documents()) == 2
        assert store.counts().events == 3
        assert store.lookup([print_of("", "text 3")]).tolist() == [2]
