"""Shared runs: a run of RUN tokens is always seen, whatever surrounds it, and caps are counted."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptsim.index import postings as postings_room
from promptsim.index import spans as room
from promptsim.index.postings import Postings, PostingsWriter, held_by, scramble, thin, unscramble
from promptsim.index.prints import RUN, TEXT_VERSION, WINDOW, prints_of
from promptsim.index.spans import SpanIndex, pairs_of
from promptsim.records import DocumentBatch
from tests.index_samples import FIXED

PLAIN = "every good index answers the same question in the same way whoever asks and however often it is asked again"


def batch(texts: list[str], systems: list[str] | None = None, first: int = 0) -> DocumentBatch:
    systems = systems or [""] * len(texts)
    return DocumentBatch(np.arange(first, first + len(texts)), tuple(systems), tuple(texts))


def over(texts: list[str], systems: list[str] | None = None, *, indexed: int = 0) -> SpanIndex:
    """An index over the texts: the first `indexed` as a segment, the rest as its tail."""
    whole = batch(texts, systems)

    def documents(*, since_no: int) -> Iterator[DocumentBatch]:
        yield DocumentBatch(whole.prompt_no[since_no:], whole.system[since_no:], whole.user[since_no:])

    head = DocumentBatch(whole.prompt_no[:indexed], whole.system[:indexed], whole.user[:indexed])
    return SpanIndex(len(texts), [Postings.of(*pairs_of(head))] if indexed else [], indexed, documents)


def noise(words: int, seed: int) -> str:
    return " ".join(f"w{n}" for n in np.random.default_rng(seed).integers(0, 10**6, words))


# ------------------------------------------------------------------ fingerprints
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 60), st.integers(0, 60), st.integers(RUN, 30))
def test_a_shared_run_always_shares_a_fingerprint(seed: int, before: int, after: int, run: int) -> None:
    shared = noise(run, seed)
    one = prints_of([f"{noise(before, seed + 1)} {shared} {noise(after, seed + 2)}"])
    other = prints_of([f"{noise(after, seed + 3)} {shared} {noise(before, seed + 4)}"])
    assert set(one.hashes.tolist()) & set(other.hashes.tolist())


def test_two_of_nine_shingles_are_kept() -> None:
    kept = prints_of([noise(9000, 1)]).hashes.size
    assert 0.2 < kept / 9000 < 0.25


def test_fingerprints_are_those_of_the_text_version() -> None:
    """When this fails, texts are read in another way: give TEXT_VERSION a new first figure, and this the new value."""
    prints = prints_of(["The quick brown fox, no. 42, jumps over the lazy dog's 3 ﬁne **hats**\nand says “hi” again."])
    assert (TEXT_VERSION, prints.hashes.size, int(np.bitwise_xor.reduce(prints.hashes))) == PINNED


PINNED = ("1-6-8", 4, 941477117200277259)


# ------------------------------------------------------------------ postings
@given(st.lists(st.integers(0, 2**32 - 1), max_size=50))
def test_scrambling_can_be_undone(numbers: list[int]) -> None:
    held = np.array(numbers, np.int64)
    assert unscramble(scramble(held)).tolist() == numbers


def test_written_postings_hold_exactly_the_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postings_room, "CHUNK", 3000)
    random = np.random.default_rng(0)
    prints = random.integers(0, 2**64, 20_000, dtype=np.uint64)
    prints[:8000] = prints[random.integers(0, 40, 8000)]
    numbers = random.integers(0, 700, 20_000)
    writer = PostingsWriter(tmp_path / "s")
    for i in range(0, 20_000, 999):
        writer.add(prints[i : i + 999], numbers[i : i + 999])
    written, held = Postings.open(tmp_path / "s", writer.finish()), Postings.of(prints, numbers)
    assert np.array_equal(written.entries, held.entries)
    assert np.array_equal(written.buckets, held.buckets)
    asked = np.concatenate((np.unique(prints[:8000]), prints[-20:], np.array([1, 2**63], np.uint64)))
    for one, start, stop in zip(asked, *written.locate(asked), strict=True):
        assert sorted(held_by(written, start, stop).tolist()) == sorted(set(numbers[prints == one].tolist()))
    assert not list(tmp_path.glob("*.run")), "nothing is left of the sorting"


def test_thinned_postings_are_those_of_the_prompts_that_stay(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    prints, numbers = random.integers(0, 2**64, 300_000, dtype=np.uint64), random.integers(0, 9000, 300_000)
    alive = random.random(9000) < 0.3
    thin(Postings.of(prints, numbers), alive, tmp_path / "s")
    wanted = Postings.of(prints[alive[numbers]], numbers[alive[numbers]])
    assert (tmp_path / "s.entries").read_bytes() == wanted.entries.tobytes()
    assert (tmp_path / "s.buckets").read_bytes() == wanted.buckets.tobytes()


# ------------------------------------------------------------------ search
@pytest.mark.parametrize("indexed", [0, 30, 60])
def test_a_fixed_run_is_found_though_the_payload_dwarfs_it(indexed: int) -> None:
    texts = [noise(400, n) if n % 3 else f"{noise(200, n)} {FIXED} {noise(200, n + 1000)}" for n in range(60)]
    hits = over(texts, indexed=indexed).search("", f"{FIXED} {noise(20, 5000)}", 50)
    assert hits.prompt_no.tolist() == list(range(0, 60, 3))
    assert (hits.shared == hits.shared[0]).all()
    assert hits.run.min() >= len(FIXED.split()) - 2 * (WINDOW - 1)
    assert hits.unsearched == 0


def test_the_rarer_run_ranks_first() -> None:
    texts = [f"{FIXED} {noise(30, n)}" for n in range(50)] + [f"{PLAIN} {noise(30, 99)}"]
    hits = over(texts).search("", f"{FIXED} {PLAIN}", 5)
    assert hits.prompt_no[0] == 50
    assert hits.weight[0] > hits.weight[1]


def test_the_run_is_measured_in_tokens_and_ends_where_the_texts_part() -> None:
    words = noise(60, 3).split()
    stored = " ".join(words[:40] + noise(30, 4).split())
    hits = over([stored]).search("", " ".join(words), 5)
    assert 40 - 2 * (WINDOW - 1) <= hits.run[0] <= 40


def test_system_and_user_text_are_read_apart() -> None:
    left, right = FIXED.split()[:8], FIXED.split()[8:]
    index = over([FIXED, " ".join(right)], ["", " ".join(left)])
    assert index.search("", FIXED, 5).prompt_no.tolist()[0] == 0
    assert index.search("", FIXED, 5).run.tolist()[0] > 8
    moved = index.search(FIXED, "", 5)
    assert moved.prompt_no[0] == 0, "a run is seen in whichever role it stands"


def test_nothing_in_common_finds_nothing() -> None:
    index = over([noise(40, n) for n in range(20)], indexed=10)
    for text in ("", "too short", noise(50, 777)):
        assert index.search("", text, 5).prompt_no.size == 0


def test_no_prompts_at_all() -> None:
    assert over([]).search("", FIXED, 5).prompt_no.size == 0


@pytest.mark.parametrize("indexed", [0, 900, 1500])
def test_a_run_that_very_many_share_is_sampled_alike_and_said(indexed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_HOLDERS", 100)
    texts = [f"{FIXED} {noise(10, n)}" for n in range(1500)]
    hits = over(texts, indexed=indexed).search("", FIXED, 100)
    assert hits.capped == hits.prints
    assert hits.prompt_no.size == 100
    assert (hits.weight > 0.999).all(), "what is sampled is counted in full"
    assert 400 < np.median(hits.prompt_no) < 1100, "from all times, not the first ones"
    assert np.array_equal(hits.prompt_no, over(texts).search("", FIXED, 100).prompt_no)


@pytest.mark.parametrize("indexed", [0, 900, 1500])
def test_a_filter_sees_past_the_cap(indexed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_HOLDERS", 100)
    allowed = np.zeros(1500, np.bool_)
    allowed[[5, 700, 1400]] = True
    hits = over([f"{FIXED} {noise(10, n)}" for n in range(1500)], indexed=indexed).search("", FIXED, 10, allowed)
    assert hits.prompt_no.tolist() == [5, 700, 1400]


def test_erased_prompts_are_not_found() -> None:
    index = over([f"{FIXED} {noise(10, n)}" for n in range(6)], indexed=3)
    index.refresh(6, np.array([True, False, True, True, False, True]))
    assert index.search("", FIXED, 10).prompt_no.tolist() == [0, 2, 3, 5]


def test_a_very_long_text_is_cut_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_PRINTS", 50)
    text = noise(2000, 1)
    hits = over([text, noise(2000, 2)]).search("", text, 5)
    assert hits.prompt_no.tolist() == [0]
    assert hits.prints == 50
    assert hits.unread == prints_of([text]).hashes.size - 50


def test_a_tail_too_long_for_memory_is_cut_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_TAIL", 8)
    hits = over([f"{FIXED} {noise(10, n)}" for n in range(20)]).search("", FIXED, 50)
    assert hits.prompt_no.tolist() == list(range(12, 20))
    assert hits.unsearched == 12


def test_a_tail_that_grows_bit_by_bit_answers_as_one_that_came_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_HOLDERS", 100)
    texts = [f"{FIXED if n % 3 else ''} {noise(10, n % 250)}" for n in range(600)]
    at_once, growing = over(texts, indexed=100), over(texts, indexed=100)
    steps = [100, *sorted(random.Random(1).sample(range(101, 600), 60)), 600]
    for count in steps:
        growing.refresh(count)
        growing.read_tail()
    sizes = [each.pairs[0].size for each in growing._tail]
    assert all(older > room.TAIL_FACTOR * newer for older, newer in pairwise(sizes)), sizes
    for query in (FIXED, texts[0], texts[599], f"{FIXED} {noise(10, 77)}"):
        one, other = at_once.search("", query, 50), growing.search("", query, 50)
        assert np.array_equal(one.prompt_no, other.prompt_no)
        assert np.array_equal(one.weight, other.weight)
        assert (one.capped, one.unsearched) == (other.capped, other.unsearched)
