"""Agreement of found and true groups; the plain definition, item by item, is the oracle of the fast counts."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptsim.evaluate import (
    bcubed,
    coded,
    contamination,
    found_by_size,
    found_groups,
    identical_splits,
    recall_at,
)
from promptsim.records import Int64s

labels = st.integers(0, 30).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(-1, 4), min_size=n, max_size=n), st.lists(st.integers(-1, 4), min_size=n, max_size=n)
    )
)


def array(values: list[int]) -> Int64s:
    return np.array(values, np.int64)


def together(found: list[int], i: int) -> list[int]:
    """Items in the found group of item i."""
    return [j for j in range(len(found)) if j == i or (found[i] >= 0 and found[j] == found[i])]


@given(labels)
def test_bcubed_is_the_mean_over_items(case: tuple[list[int], list[int]]) -> None:
    pairs = [(f, t) for f, t in zip(*case, strict=True) if t >= 0]
    found, true = [f for f, _ in pairs], [t for _, t in pairs]
    score = bcubed(array(case[0]), array(case[1]))
    precision, recall = [], []
    for i in range(len(found)):
        mine = together(found, i)
        same = [j for j in mine if true[j] == true[i]]
        precision.append(len(same) / len(mine))
        recall.append(len(same) / true.count(true[i]))
    assert score.precision == pytest.approx(np.mean(precision) if pairs else 0.0)
    assert score.recall == pytest.approx(np.mean(recall) if pairs else 0.0)


@given(labels)
def test_a_true_group_is_found_if_one_found_group_is_nearly_it(case: tuple[list[int], list[int]]) -> None:
    found, true = case
    size, hit = found_groups(array(found), array(true))
    for t in range(len(size)):
        items = {i for i, label in enumerate(true) if label == t}
        assert size[t] == len(items)
        expected = False
        for i in items:
            mine = set(together(found, i))
            same = len(mine & items)
            expected |= same >= 0.8 * len(mine) and same >= 0.8 * len(items)
        assert hit[t] == expected


@given(labels)
def test_contamination_counts_strangers(case: tuple[list[int], list[int]]) -> None:
    found, true = case
    strangers = [i for i, t in enumerate(true) if t < 0]
    result = contamination(array(found), array(true))
    assert result.strangers == len(strangers)
    mixed = [
        i for i in strangers if found[i] >= 0 and any(f == found[i] and t >= 0 for f, t in zip(*case, strict=True))
    ]
    assert result.share == pytest.approx(len(mixed) / len(strangers) if strangers else 0.0)
    inside = everyone = 0
    for group in {f for f in found if f >= 0}:
        members = [t for f, t in zip(*case, strict=True) if f == group]
        known = [t for t in members if t >= 0]
        if known and 2 * max(known.count(t) for t in known) >= len(members):
            everyone += len(members)
            inside += members.count(-1)
    assert result.intrusion == pytest.approx(inside / everyone if everyone else 0.0)


@given(labels)
def test_identical_texts_belong_together(case: tuple[list[int], list[int]]) -> None:
    found, text = case
    result = identical_splits(array(found), array(text))
    repeated = [t for t in set(text) if text.count(t) > 1]
    assert result.groups == len(repeated)
    assert result.split == sum(len({f for f, x in zip(*case, strict=True) if x == t}) > 1 for t in repeated)


def test_classes_of_size_begin_where_they_say() -> None:
    true = array([0] * 5 + [1] * 8 + [2] * 7 + [3] * 3)
    found = array([0] * 5 + [1] * 8 + [2] * 3 + [3] * 4 + [-1] * 3)
    classes = found_by_size(found, true, sizes=(5, 8))
    assert [(c.least, c.below, c.groups, c.found) for c in classes] == [(5, 8, 2, 1), (8, None, 1, 1)]


def test_bcubed_over_some_of_the_items_counts_all_in_the_groups() -> None:
    found, true = array([0, 0, 0, 1]), array([0, 0, 1, 1])
    score = bcubed(found, true, of=np.array([False, False, True, False]))
    assert (score.precision, score.recall) == (pytest.approx(1 / 3), 0.5)


@given(
    st.lists(st.lists(st.integers(-1, 9), min_size=4, max_size=4), min_size=1, max_size=6),
    st.integers(1, 5),
    st.randoms(),
)
def test_recall_at_k_is_the_share_of_what_k_answers_can_hold(rows: list[list[int]], k: int, rng) -> None:  # type: ignore[no-untyped-def]
    relevant = [sorted(set(rng.sample(range(10), 3))) if rng.random() < 0.8 else [-1, -1, -1] for _ in rows]
    shares = []
    for answers, wanted in zip(rows, relevant, strict=True):
        wanted = [w for w in wanted if w >= 0]
        if wanted:
            shares.append(len(set(answers[:k]) & set(wanted)) / min(k, len(wanted)))
    assert recall_at(np.array(rows), np.array(relevant), k) == pytest.approx(np.mean(shares) if shares else 0.0)


def test_labels_are_coded_in_order_of_appearance() -> None:
    assert coded(["b", None, "a", "b"]).tolist() == [0, -1, 1, 0]


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="2 found labels for 1 true ones"):
        bcubed(array([0, 0]), array([0]))


ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = {
    "summary": "Summarise the following text for a busy reader in two short sentences.\n\n{}\n\nSummary:",
    "summary-again": "Summarise the following text for a busy reader in two short sentences.\n\n{}\n\nSummary:",
    "title": "{}\nGive the passage above a catchy title of at most eight words and nothing else.",
}


def labelled_lines(rng: np.random.Generator) -> list[dict[str, str]]:
    words = ["".join(rng.choice(list("abcdefghij"), 5)) for _ in range(400)]

    def payload() -> str:
        return " ".join(rng.choice(words, int(rng.integers(8, 40))))

    rows = [
        {"text": t.format(payload()), "label": name, "dataset": name[:3]}
        for name, t in TEMPLATES.items()
        for _ in range(30)
    ]
    return rows + [{"text": payload()} for _ in range(60)]


def test_the_script_mines_scores_and_prints_one_document(tmp_path: Path) -> None:
    path = tmp_path / "labelled.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as handle:
        handle.writelines(json.dumps(row) + "\n" for row in labelled_lines(np.random.default_rng(1)))
    call = [sys.executable, str(ROOT / "scripts" / "evaluate.py"), str(path), "--split", "dataset", "--json"]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    whole = report["parts"][0]
    assert [part["part"] for part in report["parts"]] == ["all", "first half by dataset", "second half by dataset"]
    assert (whole["prompts"], whole["labels"], whole["labels_joined"]) == (150, 3, 2)
    assert whole["bcubed"]["f1"] > 0.95
    assert whole["identical_texts"]["split"] == 0
    assert sum(part["labels"] for part in report["parts"][1:]) == 3


def test_labels_of_one_instruction_are_joined_whatever_their_few_documents_share(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    words = ["".join(rng.choice(list("abcdefghij"), 5)) for _ in range(400)]
    ask = "Ask a question about this plot: "
    rows = []
    for name, begin, most in (("plain", ask, ""), ("again", ask, "they "), ("longer", ask + "them ", "")):
        for document in range(8):
            text = begin + (most if document else "") + " ".join(rng.choice(words, 40))
            rows += [{"text": f"{text} {rng.choice(words)}", "label": name} for _ in range(12)]
    path = tmp_path / "labelled.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    call = [sys.executable, str(ROOT / "scripts" / "evaluate.py"), str(path), "--json"]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    part = json.loads(done.stdout)["parts"][0]
    assert (part["labels"], part["labels_joined"]) == (3, 2)  # a word that all prompts of one have is a difference


def test_the_script_fills_the_templates_of_labels_anew(tmp_path: Path) -> None:
    path, others = tmp_path / "labelled.jsonl", tmp_path / "others.jsonl"
    rows = labelled_lines(np.random.default_rng(1))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows if "label" in row), encoding="utf-8")
    others.write_text("".join(json.dumps(row) + "\n" for row in rows if "label" not in row), encoding="utf-8")
    call = [sys.executable, str(ROOT / "scripts" / "evaluate.py"), str(path), "--background", str(others)]
    done = subprocess.run(
        [*call, "--take", "20", "--fill", "8,20", "--json"], capture_output=True, text=True, check=True
    )
    parts = json.loads(done.stdout)["parts"]
    assert [part["part"] for part in parts] == ["filled, draw 1", "filled, draw 2"]
    assert [part["prompts"] for part in parts] == [28, 28]  # of two labels, one with 8 and one with 20
    assert [[c["labels"] for c in part["found_by_size"]] for part in parts] == [[0, 1, 0, 1, 0, 0]] * 2
    assert all(part["bcubed"]["f1"] == 1.0 for part in parts)
    call += ["--fill", "8"]
    done = subprocess.run(
        [*call, "--take", "20", "--change", "1", "--json"], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["parts"][0]["bcubed"]["recall"] < 0.5  # no word of the templates is left
    failed = subprocess.run(call, capture_output=True, text=True, check=False)
    assert failed.returncode == 2
    assert "--take" in failed.stderr
