"""The operator's list of known public prompts: what it covers, what it does not, and how it is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from promptsim.engine.known_prompts import read_known
from promptsim.errors import UsageError
from promptsim.networks.known import listed
from promptsim.records import Family

PUBLIC = (
    "I want you to act as a travel guide. I will write you my location and you will suggest a place to visit near it. "
    "My first request is: [location]"
)


def family(template: str, family_id: str = "f_1") -> Family:
    return Family(family_id, "template", "user", template, (), (), 1, 1, 1, 0, 0)


@pytest.mark.parametrize(
    ("template", "covered"),
    [
        (PUBLIC.replace("[location]", "{1}"), True),
        (PUBLIC.upper().replace("[LOCATION]", "{1}"), True),
        ("{1}\n\n" + PUBLIC.partition(" My first")[0], True),
        (PUBLIC.replace("[location]", "{1}") + " Then write the answer as one line of JSON with key and value.", False),
        (
            "I want you to act as a grader of essays by pupils of the ninth grade. Give marks only. {1}",
            False,
        ),
        ("{1}", False),
    ],
)
def test_a_family_is_listed_when_nearly_all_of_its_fixed_text_is_known(template: str, covered: bool) -> None:
    assert listed([family(template)], {PUBLIC}).tolist() == [covered]


def test_pieces_of_many_known_prompts_make_no_known_prompt() -> None:
    ours = "You are a patient teacher of physics. Answer in three short sentences. Quote the source of every number."
    parts = {
        "You are a patient teacher of physics.",
        "Answer in three short sentences.",
        "Quote the source of every number.",
    }
    assert listed([family(ours)], parts).tolist() == [False]
    assert listed([family(ours)], {ours, *parts}).tolist() == [True]


def test_a_family_is_listed_by_its_id_too() -> None:
    both = [family("anything at all, {1}", "f_1"), family("anything at all, {1}", "f_2")]
    assert listed(both, {"f_2"}).tolist() == [False, True]
    assert listed(both, frozenset()).tolist() == [False, False]
    assert listed([], {"f_2"}).tolist() == []
    assert listed([replace(both[0], template="")], {"f_2"}).tolist() == [False]


def test_a_plain_file_has_one_prompt_a_line_and_json_lines_may_hold_longer_ones(tmp_path: Path) -> None:
    plain, lines = tmp_path / "known.txt", tmp_path / "known.jsonl"
    plain.write_text("# what everybody copies\nAct as a guide.\n\nf_12\n", encoding="utf-8")
    lines.write_text('"Act as a guide.\\nBe brief."\n\n"f_12"\n', encoding="utf-8")
    assert read_known(plain) == {"Act as a guide.", "f_12"}
    assert read_known(lines) == {"Act as a guide.\nBe brief.", "f_12"}
    assert read_known(None) == frozenset()


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    bad = tmp_path / "known.jsonl"
    bad.write_text('"good"\n{"text": "bad"}\n', encoding="utf-8")
    with pytest.raises(UsageError, match=r"known\.jsonl, line 2: write each known prompt as a JSON string"):
        read_known(bad)
    with pytest.raises(UsageError, match=r"cannot be read from .*nowhere.*No such file"):
        read_known(tmp_path / "nowhere")
