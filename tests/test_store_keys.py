"""The finder of keys against a dictionary, through spills, merges, damage and other processes' files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptsim.store.keys import KeyFinder, Pairs


def key(number: int) -> bytes:
    return hashlib.blake2b(str(number).encode(), digest_size=16).digest()


def whole(first: int, last: int) -> Iterator[Pairs]:
    """The truth: number n has key(n)."""
    yield [key(n) for n in range(first, last)], list(range(first, last))


def source(first: int, last: int) -> Iterator[Pairs]:
    """The truth after every tenth was taken away."""
    kept = [n for n in range(first, last) if n % 10]
    yield [key(n) for n in kept], kept


def expected(count: int, asked: range) -> list[int]:
    return [n if n < count and n % 10 else -1 for n in asked]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=15), st.integers(2, 16))
def test_it_finds_what_a_dictionary_finds(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], spill: int
) -> None:
    folder = tmp_path_factory.mktemp("keys")
    writer, count = KeyFinder(folder, "events", spill=spill), 0
    reader = KeyFinder(folder, "events", spill=spill)
    for i, step in enumerate(steps):
        writer.catch_up(0, count, whole)
        writer.add([key(n) for n in range(count, count + step)], count)
        writer.settle()
        count += step
        assert writer.find([key(n) for n in range(count + 5)]).tolist() == [*range(count), *([-1] * 5)]
        if i % 3 == 0:
            reader.catch_up(0, count, whole)
            assert reader.find([key(n) for n in range(count + 5)]).tolist() == [*range(count), *([-1] * 5)]
    fresh = KeyFinder(folder, "events", spill=spill)
    fresh.catch_up(1, count, source)  # something was taken away: files of the state before do not count
    assert fresh.find([key(n) for n in range(count + 5)]).tolist() == expected(count, range(count + 5))


def test_runs_stay_few(tmp_path: Path) -> None:
    finder = KeyFinder(tmp_path, "prompts", spill=10)
    finder.catch_up(0, 0, whole)
    for start in range(0, 3_000, 10):
        finder.add([key(n) for n in range(start, start + 10)], start)
        finder.settle()
    assert len(list(tmp_path.iterdir())) <= 12
    assert finder.find([key(n) for n in range(0, 3_000, 7)]).tolist() == list(range(0, 3_000, 7))


@pytest.mark.parametrize("damage", ["flip", "cut", "append", "empty", "delete"])
def test_a_damaged_file_is_not_believed(tmp_path: Path, damage: str) -> None:
    finder = KeyFinder(tmp_path, "events", spill=50)
    finder.catch_up(0, 100, source)
    for path in tmp_path.iterdir():
        body = bytearray(path.read_bytes())
        if damage == "flip":
            body[len(body) // 2] ^= 1
        path.write_bytes({"cut": body[:-1], "append": body + b"\0", "empty": b""}.get(damage, body))
        if damage == "delete":
            path.unlink()
    again = KeyFinder(tmp_path, "events", spill=50)
    again.catch_up(0, 100, source)
    assert again.find([key(n) for n in range(110)]).tolist() == expected(100, range(110))


def test_keys_that_share_their_first_half_are_told_apart(tmp_path: Path) -> None:
    keys = [b"12345678" + bytes([n]) * 8 for n in range(20)]

    def twins(first: int, last: int) -> Iterator[Pairs]:
        yield keys[first:last], list(range(first, last))

    finder = KeyFinder(tmp_path, "events", spill=8)
    finder.catch_up(0, 20, twins)
    assert finder.find([*keys, b"12345678" + b"\xff" * 8]).tolist() == [*range(20), -1]


def test_a_full_disk_leaves_the_run_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(KeyFinder, "_save", full)
    finder = KeyFinder(tmp_path, "events", spill=10)
    for start in range(0, 100, 10):
        finder.add([key(n) for n in range(start, start + 10)], start)
        finder.settle()
    assert (finder.find([key(n) for n in range(100)]) == np.arange(100)).all()
    assert list(tmp_path.iterdir()) == []
