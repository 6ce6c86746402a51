"""Generations: whole or not there, never answered from when damaged, swapped under readers' hands."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from promptsim.errors import BusyError, EncoderMismatchError
from promptsim.index import generation, index, seal, segments, vectors
from promptsim.index.generation import building, current_name
from promptsim.index.index import Index
from tests.index_samples import FIXED, World, asked

PROMPTS = 600
Answer = tuple[bytes, bytes, tuple[int, ...]]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small enough for tests, and yet every path is taken."""
    monkeypatch.setattr(vectors, "EXACT_ROWS", 20)
    monkeypatch.setattr(index, "TAIL_ROWS", 200)


@pytest.fixture
def world() -> World:
    return World(PROMPTS)


@pytest.fixture
def home(world: World, tmp_path: Path) -> Path:
    folder = tmp_path / "generations"
    world.index(folder).rebuild()
    return folder


def answer(opened: Index) -> Answer:
    scores, found = opened.nearest(asked(6), 5)
    return scores.tobytes(), found.tobytes(), tuple(opened.sharing("", FIXED, 100).prompt_no.tolist())


def files_of(home: Path) -> list[Path]:
    return [home / generation.CURRENT, *sorted((home / read_name(home)).iterdir())]


def read_name(home: Path) -> str:
    named = current_name(home)
    assert named is not None
    return named[0]


# ------------------------------------------------------------------ life
def test_nothing_built_yet_answers_exactly(world: World, tmp_path: Path) -> None:
    opened = world.index(tmp_path / "none")
    assert opened.status().state == "none"
    assert answer(opened)[2] == tuple(range(0, PROMPTS, 10))
    assert opened.needs_rebuild, "600 prompts are a long tail here"


@pytest.mark.parametrize("prompts", [0, 1, 2])
def test_tiny_homes_work(prompts: int, tmp_path: Path) -> None:
    world = World(prompts)
    opened = world.index(tmp_path)
    opened.rebuild()
    assert opened.status().state == "current"
    assert not opened.needs_rebuild
    assert (opened.nearest(asked(1), 3)[1] >= 0).sum() == prompts


def test_a_generation_answers_as_exact_search_does(world: World, home: Path, tmp_path: Path) -> None:
    assert answer(world.index(home)) == answer(world.index(tmp_path / "none"))


def test_new_prompts_are_found_before_any_rebuild(world: World, home: Path) -> None:
    opened = world.index(home)
    world.grow(60)
    opened.refresh(world.rows, world.alive)
    assert opened.nearest(world.rows[630].astype(np.float32), 1)[1][0, 0] == 630
    assert 640 in opened.sharing("", FIXED, 100).prompt_no
    assert not opened.needs_rebuild


def test_a_long_tail_asks_for_a_rebuild_which_keeps_the_large_segment(
    world: World, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "JOIN_BELOW", 2)  # so that 600 are many beside 201
    opened = world.index(home)
    before = {path.name: path.stat().st_ino for path in files_of(home)}
    world.grow(201)
    opened.refresh(world.rows, world.alive)
    assert opened.needs_rebuild
    opened.rebuild()
    assert (opened.status().segments, opened.status().indexed) == (2, 801)
    after = {path.name: path.stat().st_ino for path in files_of(home)}
    kept = [name for name in after if name.startswith("0000000000-0000000600")]
    assert len(kept) == 5
    assert all(after[name] == before[name] for name in kept), "not written again"
    assert len(opened.sharing("", FIXED, 100).prompt_no) == 81
    assert len(list(home.glob("0*"))) == 1, "the old generation is gone"


def test_small_segments_are_joined(world: World, home: Path) -> None:
    opened = world.index(home)
    for _ in range(8):
        world.grow(60)
        opened.refresh(world.rows, world.alive)
        opened.rebuild()
    assert opened.status().indexed == 1080
    assert opened.status().segments <= 3


def test_the_same_prompts_give_the_same_files(world: World, home: Path, tmp_path: Path) -> None:
    world.index(tmp_path / "again").rebuild()
    assert [path.read_bytes() for path in files_of(home)] == [
        path.read_bytes() for path in files_of(tmp_path / "again")
    ]


