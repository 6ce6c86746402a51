"""Nearest prompts: the exact answer is the oracle for every faster path."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptsim.index import vectors as room
from promptsim.index.lists import Lists, Tuning, build
from promptsim.index.rows import TRIED, Halves, best, best_of_each, cosines
from promptsim.index.vectors import VectorIndex
from promptsim.progress import Silent
from promptsim.records import Bools, Floats, Int64s
from tests.index_samples import SMALL, asked, clustered

ROWS = 6000
COVERED = 5500


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Halves, Lists]:
    """A segment over the first COVERED of ROWS rows, three of them empty."""
    folder = tmp_path_factory.mktemp("segment")
    rows = clustered(ROWS)
    rows[[7, 4000, 5800]] = 0
    files = build(folder / "a", rows, 0, COVERED, SMALL, Silent())
    return rows, Lists(folder / "a", files)


@pytest.fixture(params=[0, room.EVERY_CODE], ids=["widening", "every code"])
def index(built: tuple[Halves, Lists], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> VectorIndex:
    """The same, made to use its segment however few rows a filter leaves, by either way through it."""
    monkeypatch.setattr(room, "EXACT_ROWS", 50)
    monkeypatch.setattr(room, "EVERY_CODE", request.param)
    return VectorIndex(built[0], [built[1]], COVERED)


def oracle(rows: Halves, query: Floats, k: int, mask: Bools | None = None) -> list[int]:
    """By the book: every cosine in float64, zero rows and forbidden rows out, ties to the lowest number."""
    scores = rows.astype(np.float64) @ query.astype(np.float64)
    usable = rows.any(axis=1) & (mask if mask is not None else True)
    order = np.lexsort((np.arange(len(rows)), -np.round(scores, 6)))
    return [int(n) for n in order if usable[n]][:k]


def recall(found: Int64s, wanted: Int64s) -> float:
    return float(
        np.mean([len(set(f) & set(w)) / max(1, len(set(w) - {-1})) for f, w in zip(found, wanted, strict=True)])
    )


def test_scores_are_cosines_of_the_stored_rows() -> None:
    rows, queries = clustered(40), asked(5)
    scores = cosines(rows, np.arange(40), queries)
    assert np.allclose(scores, queries @ rows.astype(np.float32).T, atol=1e-6)


def test_float16_is_read_exactly_down_to_the_smallest_number() -> None:
    rows = np.array([[6e-8, -6e-5, 1.0, -0.333]], np.float16)
    for c in range(4):
        query = np.zeros((1, 4), np.float32)
        query[0, c] = 1
        assert cosines(rows, np.array([0]), query)[0, 0] == np.float32(rows[0, c])


def test_the_exact_search_is_the_book() -> None:
    rows = clustered(3000)
    rows[11] = 0
    rows[2000] = rows[500]
    index = VectorIndex(rows, (), 0)
    for query in asked(10):
        assert index.search(query, 7)[1][0].tolist() == oracle(rows, query, 7)


def test_equal_rows_come_in_the_order_of_their_numbers() -> None:
    rows = clustered(500)
    rows[[400, 3, 77]] = rows[200]
    scores, found = VectorIndex(rows, (), 0).search(rows[200].astype(np.float32), 4)
    assert found[0].tolist() == [3, 77, 200, 400]
    assert len(set(scores[0].tolist())) == 1


def test_many_queries_at_once_are_answered_as_one_by_one() -> None:
    rows, queries = clustered(3000), asked(30)
    rows[[4, 9, 2500]] = 0
    rows[[100, 700, 2900]] = rows[1]
    for k in (1, 10, 2999):
        scores, found = best(rows, np.arange(3000), queries, k)
        for i in range(30):
            one_scores, one = best(rows, np.arange(3000), queries[i : i + 1], k)
            assert np.array_equal(found[i], one[0])
            assert np.array_equal(scores[i], one_scores[0])


def test_rows_that_come_slowly_are_asked_for_all_at_once_and_the_answer_is_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows, queries = clustered(4000), asked(1)
    numbers = np.random.default_rng(3).permutation(4000)[None, :3000]
    numbers[0, 2000:2010] = -1
    asked_for: list[Int64s] = []
    monkeypatch.setattr("promptsim.index.rows.wanted", lambda _, starts, stops: asked_for.extend((starts, stops)))
    monkeypatch.setattr("promptsim.index.rows.SLOW", 1e9)
    quick = best_of_each(rows, numbers, queries, 20)
    assert asked_for == []
    monkeypatch.setattr("promptsim.index.rows.SLOW", 0.0)
    slow = best_of_each(rows, numbers, queries, 20)
    assert np.array_equal(slow[1], quick[1])
    assert np.array_equal(slow[1], best(rows, np.sort(numbers[numbers >= 0]), queries, 20)[1])
    later = np.sort(numbers[0, TRIED:][numbers[0, TRIED:] >= 0]) * rows.strides[0]
    assert np.array_equal(asked_for[0], later)
    assert np.array_equal(asked_for[1], later + rows.strides[0])


def test_blocks_do_not_change_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, queries = clustered(900), asked(6)
    whole = best(rows, np.arange(900), queries, 20)
    monkeypatch.setattr("promptsim.index.rows.BLOCK_CELLS", 6 * 33)
    assert np.array_equal(best(rows, np.arange(900), queries, 20)[1], whole[1])


def test_fewer_prompts_than_asked_for_are_padded() -> None:
    for count in (0, 1, 2):
        scores, found = VectorIndex(clustered(count), (), 0).search(asked(1), 3)
        assert sorted(found[0].tolist()) == [-1] * (3 - count) + list(range(count))
        assert np.isneginf(scores[0, count:]).all()


def test_an_empty_text_finds_nothing() -> None:
    assert VectorIndex(clustered(10), (), 0).search(np.zeros(32, np.float32), 2)[1].tolist() == [[-1, -1]]


def test_a_call_that_cannot_be_meant_is_refused() -> None:
    index = VectorIndex(clustered(10), (), 0)
    with pytest.raises(ValueError, match="k must be at least 1, not 0"):
        index.search(asked(1), 0)
    with pytest.raises(ValueError, match="queries have 8 dimensions, the index 32"):
        index.search(np.ones((1, 8), np.float32), 1)


def test_segments_find_what_exact_search_finds(index: VectorIndex) -> None:
    queries = asked(200)
    scores, found = index.search(queries, 10)
    exact_scores, exact = index.exact(queries, 10)
    assert recall(found, exact) >= 0.99
    same = found == exact
    assert np.array_equal(scores[same], exact_scores[same]), "a pair has one score by whatever path it was found"


def test_newer_prompts_are_found_at_once(index: VectorIndex) -> None:
    for number in (COVERED, 5700, ROWS - 1):
        assert index.search(index.vectors[number].astype(np.float32), 1)[1][0, 0] == number


def test_empty_and_erased_prompts_are_never_found(index: VectorIndex) -> None:
    alive = np.ones(ROWS, np.bool_)
    alive[:3000] = False
    index.refresh(index.vectors, alive)
    found = index.search(asked(50), 40)[1]
    assert found.min() >= 3000
    assert not {4000, 5800} & set(found.ravel().tolist())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), share=st.sampled_from([0.0, 0.002, 0.02, 0.2, 0.9]), k=st.sampled_from([1, 10, 60]))
def test_a_filter_loses_nothing(index: VectorIndex, seed: int, share: float, k: int) -> None:
    allowed = np.random.default_rng(seed).random(ROWS) < share
    queries = asked(8, seed=seed)
    found, exact = index.search(queries, k, allowed)[1], index.exact(queries, k, allowed)[1]
    assert allowed[found[found >= 0]].all()
    assert ((found >= 0).sum(axis=1) == (exact >= 0).sum(axis=1)).all(), "as many as there are"
    assert recall(found, exact) >= (1.0 if room.EVERY_CODE else 0.98)


def test_a_filter_that_allows_one_far_cluster_finds_all_of_it(index: VectorIndex) -> None:
    query = asked(1)
    far = index.exact(query, ROWS)[1][0][-200:]
    far = far[far >= 0]
    allowed = np.zeros(ROWS, np.bool_)
    allowed[far] = True
    assert set(index.search(query, len(far), allowed)[1][0].tolist()) == set(far.tolist())


def test_a_mask_older_than_the_newest_prompts_forbids_them(index: VectorIndex) -> None:
    assert index.search(asked(5), 50, np.ones(100, np.bool_))[1].max() < 100


def test_the_same_rows_and_seed_give_the_same_files(tmp_path: Path) -> None:
    rows = clustered(3000)
    once = build(tmp_path / "a", rows, 0, 3000, SMALL, Silent())
    again = build(tmp_path / "b", rows, 0, 3000, SMALL, Silent())
    assert [seal.digest for seal in once.values()] == [seal.digest for seal in again.values()]
    other = build(tmp_path / "c", rows, 0, 3000, Tuning(most_lists=64, rounds=4, seed=1), Silent())
    assert once["a.lists"].digest != other["c.lists"].digest


@pytest.mark.parametrize("rows", [1, 5, 40])
def test_a_handful_of_rows_can_be_a_segment(rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "EXACT_ROWS", 0)
    vectors = clustered(rows)
    index = VectorIndex(
        vectors, [Lists(tmp_path / "a", build(tmp_path / "a", vectors, 0, rows, SMALL, Silent()))], rows
    )
    assert sorted(index.search(asked(1), rows)[1][0].tolist()) == list(range(rows))


@pytest.mark.parametrize("width", [32, 64, 192])
def test_the_scan_finds_what_faiss_finds_in_the_same_codes(width: int, tmp_path: Path) -> None:
    """FAISS wrote the codes and has its own scan: the oracle, also for the estimates themselves."""
    rows = clustered(4000, width=width)
    lists = Lists(tmp_path / "a", build(tmp_path / "a", rows, 0, 4000, SMALL, Silent()))
    ivf = faiss.downcast_index(lists._index.index)
    held = faiss.ArrayInvertedLists(lists.count, lists.code_size)
    for i, size in enumerate(lists.sizes.tolist()):
        data = lists.file.bytes[lists.starts[i] : lists.starts[i + 1]]
        room_for = -(-size // 8) * 8
        groups, words = data[: room_for * lists.code_size].reshape(-1, 8 * lists.code_size), lists.code_size // 8 - 1
        bits = groups[:, : 64 * words].reshape(-1, words, 8, 8).swapaxes(1, 2).reshape(room_for, 8 * words)
        factors = groups[:, 64 * words :].reshape(-1, 2, 8, 4).swapaxes(1, 2).reshape(room_for, 8)
        codes = np.ascontiguousarray(np.concatenate([bits, factors], axis=1)[:size])
        numbers = data[room_for * lists.code_size :].view(np.int64)[:size].copy()
        held.add_entries(i, size, faiss.swig_ptr(numbers), faiss.swig_ptr(codes))
    ivf.replace_invlists(held, False)
    for query in clustered(20, width=width, seed=5).astype(np.float32):
        turned = lists._index.chain.at(0).apply(query[None])
        near, chosen = ivf.quantizer.search(turned, lists.count)
        wanted, theirs = np.empty((1, 300), np.float32), np.empty((1, 300), np.int64)
        params = faiss.IVFRaBitQSearchParameters(nprobe=lists.count)
        ptr = faiss.swig_ptr
        ivf.search_preassigned_c(1, ptr(turned), 300, ptr(chosen), ptr(near), ptr(wanted), ptr(theirs), False, params)
        ours = lists.candidates(query[None], 300, 4000)[0]
        assert len(set(ours.tolist()) & set(theirs[0].tolist())) >= 299, "but for a tie at the end"


@pytest.mark.parametrize("much", [0, 10**9], ids=["two threads", "one"])
def test_a_mask_holds_in_every_code_that_is_scanned(
    built: tuple[Halves, Lists], much: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptsim.index.lists.MUCH_SCANNED", much)
    mask = np.random.default_rng(2).random(5000) < 0.1
    mask[[7, 4000]] = False  # rows of zeros, which are in no list
    found = built[1].candidates(asked(3), 2000, ROWS, mask)
    for line in found:
        assert sorted(line[line >= 0].tolist()) == np.flatnonzero(mask).tolist()
