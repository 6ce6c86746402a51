"""Review, alerts, webhooks and the audit log from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from promptsim.cli.app import status_of

WORDS = ("kettle", "lamp", "chair", "rug", "spoon", "clock", "fork", "vase", "shelf", "bowl", "pan", "desk")
TEXT = "Rate the following product review from one to five and quote the words that decide it: item {}"


def write(path: Path, pairs: list[tuple[str, str]]) -> str:
    rows = [{"account_id": a, "timestamp": "2026-03-01T10:00:00Z", "text": TEXT.format(word)} for a, word in pairs]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """A home with one family of six accounts."""
    monkeypatch.setenv("PROMPTSIM_HOME", str(tmp_path / "home"))
    assert status_of(["ingest", write(tmp_path / "a.jsonl", [(f"a{i % 6}", w) for i, w in enumerate(WORDS)])]) == 0
    assert status_of(["cluster"]) == 0
    capsys.readouterr()
    found = output(capsys, "families")
    assert isinstance(found, list)
    return str(found[0]["family_id"])


def output(capsys: pytest.CaptureFixture[str], *arguments: str) -> object:
    assert status_of([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_verdict_over_many_accounts_takes_two_persons(family: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["policy", "--two-persons", "5", "--by", "root"]) == 0
    word = ["review", family, "--verdict", "coordinated", "--reason", "a pool", "--by"]
    first = output(capsys, *word, "ada")
    assert isinstance(first, dict)
    assert first["state"] == "proposed"
    assert status_of([*word, "ada"]) == 2
    waiting = output(capsys, "review", "--waiting")
    assert isinstance(waiting, dict)
    assert [p["verdict_id"] for p in waiting["proposals"]] == [first["verdict_id"]]
    second = output(capsys, *word, "grace")
    assert isinstance(second, dict)
    assert (second["state"], second["confirms"]) == ("given", first["verdict_id"])
    undone = output(capsys, "review", family, "--undo", "--reason", "mistake", "--by", "ada")
    assert isinstance(undone, dict)
    assert undone["verdict"] == "open"


def test_several_at_once_are_told_of_before_they_are_judged(
    family: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["review", family, "a1", "--verdict", "unsure", "--reason", "odd", "--by", "ada"]
    assert status_of(arguments) == 2
    assert "2 subjects with 6 accounts and 12 events" in capsys.readouterr().err
    assert status_of(["export", "verdicts", "--out", str(tmp_path / "v.jsonl")]) == 0
    assert (tmp_path / "v.jsonl").read_text() == ""
    assert status_of([*arguments, "--yes"]) == 0


@pytest.mark.parametrize("arguments", [[], ["f_1"], ["f_1", "--verdict", "benign", "--undo"]])
def test_a_review_without_a_decision_is_an_unusable_call(family: str, arguments: list[str]) -> None:
    assert family
    assert status_of(["review", *arguments]) == 2


def test_who_joins_a_coordinated_family_is_told_at_ingest(
    family: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(["review", family, "--verdict", "coordinated", "--reason", "a pool", "--by", "ada"]) == 0
    assert status_of(["ingest", write(tmp_path / "b.jsonl", [("new", "jug"), ("a1", "cup")])]) == 0
    assert "1 accounts joined families judged coordinated" in capsys.readouterr().err
    found = output(capsys, "alerts")
    assert isinstance(found, list)
    assert [(row["family_id"], row["account_id"]) for row in found] == [(family, "new")]


def test_reads_of_prompt_text_are_in_the_audit_log_and_check_verifies_it(
    family: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (
        ["search", "Rate the review"],
        ["family", family],
        ["export", "members", "--out", str(tmp_path / "m")],
    ):
        assert status_of(arguments) == 0
    capsys.readouterr()
    entries = output(capsys, "audit")
    assert isinstance(entries, list)
    assert [e["action"] for e in entries] == ["read.export", "read.family", "read.search"]
    assert "Rate the" not in json.dumps(entries)
    assert status_of(["audit", "--head"]) == 0
    head = capsys.readouterr().out.strip()
    assert status_of(["audit", "--verify", head]) == 0
    assert status_of(["audit", "--verify", "3:00:00"]) == 1
    assert status_of(["check"]) == 0


def test_webhooks_are_added_listed_and_removed(family: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["webhooks", "add", "https://127.0.0.1/hook"]) == 2
    made = output(capsys, "webhooks", "add", "https://example.org/hook", "--type", "family.verdict", "--by", "ada")
    assert isinstance(made, dict)
    assert made["secret"].startswith("whsec_")
    assert status_of(["review", family, "--verdict", "unsure", "--reason", "odd", "--by", "ada"]) == 0
    capsys.readouterr()
    sent = output(capsys, "webhooks", "messages")
    assert isinstance(sent, list)
    assert [(d["type"], d["state"]) for d in sent] == [("family.verdict", "pending")]
    assert status_of(["webhooks", "replay", sent[0]["message_id"]]) == 0
    assert status_of(["webhooks", "remove", made["webhook_id"]]) == 0
    capsys.readouterr()
    assert output(capsys, "webhooks", "list") == []
