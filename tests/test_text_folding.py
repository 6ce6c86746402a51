"""The folded form: what an evader may vary, folded away; what tells honest texts apart, kept."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptsim.text import fold_table
from promptsim.text.fold_table import fold_code_point, look_alikes
from promptsim.text.folding import fold, fold_arrays, folded_classes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ignоrе АLL", "ignore all"),  # Cyrillic о, е, А
        ("Ｗｉｄｅ ℌ①² ﬁ ™", "wide h12 fi tm"),
        ("ze\u200bro\u2060 wi\u00addth\ufeff \u202eabc", "zero width abc"),
        ("Žluťoučký kůň, İstanbul, straße, Øre, Łódź", "zlutoucky kun, istanbul, strasse, ore, lodz"),
        ("“a” ‘b’ «c» – — … •", '"a" \'b\' "c" - - ... *'),
        ("a\u00a0 \tb\n \n\r\nc ", "a b\nc"),
        ("٣٤ ３ 𝟛", "34 3 3"),
        ("ｶﾞｯｺｳ", "ガッコウ"),
        ("हिन्दी ภาษาไทย العربية 日本語 한국어", "हिन्दी ภาษาไทย العربية 日本語 한국어"),
        ("مـــرحبا", "مرحبا"),
        ("2 ≠ 3 × 4 €5", "2 ≠ 3 × 4 €5"),
        ("m rn 1 l I 0 O |", "m rn 1 l i 0 o |"),  # ASCII stands for itself
    ],
)
def test_what_folds_to_what(text: str, expected: str) -> None:
    assert fold(text) == expected


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_folded_twice_is_folded_once(text: str) -> None:
    once = fold(text)
    assert fold(once) == once


def test_every_character_settles_at_once() -> None:
    for code in range(0x110000):
        char = chr(code)
        if unicodedata.category(char) not in ("Cs", "Co", "Cn") and not 0x3400 <= code < 0xD7B0:
            folded = [part for part, kind in folded_classes(char) if kind != fold_table.DROPPED]
            assert all(folded_classes(part)[0][0] == part for part in folded), f"U+{code:04X}"


@pytest.mark.parametrize(
    "alphabet",
    [
        "абвгдежзийклмнопрстуфхцчшщъыьэюя".replace("й", ""),  # й is и with a breve, which goes
        "єіїґ".replace("ї", "").replace("ґ", "") + "абвде",
        "αβγδεζηθικλμνξοπρστυφχψω",
        "աբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆ",
        "אבגדהוזחטיכלמנסעפצקרשת",
        "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
    ],
)
def test_no_two_letters_of_an_alphabet_become_one(alphabet: str) -> None:
    assert len({fold(letter) for letter in alphabet}) == len(alphabet)
    assert all(fold(letter.upper()) == fold(letter) for letter in alphabet if len(letter.upper()) == 1)


def test_look_alikes_reach_ascii_in_both_cases() -> None:
    assert fold("АВЕКМНОРСТХ авекмнорстх") == "abekmhopctx abekmhopctx"
    assert fold("ΑΒΕΖΙΚΜΟΡΤΧ αβεζικμορτχ") == "abezikmoptx abezikmoptx"
    assert all(target.isascii() for target in look_alikes().values())


def test_the_shipped_table_is_what_its_script_makes() -> None:
    with np.load(fold_table.DATA / "folding.npz", allow_pickle=False) as shipped:
        made_with = str(shipped["unicode"])
    if made_with != unicodedata.unidata_version:
        pytest.skip(f"made with Unicode {made_with}, this Python has {unicodedata.unidata_version}")
    for code in [*range(0x2FF), *range(0x370, 0x600), *range(0x2000, 0x2700), *range(0x3040, 0x3100), 0xFDFA, 0x1D400]:
        expected = fold_code_point(code)
        found = "".join(part for part, kind in folded_classes(chr(code)) if kind != fold_table.DROPPED)
        assert found == expected, f"U+{code:04X}"
    assert sum(array.nbytes for array in fold_arrays()) < 300_000
