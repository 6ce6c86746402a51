"""Mapped files and the page cache: which pages are read from the disk, and that only those are."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from promptsim.index.rows import best, cosines, ranked
from promptsim.index.seal import BLOCK, SealedFile, seal
from promptsim.pages import PIECE, in_order, let_go, scattered, wanted

PAGE = 4096
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what is in its page cache")


def in_cache(path: Path, offset: int) -> bool:
    """Whether a page is in memory (mincore(2): asking reads nothing)."""
    rows = np.memmap(path, np.uint8, "r")
    told = ctypes.create_string_buffer(1)
    page = rows.ctypes.data + offset - offset % PAGE
    if ctypes.CDLL(None, use_errno=True).mincore(ctypes.c_void_p(page), ctypes.c_size_t(PAGE), told):
        raise OSError(ctypes.get_errno(), "mincore")
    return bool(told.raw[0] & 1)


def arrives(path: Path, offset: int) -> bool:
    """Whether a page that was asked for comes into memory by itself."""
    end = time.monotonic() + 20
    while not in_cache(path, offset) and time.monotonic() < end:
        time.sleep(0.005)
    return in_cache(path, offset)


def forgotten(path: Path) -> None:
    """Have the system forget what it holds of a file; skips where it does not."""
    pages = range(0, path.stat().st_size, PAGE)
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
        for _ in range(20):  # pages that another processor holds on to for a moment stay at first
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            if not any(in_cache(path, page) for page in pages):
                return
            time.sleep(0.05)
    except OSError as error:
        pytest.skip(f"this file system does not tell what is in memory ({error})")
    finally:
        os.close(handle)
    pytest.skip("this file system keeps pages in memory")


@pytest.fixture
def rows(tmp_path: Path) -> npt.NDArray[np.float16]:
    """8 MiB of unit rows, mapped, none of them in memory."""
    made = np.random.default_rng(5).standard_normal((16_384, 256)).astype(np.float32)
    path = tmp_path / "rows.f16"
    (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float16).tofile(path)
    forgotten(path)
    return np.memmap(path, np.float16, "r").reshape(-1, 256)


def path_of(rows: npt.NDArray[np.float16]) -> Path:
    assert isinstance(rows, np.memmap)
    return Path(str(rows.filename))


def test_a_lookup_in_scattered_rows_reads_its_page_and_no_more(rows: npt.NDArray[np.float16]) -> None:
    scattered(rows)
    assert rows[800].any()
    assert in_cache(path_of(rows), 800 * 512)
    assert not any(in_cache(path_of(rows), 800 * 512 + ahead * PAGE) for ahead in (2, 10, 30, 1000))


def test_what_is_wanted_comes_by_itself_and_nothing_else(rows: npt.NDArray[np.float16]) -> None:
    scattered(rows)
    far = 3 * PIECE
    view = rows[100:]  # the ranges are of the file, not of the view
    wanted(view, np.array([PAGE + 7, far]), np.array([PAGE + 9, far + 2 * PIECE + 1]))
    assert arrives(path_of(rows), PAGE)
    assert all(arrives(path_of(rows), far + step) for step in (0, PIECE, 2 * PIECE))
    assert not in_cache(path_of(rows), far - 2 * PAGE)
    assert not in_cache(path_of(rows), far + 3 * PIECE)


def test_rows_read_in_order_are_read_ahead_again(rows: npt.NDArray[np.float16]) -> None:
    scattered(rows)
    in_order(rows)
    assert rows[:64].any()
    assert in_cache(path_of(rows), 9 * PAGE)


def test_an_array_in_memory_needs_none_of_it() -> None:
    plain = np.ones((4, 4), np.float16)
    for advise in (scattered, in_order, let_go):
        advise(plain)
    wanted(plain, np.array([0]), np.array([8]))
    assert plain.all()


def test_close_rows_are_asked_for_at_once_and_score_as_one_by_one(rows: npt.NDArray[np.float16]) -> None:
    scattered(rows)
    queries = np.array(rows[[5, 16_000]], np.float32)
    numbers = np.arange(0, 16_384, 2)
    scores, found = best(rows, numbers, queries, 3)
    expected = ranked(cosines(rows, numbers, queries), np.broadcast_to(numbers, (2, numbers.size)), 3)
    assert found[1, 0] == 16_000
    np.testing.assert_array_equal(found, expected[1])
    np.testing.assert_array_equal(scores, expected[0])


def test_a_large_sealed_file_is_read_only_where_it_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "big"
    path.write_bytes(np.random.default_rng(3).bytes(40 * BLOCK))
    files = seal(path, whole_up_to=BLOCK)
    forgotten(path)
    file = SealedFile(path, files)
    file.check(np.array([10 * BLOCK + 1, 12 * BLOCK]), np.array([11 * BLOCK + 1, 12 * BLOCK + 1]))
    assert all(in_cache(path, block * BLOCK) for block in (10, 11, 12))
    assert not any(in_cache(path, block * BLOCK) for block in (0, 5, 20, 39))