def test_an_erased_prompt_leaves_every_file(world: World, home: Path, tmp_path: Path) -> None:
    opened = world.index(home)
    for number in (10, 11, 599):
        world.erase(number)
    opened.refresh(world.rows, world.alive)
    assert 10 not in opened.sharing("", FIXED, 100).prompt_no, "at once"
    opened.rebuild()
    assert opened.status().state == "current"
    world.index(tmp_path / "again").rebuild()
    assert (home / read_name(home) / "0000000000-0000000600.entries").read_bytes() == (
        tmp_path / "again" / "00000001" / "0000000000-0000000600.entries"
    ).read_bytes()
    lists = opened.vectors.lists[0]
    listed = lists.candidates(world.rows[:1].astype(np.float32), 2 * PROMPTS, PROMPTS)
    assert sorted(set(listed[listed >= 0].tolist())) == np.flatnonzero(world.alive).tolist()
    assert answer(opened) == answer(world.index(tmp_path / "none"))


# ------------------------------------------------------------------ damage
def damaged(path: Path, change: Callable[[bytes], bytes], opened: Callable[[], Index]) -> Index:
    """The index opened with one file changed; the file is put back afterwards."""
    whole = path.read_bytes()
    try:
        path.write_bytes(change(whole))
        return opened()
    finally:
        path.write_bytes(whole)


def change_of(kind: str, random: np.random.Generator) -> Callable[[bytes], bytes]:
    def changed(data: bytes) -> bytes:
        place = int(random.integers(0, len(data)))
        if kind == "truncated":
            return data[:place]
        if kind == "appended":
            return data + random.bytes(1 + place % 70)
        flipped = bytearray(data)
        flipped[place] ^= 1 << int(random.integers(0, 8))
        return bytes(flipped)

    return changed


@pytest.mark.parametrize("kind", ["flipped", "truncated", "appended"])
def test_every_damage_is_seen_before_an_answer(kind: str, world: World, home: Path) -> None:
    """340 each of single flipped bits, cut ends and added bytes over all files: 1,020 of 1,020."""
    random = np.random.default_rng({"flipped": 1, "truncated": 2, "appended": 3}[kind])
    paths = files_of(home)
    for i in range(340):
        path = paths[i % len(paths)]
        opened = damaged(path, change_of(kind, random), lambda: world.index(home))
        assert opened.status().state == "damaged", f"{kind} {path.name}"
        assert opened.needs_rebuild
    assert world.index(home).status().state == "current", "undamaged it still opens"


def test_a_damaged_home_answers_from_the_store_and_is_rebuilt(world: World, home: Path) -> None:
    good = answer(world.index(home))
    lists = next(path for path in files_of(home) if path.suffix == ".lists")
    lists.write_bytes(lists.read_bytes()[:-1] + b"?")
    opened = world.index(home)
    assert "lists" in opened.status().reason
    assert answer(opened) == good
    opened.rebuild()
    assert opened.status().state == "current"
    assert opened.check() == []
    assert answer(opened) == good


