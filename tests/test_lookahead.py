"""Work beside reading: in order, bounded, and its errors are not lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from promptsim import lookahead
from promptsim.lookahead import allowed_threads, in_spans, mapped


def test_results_come_in_the_order_of_the_items_whatever_takes_longest() -> None:
    def slow_first(i: int) -> int:
        time.sleep(0.02 if i == 0 else 0)
        return i * i

    assert list(mapped(slow_first, range(20), threads=3)) == [i * i for i in range(20)]


def test_no_more_items_are_read_than_are_in_flight() -> None:
    gate, read = threading.Event(), [0]

    def items() -> Iterator[int]:
        for i in range(100):
            read[0] = i + 1
            yield i

    results = mapped(lambda i: gate.wait(5) and i, items(), threads=2)
    threading.Timer(0.1, gate.set).start()
    assert next(results) == 0
    assert read[0] == 3


def test_an_error_in_the_work_is_raised_where_its_result_would_be() -> None:
    results = mapped(lambda i: 1 // (2 - i), range(4), threads=2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_threads_are_those_that_numeric_libraries_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert allowed_threads() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    assert allowed_threads() == 4


def test_spans_follow_each_other_and_share_the_work_not_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookahead, "LEAST", 10)
    of = np.cumsum([5, 60, 1, 1, 1, 1, 1, 30, 1])  # the first row has 60 pieces of work

    assert in_spans(lambda first, last: (first, last), of, threads=2) == [(0, 1), (1, 8)]
    assert in_spans(lambda first, last: (first, last), of, threads=1) == [(0, 8)]
    assert in_spans(lambda first, last: (first, last), of[1:8], threads=4) == [(0, 6), (6, 6), (6, 6)]


@pytest.mark.parametrize("of", [[0], [0, 0, 0], [7, 7 + lookahead.LEAST]])
def test_little_work_is_one_span(of: list[int]) -> None:
    assert in_spans(lambda first, last: (first, last), np.array(of), threads=4) == [(0, len(of) - 1)]


def test_work_that_is_beside_other_work_already_is_one_span(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookahead, "LEAST", 1)
    of = np.arange(9)
    inner = mapped(lambda _: in_spans(lambda first, last: (first, last), of, threads=2), range(3), threads=2)
    assert list(inner) == [[(0, 8)]] * 3
    assert in_spans(lambda first, last: (first, last), of, threads=2) == [(0, 4), (4, 8)]
