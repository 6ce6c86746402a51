"""Texts → tokens with hashes and places: the compiled one-pass tokeniser.

    UTF-8 ─► fold each code point on the fly ─► words, numbers, punctuation, newlines ─► Tokens (flat arrays)

A token's hash is that of its folded text, so "Ｉｇｎоrе", "IGNORE" and "1gn0re" are one token; its span is where it
stands in the text as written. The rules:

- WORD: a run of letters, marks and digits that holds a letter. Digits inside it count as the letters that they stand
  for (0→o, 1→i, 3→e, 4→a, 5→s, 7→t, 8→b, 9→g, and "@", "$" between letters), and i and l are one letter in every word.
  A character of a script without spaces is a word by itself, with the marks that follow it. Four or more single letters
  set apart by one space each ("i g n o r e") are one word.
- NUMBER: a run of digits only, by its digits in any script.
- PUNCT: one character, or a run of the same one. NEWLINE: a run of line ends with nothing but white space between.
- MARKUP: PUNCT that only dresses text: * _ ` # > ~ | and bullets, a "-" or "+" or "12." that opens a line.
- White space and invisible characters give no token and the latter do not split a word.

Hashes are fixed (no key, no seed of the process): they say what is alike, never what is identical.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from promptsim.records import Bools, Int32s, Int64s, UInt8s, UInt64s
from promptsim.text.folding import fold_arrays
from promptsim.text.token_kernel import LETTERS, MARKUP, NEWLINE, NUMBER, PUNCT, WORD, scan

__all__ = ["MARKUP", "NEWLINE", "NUMBER", "PUNCT", "WORD", "Tokens", "select", "tokenise", "tokenise_utf8"]

_BLOCK_BYTES = 1 << 19
_MOST_TOKENS_PER_BYTE = 2  # "㏂" is three bytes and four tokens


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of many texts, text after text: those of text i stand at offsets[i]:offsets[i + 1].

    `starts` and `ends` are byte places in each text's own UTF-8.
    """

    hashes: UInt64s
    starts: Int32s
    ends: Int32s
    kinds: UInt8s
    offsets: Int64s

    def __len__(self) -> int:
        return len(self.offsets) - 1


def tokenise(texts: Sequence[str]) -> Tokens:
    """Tokens of each text, in order."""
    encoded = [text.encode() for text in texts]
    offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded)), out=offsets[1:])
    return tokenise_utf8(np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets)


def tokenise_utf8(buffer: UInt8s, offsets: Int64s) -> Tokens:
    """The same from UTF-8 as it lies: text i is buffer[offsets[i]:offsets[i + 1]]. Invalid bytes are punctuation."""
    blocks, entries, expansions = fold_arrays()
    counts = np.zeros(len(offsets), dtype=np.int64)
    pieces: list[tuple[UInt64s, Int32s, Int32s, UInt8s]] = []
    bounds = _block_bounds(offsets)
    room = max((int(offsets[b] - offsets[a]) for a, b in pairwise(bounds)), default=0) * _MOST_TOKENS_PER_BYTE + 1
    scratch = (np.empty(room, np.uint64), np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.uint8))
    for first, until in pairwise(bounds):
        used = scan(buffer, offsets, first, until, blocks, entries, expansions, LETTERS, *scratch, counts)
        pieces.append(tuple(array[:used].copy() for array in scratch))  # type: ignore[arg-type]
    return _joined(pieces, np.cumsum(counts))


def _block_bounds(offsets: Int64s) -> list[int]:
    """Text numbers that cut the buffer into blocks small enough for the scratch arrays to stay in the cache."""
    bounds = [0]
    while bounds[-1] + 1 < len(offsets):
        last = int(np.searchsorted(offsets, offsets[bounds[-1]] + _BLOCK_BYTES, side="right")) - 1
        bounds.append(max(last, bounds[-1] + 1))
    return bounds


def _joined(pieces: list[tuple[UInt64s, Int32s, Int32s, UInt8s]], offsets: Int64s) -> Tokens:
    if len(pieces) == 1:
        return Tokens(*pieces[0], offsets)
    empty = (np.empty(0, np.uint64), np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.uint8))
    hashes, starts, ends, kinds = (np.concatenate(parts) for parts in zip(empty, *pieces, strict=True))
    return Tokens(hashes, starts, ends, kinds, offsets)


def select(tokens: Tokens, *, markup: bool = False, newlines: bool = True) -> Tokens:
    """The tokens to compare by: markup dropped and the newline runs that this leaves joined, at the ends dropped."""
    keep: Bools = np.ones(len(tokens.kinds), dtype=np.bool_)
    if not markup:
        keep &= tokens.kinds != MARKUP
    if not newlines:
        keep &= tokens.kinds != NEWLINE
    elif not markup:
        keep &= _first_newlines(tokens, keep)
    before = np.concatenate(([0], np.cumsum(keep)))
    return Tokens(
        tokens.hashes[keep], tokens.starts[keep], tokens.ends[keep], tokens.kinds[keep], before[tokens.offsets]
    )


def _first_newlines(tokens: Tokens, keep: Bools) -> Bools:
    """False for newlines whose kept neighbour before is a newline or nothing, or that close their text."""
    places = np.flatnonzero(keep)
    wanted: Bools = np.ones(len(keep), dtype=np.bool_)
    if not len(places):
        return wanted
    text = np.searchsorted(tokens.offsets, places, side="right")
    newline = tokens.kinds[places] == NEWLINE
    new_text = np.concatenate(([True], text[1:] != text[:-1]))
    after_newline = np.concatenate(([False], newline[:-1]))
    closing = newline & np.concatenate((new_text[1:], [True]))
    wanted[places] = ~((newline & (new_text | after_newline)) | closing)
    return wanted
