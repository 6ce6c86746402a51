"""Nothing in a shown text is hidden."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptsim.visible import label, one_line, pieces


@given(st.text())
def test_pieces_joined_are_the_text(text: str) -> None:
    assert "".join(piece.text for piece in pieces(text)) == text


@given(st.text())
def test_what_is_plain_is_seen(text: str) -> None:
    plain = "".join(piece.text for piece in pieces(text) if not piece.label).replace("\ufe0f", "")
    assert all(char in "\n\t" or not label(char) for char in plain)


@pytest.mark.parametrize(
    ("char", "name"),
    [("\u200b", "ZWSP"), ("\u202e", "RLO"), ("\u2066", "LRI"), ("\ufeff", "BOM"), ("\x1b", "ESC"), ("\x01", "U+0001"),
     ("\U000e0041", "TAG A"), ("\ue000", "U+E000"), ("\ufe01", "VS2"), ("\U000e0100", "VS17"), ("a", ""), ("é", ""),
     ("語", ""), ("\n", ""), (" ", "")],
)  # fmt: skip
def test_hidden_characters_have_short_names(char: str, name: str) -> None:
    assert label(char) == name


def test_an_emoji_keeps_its_style_but_a_selector_after_a_letter_is_shown() -> None:
    assert [piece.label for piece in pieces("☀\ufe0f")] == [""]
    assert [piece.label for piece in pieces("a\ufe0f")] == ["", "VS16"]


def test_a_hidden_character_is_named_in_full() -> None:
    assert next(iter(pieces("\u200b"))).title == "U+200B ZERO WIDTH SPACE"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("one\ntwo", "one ⏎ two"), ("a\u200bb", "a·b"), ("a\u202eb\u202c", "a‹b›"), ("a\x00b", "a�b"), ("a  \t b", "a b"),
     ("x" * 100, "x" * 89 + "…"), ("x" * 90, "x" * 90)],
)  # fmt: skip
def test_one_line_is_short_and_safe(text: str, shown: str) -> None:
    assert one_line(text) == shown


@given(st.text(), st.integers(2, 50))
def test_one_line_is_never_longer_than_asked(text: str, width: int) -> None:
    assert len(one_line(text, width)) <= width
    assert "\n" not in one_line(text, width)
