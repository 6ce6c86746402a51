"""Unicode's own tables → the fold table that `folding` and the compiled tokeniser read (`data/folding.npz`).

    confusables.txt + unicodedata ─► what each code point folds to, and its class ─► two-level table

Run `python -m promptsim.text.fold_table` to build it again. It is shipped rather than built at start, so that every
Python version (each knows another Unicode) folds, and therefore hashes, alike.

A code point folds to its compatibility form without diacritics and case; a look-alike letter folds to the ASCII letter
that it looks like. For scripts with honest texts of their own (Greek, Cyrillic, Armenian, …) that map is one-to-one
within the script and the same for both cases, so that no two of their words become one: Cyrillic "в" follows "В" to
"b", Greek "σ" stays, because "ο" has the "o". Arabic, Hebrew, Indic and East Asian letters are left as they are.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

UInt32s = npt.NDArray[np.uint32]

DATA = Path(__file__).parent / "data"
SPACE, LETTER, DIGIT, PUNCT, NEWLINE, MARK, SOLO, MARKUP, DROPPED = range(9)

BLOCK = 256
CODE_POINTS = 0x110000
CLASS_SHIFT = 21  # a plain entry: code point | class << 21; code point 0 stands for "itself"
EXPANDED = 1 << 31  # an entry that folds to several: EXPANDED | length << 20 | offset
LENGTH_SHIFT = 20

_DIACRITICS = (
    (0x0300, 0x036F),
    (0x0483, 0x0489),
    (0x1AB0, 0x1AFF),
    (0x1DC0, 0x1DFF),
    (0x20D0, 0x20FF),
    (0xFE20, 0xFE2F),
)
_INVISIBLE = (
    (0x0640, 0x0640),  # the Arabic stretching stroke
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x2065, 0x2065),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0xE0000, 0xE0FFF),  # tags and more variation selectors
)
_SOLO = (  # scripts written without spaces between words: Han, kana, bopomofo, Yi, Thai, Lao, Myanmar, Khmer
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x2E80, 0x2FDF),
    (0x3005, 0x3007),
    (0x3021, 0x3029),
    (0x3031, 0x3035),
    (0x3041, 0x312F),
    (0x31A0, 0x31BF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0xA48F),
    (0xA9E0, 0xA9FF),
    (0xAA60, 0xAA7F),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),
    (0x1B000, 0x1B16F),
    (0x20000, 0x3FFFF),
)
_LONGEST = 8  # a ligature of a whole phrase stays: a text of nothing else would grow sixfold
_MARKUP = frozenset("*_`#>~|")
_OWN = {  # what neither compatibility forms nor confusables give as people use it
    **dict.fromkeys("\r\v\f\x85\u2028\u2029", "\n"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u301d\u301e\u301f", '"'),
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2039\u203a\u00b4\u02b9\u02bb\u02bc\u02bd\u02c8\u2032", "'"),
    **dict.fromkeys("\u2022\u2023\u25e6\u2043\u25cf\u25cb\u25aa\u25ab\u25a0\u25a1\u2219\u00b7\u30fb\u25b6\u25ba", "*"),
    "\u060c": ",",
    "\u061b": ";",
    "\u061f": "?",
    "\u06d4": ".",
    "\u3001": ",",
    "\u3002": ".",
    "\u2212": "-",
    "\u2800": " ",
}
_LETTER_NAME = re.compile(
    r"(?:LATIN LETTER SMALL CAPITAL|LATIN (?:SMALL|CAPITAL) LETTER|REGIONAL INDICATOR SYMBOL LETTER"
    r"|(?:NEGATIVE |CROSSED NEGATIVE )?(?:CIRCLED|SQUARED) LATIN CAPITAL LETTER) ([A-Z])(?: WITH .*)?"
)
# Scripts whose letters may stand for Latin ones, with the range of the everyday alphabet where there is a larger one.
_LOOK_ALIKE_SCRIPTS = {
    "GREEK": (0x0370, 0x03FF),
    "CYRILLIC": (0x0400, 0x045F),
    "COPTIC": None,
    "ARMENIAN": None,
    "CHEROKEE": None,
    "LISU": None,
    "DESERET": None,
    "OSAGE": None,
    "GOTHIC": None,
    "OLD": None,  # Old Italic and its neighbours
    "LYCIAN": None,
    "CARIAN": None,
    "LYDIAN": None,
    "ELBASAN": None,
    "WARANG": None,
    "TIFINAGH": None,
}


def _within(code: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(low <= code <= high for low, high in ranges)


def _is_dropped(char: str) -> bool:
    code = ord(char)
    return unicodedata.category(char) == "Cf" or _within(code, _DIACRITICS) or _within(code, _INVISIBLE)


def _bare(text: str) -> str:
    """Compatibility form without diacritics and invisible characters; a symbol keeps its stroke ("≠" is not "=")."""
    if not text:
        return text
    if unicodedata.category(text[0])[0] == "S" and not unicodedata.normalize("NFKC", text)[0].isalnum():
        return unicodedata.normalize("NFKC", text)
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not _is_dropped(char))


def _confusables() -> Iterator[tuple[str, str]]:
    """Every (source, target) pair of the file, in its order."""
    for line in (DATA / "confusables.txt").read_text(encoding="utf-8-sig").splitlines():
        parts = line.partition("#")[0].split(";")
        if len(parts) >= 2:
            source, target = ("".join(chr(int(code, 16)) for code in part.split()) for part in parts[:2])
            yield source, target


def _latin_target(source: str, target: str) -> str:
    """The ASCII letter that `source` looks like, in lower case, or nothing; an upper-case "l" is an "I"."""
    if len(target) != 1 or not (target.isascii() and target.isalpha()):
        return ""
    if source.lower() != source:
        return "i" if target == "l" else target.lower() if target.isupper() else ""
    return target if target.islower() else ""


def _script_letters(script: str, everyday: tuple[int, int] | None) -> dict[str, str]:
    """Lower-case letters of one script → ASCII letters, one-to-one: agreeing cases first, then lower, then upper."""
    lower: dict[str, str] = {}
    upper: dict[str, str] = {}
    for source, target in _confusables():
        if len(source) == 1 and unicodedata.name(source, "").startswith(script + " ") and source.isalpha():
            small, letter = source.lower(), _latin_target(source, target)
            if letter and len(small) == 1:
                (lower if small == source else upper).setdefault(small, letter)
    claims = []
    for small in lower.keys() | upper.keys():
        rare = everyday is not None and not everyday[0] <= ord(small) <= everyday[1]
        agreed = lower.get(small) is not None and lower.get(small) == upper.get(small)
        rank = 0 if agreed else 1 if small in lower else 2
        claims.append((rare, rank, small, lower.get(small) or upper[small]))
    mapping: dict[str, str] = {}
    for _, _, small, letter in sorted(claims):
        if letter not in mapping.values():
            mapping[small] = letter
    return mapping


@cache
def look_alikes() -> dict[str, str]:
    """Case-folded letters and punctuation → the ASCII that they look like."""
    mapping: dict[str, str] = {}
    for code in range(0x80, CODE_POINTS):
        named = _LETTER_NAME.fullmatch(unicodedata.name(chr(code), ""))
        if named:
            mapping[chr(code)] = named[1].lower()
    for source, target in _confusables():
        bare = _bare(target).casefold()
        if source.isascii() or len(source) != 1 or not bare.isascii() or not bare:
            continue
        category, name = unicodedata.category(source), unicodedata.name(source, "")
        latin = name.startswith("LATIN ") and category[0] == "L"
        common = category[0] in "PS" and not re.match(r"ARABIC|HEBREW|CJK|KATAKANA|[A-Z ]*(DANDA|SIGN SECTION)", name)
        if (latin and bare.isalpha()) or (common and len(bare) == 1 and not bare.isalnum() and not bare.isspace()):
            mapping.setdefault(source, bare)
    for script, everyday in _LOOK_ALIKE_SCRIPTS.items():
        mapping.update(_script_letters(script, everyday))
    return mapping


def _fold_char(char: str) -> str:
    if char in _OWN:
        return _OWN[char]
    if char.isascii():
        return char.lower()
    decimal = unicodedata.decimal(char, None)
    if decimal is not None:
        return str(decimal)
    if unicodedata.category(char) == "Pd":
        return "-"
    return "".join(look_alikes().get(small, small) for small in char.casefold())


def _kana_apart(text: str) -> str:
    """Voiced kana as base and mark, as half-width kana write them."""
    apart = unicodedata.normalize("NFD", text)
    return apart if "\u3099" in apart or "\u309a" in apart else text


def fold_code_point(code: int) -> str:
    """What one code point folds to; folding the answer again changes nothing."""
    text = chr(code)
    if code in (0x3099, 0x309A):
        return text
    if unicodedata.category(text) in ("Cs", "Co", "Cn") and not _is_dropped(text):
        return text
    for _ in range(8):
        folded = text if text in _OWN else _bare(text)
        folded = unicodedata.normalize("NFC", "".join(_fold_char(char) for char in folded))
        if folded == text:
            return _kana_apart(text)
        if len(folded) > _LONGEST:
            return text
        text = folded
    raise AssertionError(f"U+{code:04X} never settles")


def class_of(char: str) -> int:
    """The class of a folded character: what it does to the token that is open."""
    if char == "\n":
        return NEWLINE
    if char in _MARKUP:
        return MARKUP
    if "0" <= char <= "9":
        return DIGIT
    category = unicodedata.category(char)
    if category[0] == "Z" or category == "Cc":
        return SPACE
    if category[0] == "M":
        return MARK
    if category[0] in "LN":
        return SOLO if _within(ord(char), _SOLO) else LETTER
    return PUNCT


def build() -> dict[str, UInt32s]:
    """The two-level table: `blocks[code >> 8]` gives a row of `entries`, `expansions` holds longer foldings."""
    flat = np.zeros(CODE_POINTS, dtype=np.uint32)
    expansions: list[int] = []
    for code in range(CODE_POINTS):
        folded = [ord(char) | class_of(char) << CLASS_SHIFT for char in fold_code_point(code)]
        if not folded:
            flat[code] = DROPPED << CLASS_SHIFT
        elif len(folded) == 1:
            flat[code] = folded[0] - code if folded[0] & (1 << CLASS_SHIFT) - 1 == code else folded[0]
        else:
            flat[code] = EXPANDED | len(folded) << LENGTH_SHIFT | len(expansions)
            expansions.extend(folded)
    rows, blocks = np.unique(flat.reshape(-1, BLOCK), axis=0, return_inverse=True)
    return {
        "blocks": blocks.ravel().astype(np.uint32),
        "entries": rows.ravel().astype(np.uint32),
        "expansions": np.array(expansions, dtype=np.uint32),
    }


def main() -> None:
    np.savez_compressed(DATA / "folding.npz", unicode=np.array(unicodedata.unidata_version), **build())  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
