"""The command line as scripts meet it: exit statuses, one JSON document, one-line errors, a light start."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from promptsim.cli.app import status_of

WORDS = ("kettle", "lamp", "chair", "rug", "spoon", "clock", "fork", "vase", "shelf", "bowl", "pan", "desk")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROMPTSIM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def traffic(tmp_path: Path) -> Path:
    rows = [
        {"id": f"e{i}", "account_id": f"acct-{i % 6}", "timestamp": f"2026-03-0{1 + i % 5}T10:00:00Z",
         "text": f"Rate the following product review from one to five and quote the words that decide it: item {word}"}
        for i, word in enumerate(WORDS)
    ]  # fmt: skip
    path = tmp_path / "traffic.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> object:
    assert status_of([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from promptsim.cli.app import app; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "faiss", "numpy", "numba", "pyarrow", "scipy", "pydantic", "fastapi"} & set(loaded)


def test_the_home_may_be_named_before_the_command_or_after_it(
    traffic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = str(tmp_path / "before"), str(tmp_path / "after")
    assert status_of(["--home", before, "ingest", str(traffic)]) == 0
    assert status_of(["--home", before, "ingest", str(traffic), "--home", after]) == 0
    assert status_of(["--home", after, "keys", "create", "ada"]) == 0  # a group inside the group
    assert (Path(before) / "promptsim.db").is_file()
    assert not (tmp_path / "home").exists(), "$PROMPTSIM_HOME is for calls that name none"
    capsys.readouterr()
    for home, keys in ((before, 0), (after, 1)):
        status = run_json(capsys, "--home", home, "status")
        assert isinstance(status, dict)
        assert (status["home"], status["events"]) == (home, 12)
        assert len(json_list(run_json(capsys, "--home", home, "keys", "list"))) == keys


def json_list(document: object) -> list[object]:
    assert isinstance(document, list)
    return document


@pytest.mark.parametrize("arguments", [[], ["keys"], ["webhooks"]])
def test_a_call_without_a_command_shows_the_commands(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(arguments) == 2
    out = capsys.readouterr()
    assert out.out == ""
    assert out.err.startswith("Usage: promptsim ")
    assert "Commands:" in out.err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["--version"]) == 0
    assert capsys.readouterr().out == f"promptsim {version('promptsim')}\n"


def test_the_main_job(traffic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ingested = run_json(capsys, "ingest", str(traffic))
    assert isinstance(ingested, dict)
    assert (ingested["accepted"], ingested["known"], ingested["rejected"]) == (12, 0, 0)
    run = run_json(capsys, "cluster")
    assert isinstance(run, dict)
    assert (run["state"], run["counts"]["families"]) == ("finished", 1)
    families = run_json(capsys, "families")
    assert isinstance(families, list)
    assert (families[0]["account_count"], families[0]["event_count"], families[0]["kind"]) == (6, 12, "template")
    assert families[0]["template"].endswith("item {1}")
    found = run_json(capsys, "search", "Rate the following product review from one to five", "--k", "3")
    assert isinstance(found, dict)
    assert len(found["hits"]) == 3
    members = tmp_path / "members.jsonl"
    assert status_of(["export", "members", "--out", str(members)]) == 0
    rows = [json.loads(line) for line in members.read_text().splitlines()]
    assert {row["event_id"] for row in rows} == {f"e{i}" for i in range(12)}
    assert list(rows[0]) == [
        "event_id", "prompt_id", "account_id", "timestamp", "family_id", "wording_id", "relation",
    ]  # fmt: skip


def test_exports_have_the_same_columns_in_every_format(traffic: Path, tmp_path: Path) -> None:
    status_of(["ingest", str(traffic)])
    status_of(["cluster"])
    for what in ("members", "families", "networks", "accounts", "verdicts"):
        paths = {name: tmp_path / f"{what}.{name}" for name in ("jsonl", "csv", "parquet")}
        for name, path in paths.items():
            assert status_of(["export", what, "--format", name, "--out", str(path)]) == 0
        with paths["csv"].open(newline="") as handle:
            header = next(csv.reader(handle))
        assert pq.read_schema(paths["parquet"]).names == header
        rows = paths["jsonl"].read_text().splitlines()
        assert pq.read_table(paths["parquet"]).num_rows == len(rows)
        assert all(header == list(json.loads(row)) for row in rows)


def test_some_rejected_lines_give_status_3(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"account_id":"a","timestamp":1760000000,"text":"x"}\nnonsense\n')
    assert status_of(["ingest", str(path), "--rejects", str(tmp_path / "bad.jsonl")]) == 3
    assert json.loads((tmp_path / "bad.jsonl").read_text())["line"] == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ingest", "missing.jsonl"], "missing.jsonl: no such file"),
        (["families"], "ingest something first"),
        (["search", "x", "--colour"], "--colour"),
        (["nonsense"], "nonsense"),
        (["export", "secrets"], "secrets"),
        (["search", "x", "--since", "yesterday"], "--since 'yesterday'"),
        (["ingest", "-", "--map", "text"], "--map 'text'"),
        (["family", "f_0"], "f_0"),
    ],
)
def test_an_unusable_call_is_one_line_and_status_2(
    traffic: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    if arguments[0] not in ("families", "ingest", "nonsense"):
        status_of(["ingest", str(traffic), "--json"])
        capsys.readouterr()
    status = status_of(arguments)
    out = capsys.readouterr()
    assert (status, out.out) == (2 if arguments[0] != "families" else 1, "")
    assert out.err.count("\n") == 1
    assert said in out.err


def test_a_pipe_is_read_like_a_file_and_a_folder_is_refused(
    traffic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = subprocess.Popen(["cp", str(traffic), str(pipe)])
    report = run_json(capsys, "ingest", str(pipe))
    assert isinstance(report, dict)
    assert (writer.wait(), report["accepted"]) == (0, 12)
    assert status_of(["ingest", str(tmp_path)]) == 2
    assert "is a folder" in capsys.readouterr().err


def test_simulate_writes_what_ingest_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, truth = tmp_path / "t.jsonl.gz", tmp_path / "truth.jsonl"
    assert status_of(["simulate", "--out", str(out), "--truth", str(truth), "--seed", "5", "--events", "500"]) == 0
    capsys.readouterr()
    report = run_json(capsys, "ingest", str(out))
    assert isinstance(report, dict)
    events = [row for row in map(json.loads, truth.read_text().splitlines()) if row["type"] == "event"]
    assert (report["rejected"], report["accepted"]) == (0, len(events))
