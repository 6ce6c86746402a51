"""Canonical text → folded text: what an evader may vary without changing what a reader reads.

    text ─► compatibility form, look-alikes, case, diacritics, invisible characters, runs of white space ─► folded

`fold` is the readable reference; the compiled tokeniser reads the same table and folds while it decodes, so that its
tokens keep their places in the text as written. The folded text is for comparing and explaining, never for identity.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np

from promptsim.text.fold_table import CLASS_SHIFT, CODE_POINTS, DATA, EXPANDED, LENGTH_SHIFT, UInt32s

_CODE_MASK = (1 << CLASS_SHIFT) - 1


@cache
def fold_arrays() -> tuple[UInt32s, UInt32s, UInt32s]:
    """`blocks`, `entries` and `expansions` of the shipped table (see `fold_table.build`)."""
    with np.load(DATA / "folding.npz", allow_pickle=False) as table:
        return table["blocks"], table["entries"], table["expansions"]


def folded_classes(char: str) -> list[tuple[str, int]]:
    """What one character folds to, each with its class; dropped characters give one entry of class DROPPED."""
    blocks, entries, expansions = fold_arrays()
    code = ord(char)
    entry = int(entries[int(blocks[code >> 8]) << 8 | code & 255])
    if not entry & EXPANDED:
        return [(chr(entry & _CODE_MASK or code), entry >> CLASS_SHIFT)]
    start = entry & (1 << LENGTH_SHIFT) - 1
    length = (entry & ~EXPANDED) >> LENGTH_SHIFT
    return [(chr(int(e) & _CODE_MASK), int(e) >> CLASS_SHIFT) for e in expansions[start : start + length]]


@cache
def _translation() -> dict[int, str]:
    """For `str.translate`: every code point that does not fold to itself."""
    blocks, entries, expansions = fold_arrays()
    flat = entries.reshape(-1, 256)[blocks].ravel()
    codes = flat & np.uint32(_CODE_MASK)
    plain = flat < EXPANDED
    changed = np.flatnonzero(plain & (codes != 0) & (codes != np.arange(CODE_POINTS, dtype=np.uint32)))
    table = dict(zip(changed.tolist(), map(chr, codes[changed].tolist()), strict=True))
    table.update(dict.fromkeys(np.flatnonzero(plain & (flat >> np.uint32(CLASS_SHIFT) == 8)).tolist(), ""))
    for code in np.flatnonzero(~plain).tolist():
        table[code] = "".join(letter for letter, _ in folded_classes(chr(code)))
    assert expansions.size
    return table


def fold(text: str) -> str:
    """The folded text; folding it again changes nothing. Lines stay lines, empty ones go."""
    folded = text.lower() if text.isascii() else text.translate(_translation())
    if "\u3099" in folded or "\u309a" in folded:  # half-width kana write their voiced mark apart
        folded = unicodedata.normalize("NFC", folded)
    for newline in "\r\v\f":
        folded = folded.replace(newline, "\n")
    lines = (" ".join(line.split()) for line in folded.split("\n"))
    return "\n".join(line for line in lines if line)
