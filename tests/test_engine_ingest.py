"""What ingest counts, keeps and warns of."""

from __future__ import annotations

import json
from pathlib import Path

from promptsim.engine import Engine


def line(number: int, text: str, account: str = "a") -> dict[str, object]:
    return {"id": f"e{number}", "account_id": account, "timestamp": 1_760_000_000 + number, "text": text}


def test_sending_again_changes_nothing(engine: Engine) -> None:
    events = [line(i, f"text {i}") for i in range(5)]
    first, second = engine.ingest(events), engine.ingest(events)
    assert (first.accepted, first.known, first.new_prompts) == (5, 0, 5)
    assert (second.accepted, second.known, second.new_prompts) == (0, 5, 0)
    assert engine.status()["events"] == 5


def test_a_known_text_is_not_a_new_prompt_but_its_second_sender_is_kept(engine: Engine) -> None:
    engine.ingest([line(1, "the very same", "a")])
    report = engine.ingest([line(2, "the very same\r\n", "b")])
    assert (report.accepted, report.new_prompts) == (1, 0)
    assert {h.account_id for h in engine.search("the very same").hits} == {"a", "b"}


def test_bad_items_cost_nothing_but_themselves(engine: Engine) -> None:
    report = engine.ingest([line(1, "good"), {"account_id": "a"}, line(2, ""), line(3, "also good")])
    assert (report.accepted, report.rejected) == (2, 2)
    assert [(r.line, r.code) for r in report.first_rejections] == [(2, "missing-field"), (3, "empty-text")]


def test_a_file_with_bad_lines_is_ingested_and_the_bad_lines_are_kept(engine: Engine, tmp_path: Path) -> None:
    source, rejects = tmp_path / "in.jsonl", tmp_path / "bad.jsonl"
    source.write_text("\n".join([json.dumps(line(1, "good")), "{not json", json.dumps(line(2, "good too"))]))
    report = engine.ingest_files([source], rejects=rejects)
    assert (report.accepted, report.rejected) == (2, 1)
    kept = json.loads(rejects.read_text())
    assert (kept["line"], kept["raw"]) == (2, "{not json")


def test_a_log_of_one_repeated_text_is_warned_of(engine: Engine, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    rows = [line(i, "[hidden]" if i % 10 == 0 else f"text {i}") for i in range(300)]
    source.write_text("\n".join(map(json.dumps, rows)))
    assert engine.ingest_files([source]).warnings == [
        "10% of the input is one identical text: a place-holder, or the wrong column?"
    ]


def test_an_id_that_comes_again_with_another_text_or_account_is_warned_of(engine: Engine, tmp_path: Path) -> None:
    engine.ingest([line(1, "the first text")])
    source = tmp_path / "in.jsonl"
    rows = [
        line(1, "the first text"),  # the same again
        line(1, "another text"),
        line(1, "the first text", account="b"),
        line(2, "new"),
        line(2, "new"),
        line(2, "not the same"),
    ]
    source.write_text("\n".join(map(json.dumps, rows)))
    report = engine.ingest_files([source])
    assert (report.accepted, report.known, report.conflicts) == (1, 5, 3)
    assert report.warnings[0].startswith("3 events have the id of an earlier event")
    assert engine.ingest([line(1, "the first text"), line(2, "new")]).conflicts == 0
    engine.erase("a")
    assert engine.ingest([line(1, "sent anew")]).conflicts == 0


def test_liberties_taken_while_reading_are_reported(engine: Engine, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    long = "x" * 300
    source.write_text(f"account_id,timestamp,text,note\na,2026-03-01T10:00:00,hello,{long}\n")
    report = engine.ingest_files([source])
    assert report.as_row()["counts"] == {
        "fields-left-out": 1, "ids-derived": 1, "times-without-offset-read-as-utc": 1,
    }  # fmt: skip
    assert report.notes() == "1 fields left out, 1 ids derived, 1 times without offset read as utc"


def test_assistant_turns_are_not_part_of_a_prompt_and_are_counted(engine: Engine) -> None:
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
    report = engine.ingest([{"account_id": "a", "timestamp": 1_760_000_000, "messages": turns}])
    assert report.turns_left_out == 1
    assert engine.search("hi").hits[0].relation == "exact"