def test_large_files_are_checked_block_by_block(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With blocks, damage may lie where a search does not read: then the answer is the right one."""
    monkeypatch.setattr(seal.seal, "__kwdefaults__", {"whole_up_to": 1000})
    monkeypatch.setattr(seal, "BLOCK", 512)
    world.index(tmp_path).rebuild()
    good = answer(world.index(tmp_path))
    random = np.random.default_rng(5)
    large = [path for path in files_of(tmp_path) if path.suffix in (".lists", ".entries")]
    seen = 0
    for i in range(60):
        opened = damaged(large[i % 2], change_of("flipped", random), lambda: asked_of(world, tmp_path, good))
        seen += opened.status().state == "damaged"
        assert opened.status().state == "damaged" or large[i % 2].suffix == ".entries"
    assert seen >= 30


def asked_of(world: World, home: Path, good: Answer) -> Index:
    opened = world.index(home)
    assert answer(opened) == good
    opened.check()
    return opened


def test_a_missing_file_is_damage(world: World, home: Path) -> None:
    for path in files_of(home):
        whole = path.read_bytes()
        path.unlink()
        wanted = "none" if path.name == generation.CURRENT else "damaged"
        assert world.index(home).status().state == wanted, path.name
        path.write_bytes(whole)


def test_current_that_points_nowhere_is_damage(world: World, home: Path) -> None:
    shutil.rmtree(home / read_name(home))
    opened = world.index(home)
    assert opened.status().state == "damaged"
    opened.rebuild()
    assert opened.status().state == "current"


def test_a_half_written_generation_is_not_seen(world: World, home: Path) -> None:
    left = home / f"{generation.BUILDING}1"
    left.mkdir()
    (left / "0000000000-0000000600.lists").write_bytes(b"half")
    (home / "00000077").mkdir()
    assert world.index(home).status().generation == "00000001"
    world.index(home).rebuild()
    assert not left.exists()
    assert world.index(home).status().generation == "00000078"


# ------------------------------------------------------------------ identity
def test_another_encoder_is_refused_with_the_command_that_mends_it(world: World, home: Path) -> None:
    with pytest.raises(EncoderMismatchError, match="run `promptsim reindex`"):
        world.index(home, digest="other")
    opened = world.index(home, digest="other", reindex=True)
    assert opened.status().state == "stale"
    opened.rebuild()
    assert world.index(home, digest="other").status().state == "current"


def test_another_text_version_is_rebuilt(world: World, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "TEXT_VERSION", "0-0-0")
    opened = world.index(home)
    assert (opened.status().state, opened.needs_rebuild) == ("stale", True)
    opened.rebuild()
    assert opened.status().state == "current"


def test_an_index_of_an_earlier_format_is_rebuilt(world: World, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(generation, "FORMAT", 1)
        world.index(home).rebuild(full=True)
    opened = world.index(home)
    assert (opened.status().state, opened.needs_rebuild) == ("damaged", True)
    assert "index format 1 is not 2" in opened.status().reason
    opened.rebuild()
    assert opened.status().state == "current"


def test_an_index_of_more_prompts_than_the_store_has_is_not_used(home: Path) -> None:
    assert World(100).index(home).status().state == "stale"


# ------------------------------------------------------------------ other processes
def test_one_builder_at_a_time(world: World, home: Path) -> None:
    with building(home), pytest.raises(BusyError):
        world.index(home).rebuild()


def test_a_reader_keeps_its_generation_and_then_follows(world: World, home: Path) -> None:
    reader = world.index(home)
    good = answer(reader)
    writer = world.index(home)
    world.grow(5)
    writer.refresh(world.rows, world.alive)
    writer.rebuild()
    assert sorted(path.name for path in home.glob("0*")) == ["00000001", "00000002"], "held by the reader"
    assert answer(reader) == good
    reader.refresh(world.rows, world.alive)
    assert reader.status().generation == "00000002"
    writer.rebuild()
    assert not (home / "00000001").exists()


def _rebuild_again_and_again(home: Path, rounds: int) -> None:
    world = World(PROMPTS)
    for _ in range(rounds):
        world.index(home).rebuild(full=True)


def _spawned(home: Path, rounds: int) -> multiprocessing.process.BaseProcess:
    context = multiprocessing.get_context("forkserver")  # a plain fork would inherit dead threads
    context.set_forkserver_preload(["tests.index_samples"])
    process = context.Process(target=_rebuild_again_and_again, args=(home, rounds))
    process.start()
    return process


def test_readers_go_on_while_another_process_swaps(world: World, home: Path) -> None:
    good, writer, names = answer(world.index(home)), _spawned(home, 6), set()
    while writer.is_alive():
        opened = world.index(home)
        assert opened.status().state == "current"
        assert answer(opened) == good
        names.add(opened.status().generation)
        opened.close()
    assert writer.exitcode == 0
    assert len(names) > 1


def test_a_killed_build_leaves_the_old_generation(world: World, home: Path) -> None:
    good = answer(world.index(home))
    for attempt in range(15):
        builder = _spawned(home, 1000)
        time.sleep(0.02 + 0.013 * attempt)
        assert builder.pid is not None
        os.kill(builder.pid, signal.SIGKILL)
        builder.join()
        opened = world.index(home)
        assert opened.status().state == "current"
        assert answer(opened) == good
        opened.close()
    world.index(home).rebuild()
    assert [path.name for path in home.glob(generation.BUILDING + "*")] == []
