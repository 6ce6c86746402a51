"""The canonical form: what makes two texts the same, and what it may cost."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptsim.text.canonical import MAX_CHARS, MAX_MARKS, canonical, capped


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("e\u0301te\u0301", "été"),
        ("a\r\nb\rc\n", "a\nb\nc"),
        ("\u00a0\n  a  b \t", "a  b"),
        ("Keep  Case,\u200b and ＷＩＤＥ", "Keep  Case,\u200b and ＷＩＤＥ"),
        ("豈\u1100\u1161", "豈가"),
        ("", ""),
        (" \n ", ""),
    ],
)
def test_only_composition_line_ends_and_outer_space_change(text: str, expected: str) -> None:
    assert canonical(text) == expected


@settings(max_examples=300, deadline=None)
@given(
    st.text(
        st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("\u0301\u0344\u0958שּׁ\r\n \u1100\u1161"))
    )
)
def test_taken_twice_is_taken_once(text: str) -> None:
    once = canonical(text)
    assert canonical(once) == once
    assert unicodedata.is_normalized("NFC", once)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_equivalent_spellings_are_one_text(text: str) -> None:
    if len(text) == len(capped(text)[0]):
        assert canonical(unicodedata.normalize("NFD", text)) == canonical(text)


def test_a_long_text_is_replaced_beforehand_to_the_same_end() -> None:
    text = "\u0958 שּׁ 豈 A\u030a \u0344 각 \U0001d160 x" * 500
    assert canonical(text) == unicodedata.normalize("NFC", text).strip()


@pytest.mark.parametrize("text", ["a\ud800b", "\udc00"])
def test_a_lone_surrogate_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="lone surrogate U\\+D"):
        canonical(text)


def test_what_is_cut_is_counted() -> None:
    assert capped("x" * (MAX_CHARS + 7)) == ("x" * MAX_CHARS, 7)
    text, cut = capped("a" + "\u0316" * (MAX_MARKS + 5) + "b" + "\u0316" * 3)
    assert (len(text), cut) == (MAX_MARKS + 5, 5)
    assert capped("plain, honest tiếng Việt")[1] == 0


HOSTILE = {
    "marks of one class": "a" + "\u0301" * 500_000,
    "marks out of order": "a" + "\u0315\u0327" * 250_000,
    "bases with many marks": ("a" + "\u0315\u0327" * 15) * 16_000,
    "zero-width flood": "\u200b" * 333_000,
    "CJK compatibility": "\uf900\uf901" * 166_000,
    "characters that grow": "\u0958" * 333_000,
    "Hebrew that grows": "\ufb2c" * 333_000,
    "musical notes that grow": "\U0001d160" * 250_000,
    "blanks": " " * 999_999 + "x",
    "no-break blanks": "\u00a0" * 500_000,
    "line ends": "\r\n" * 500_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_megabyte_is_no_dearer_than_an_honest_one(name: str) -> None:
    """Below 50 ms where nothing else runs; the limit here leaves room for a busy machine, not for quadratic time."""
    canonical("é" * 5000)  # the tables are made once
    best = 9.0
    for _ in range(3):
        start = time.process_time()
        once = canonical(HOSTILE[name])
        best = min(best, time.process_time() - start)
    assert best < 0.3
    assert canonical(once) == once
