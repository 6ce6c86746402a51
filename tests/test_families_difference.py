"""Why two prompts are alike: spans that point into the texts as written, and what was read over."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptsim.families.difference import Difference, blanked, compare, compare_with_template

RULE = "Extract every factual claim in the passage as a list of triples and give a confidence for each."


def matched(found: Difference) -> list[tuple[str, str]]:
    return [(found.first[slice(*span.first)], found.second[slice(*span.second)]) for span in found.spans]


def kinds(found: Difference) -> dict[str, int]:
    return {note.kind: note.count for note in found.notes}


def test_a_shared_instruction_is_one_span_in_both_texts() -> None:
    found = compare(f"{RULE}\n\nThe cat sat there.", f"Hello! {RULE}\n\nSnow fell in Überlingen.")
    assert matched(found)[0] == (RULE + "\n\n", RULE + "\n\n")
    assert 0.5 < found.similarity < 0.9
    assert found.notes == ()
    assert found.whole


def test_equal_texts_are_wholly_alike() -> None:
    found = compare(RULE, RULE)
    assert (found.similarity, found.of_first, found.of_second) == (1.0, 1.0, 1.0)
    assert matched(found) == [(RULE, RULE)]


def test_unlike_texts_share_nothing_though_both_say_the() -> None:
    found = compare(
        "The dog ran over the hill, and the sun went down.", "Compute the sum, then print the list of primes."
    )
    assert found.spans == ()
    assert found.similarity == 0.0


def test_a_word_changed_inside_a_run_does_not_hide_what_stands_beside_it() -> None:
    found = compare("Please write a short poem about big trees now", "Please write a short poem about old trees now")
    assert [a for a, _ in matched(found)] == ["Please write a short poem about", "trees now"]
    assert found.similarity == pytest.approx(2 * 8 / 18)


@pytest.mark.parametrize(
    ("how", "evaded"),
    [
        ("letter case", RULE.replace("factual claim", "fACTuaL cLaIM")),
        ("homoglyphs", RULE.replace("factual", "f\u0430ctual").replace("claim", "cl\u0430im")),
        ("invisible characters", RULE.replace("factual", "fac\u200btual").replace("claim", "cl\u2060aim")),
        ("digits or signs for letters", RULE.replace("factual", "f4ctu4l").replace("claim", "cla1m")),
        ("letter forms", RULE.replace("factual", "ｆactual").replace("claim", "ｃｌａｉｍ")),
    ],
)
def test_what_was_folded_is_named_and_counted(how: str, evaded: str) -> None:
    found = compare(evaded, RULE)
    assert found.similarity == 1.0
    assert kinds(found) == {how: 2}
    assert found.notes[0].examples[1][1] == "claim"
    assert found.notes[0].sentence.startswith(f"{how}: 2 (")


def test_an_encoded_passage_is_decoded_and_named() -> None:
    payload = "The mountain railway was opened in the year 1912 and closed again before the war."
    hidden = f"{RULE}\nbase64:{base64.b64encode(payload.encode()).decode()}"
    found = compare(hidden, f"{RULE}\nbase64:{payload}")
    assert kinds(found) == {"base64 decoded in the first": 1}
    assert payload in found.first
    assert found.similarity == 1.0


def test_a_prompt_is_explained_by_its_template() -> None:
    template = "Translate {{this}} to {1}.\n\nText: {2}\nAnswer:"
    found = compare_with_template(template, "Translate {this} to Greek.\n\nText: the snow is melting\nAnswer:")
    assert found.of_first == 1.0
    assert found.first == template
    assert [a for a, _ in matched(found)] == ["Translate {{this}} to", ".\n\nText:", "\nAnswer:"]
    assert [b for _, b in matched(found)] == ["Translate {this} to", ".\n\nText:", "\nAnswer:"]


def test_blanking_keeps_every_character_in_its_place() -> None:
    assert blanked("a {{x}} {12} b") == "a { x}       b"


def test_empty_texts() -> None:
    assert compare("", "").similarity == 1.0
    assert compare("", RULE).spans == ()


def test_texts_too_long_to_align_say_so() -> None:
    found = compare("alpha " * 5_000, "beta " * 5_000)
    assert not found.whole


@given(st.text(max_size=80), st.text(max_size=80))
def test_spans_never_point_outside_and_shares_stay_in_bounds(a: str, b: str) -> None:
    clean = ["".join(c for c in t if not 0xD800 <= ord(c) < 0xE000) for t in (a, b)]
    found = compare(*clean)
    assert 0.0 <= found.similarity <= 1.0
    for span in found.spans:
        assert 0 <= span.first[0] < span.first[1] <= len(found.first)
        assert 0 <= span.second[0] < span.second[1] <= len(found.second)
