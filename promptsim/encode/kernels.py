"""Tokens → features → sums of table rows, compiled. Used by `static.py` and, for learning, by the distilling script.

A token is one feature (the row of a known word), or several (hashed n-grams of its folded characters and its own
hash). Rows of the table, in this order:

    words    [0, words)                       learned
    n-grams  [words, words + ngrams)          learned; parts of unknown words in Latin letters
    random   [words + ngrams, … + random)     seeded, never stored: n-grams of every other script, and identities
"""

# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from promptsim.text import fold_table as ft
from promptsim.text.token_kernel import LETTERS, NEWLINE, NUMBER, WORD

SCRIPTS = 36
CJK, HANGUL, OTHER = 33, 34, 35
MAX_POINTS = 48  # folded characters of one token that are looked at
MAX_FEATURES = 4 * MAX_POINTS

# Layout of `sizes`, the integers of a model, and of `weights`, its tuned figures.
WORDS, NGRAMS, RANDOM = 0, 1, 2
UNKNOWN, IDENTITY, NUMERAL, MARK, FOREIGN, SHORT, SOLO, PAIR, TRIPLE, KANA, QUIET = range(11)
WEIGHTS = ("unknown", "identity", "numeral", "mark", "foreign", "short", "solo", "pair", "triple", "kana", "quiet")

_EXPANDED, _LENGTH_SHIFT, _CLASS_SHIFT = ft.EXPANDED, ft.LENGTH_SHIFT, ft.CLASS_SHIFT
_CODE, _PLACE = (1 << ft.CLASS_SHIFT) - 1, (1 << ft.LENGTH_SHIFT) - 1
_IN_WORDS = (ft.LETTER, ft.DIGIT, ft.MARK, ft.SOLO)


@njit(nogil=True, inline="always")
def mix(state: Any, value: Any) -> Any:
    """One step of a multiplicative hash, with the high bits brought down."""
    state = (state ^ np.uint64(value)) * np.uint64(0x9E3779B97F4A7C15)
    return state ^ (state >> np.uint64(29))


@njit(cache=True, nogil=True)
def find(keys: Any, rows: Any, key: Any) -> int:
    """The row of a word, or -1. `keys` is open addressing in a power of two; 0 is an empty place."""
    mask = np.uint64(len(keys) - 1)
    place = (key ^ (key >> np.uint64(32))) & mask
    while keys[place] != np.uint64(0):
        if keys[place] == key:
            return int(rows[place])
        place = (place + np.uint64(1)) & mask
    return -1


@njit(cache=True, nogil=True)
def fold(text: Any, start: int, end: int, blocks: Any, entries: Any, expansions: Any, points: Any) -> int:
    """Decode UTF-8 and fold it into `points`; how many there are, `MAX_POINTS` at most.

    Digits and signs that stand for letters become those letters, as in the token's hash.
    """
    count = 0
    at = start
    while at < end and count < MAX_POINTS:
        lead = int(text[at])
        if lead < 0x80:
            code, width = lead, 1
        elif lead < 0xE0:
            code, width = (lead & 0x1F) << 6 | (int(text[at + 1]) & 0x3F), 2
        elif lead < 0xF0:
            code, width = (lead & 0x0F) << 12 | (int(text[at + 1]) & 0x3F) << 6 | (int(text[at + 2]) & 0x3F), 3
        else:
            code = (lead & 0x07) << 18 | (int(text[at + 1]) & 0x3F) << 12
            code, width = code | (int(text[at + 2]) & 0x3F) << 6 | (int(text[at + 3]) & 0x3F), 4
        at += width
        entry = int(entries[(int(blocks[code >> 8]) << 8) + (code & 255)])
        if entry & _EXPANDED:
            first = entry & _PLACE
            for i in range(first, min(first + ((entry & ~_EXPANDED) >> _LENGTH_SHIFT), first + MAX_POINTS - count)):
                points[count] = int(expansions[i]) & _CODE
                count += 1
        elif entry >> _CLASS_SHIFT in _IN_WORDS or code == 36 or code == 64:
            points[count] = entry & _CODE or code
            count += 1
    for i in range(count):
        if points[i] < 128:
            points[i] = np.int64(LETTERS[points[i]])
    return count


@njit(cache=True, nogil=True)
def script_of(points: Any, count: int) -> int:
    """-1 for ASCII letters only, else the script of the first other letter: a block of 128 or a large one."""
    for i in range(count):
        code = points[i]
        if code >= 0x80:
            if code < 0x1000:
                return int(code >> 7)
            if 0xAC00 <= code < 0xD7B0 or 0x1100 <= code < 0x1200:
                return HANGUL
            if 0x2E80 <= code < 0xA4D0 or 0x20000 <= code < 0x40000:
                return CJK
            return OTHER
    return -1


@njit(cache=True, nogil=True)
def parts(
    points: Any, length: int, script: int, name: Any, older: Any, old: Any,
    sizes: Any, weights: Any, ids: Any, shares: Any,
) -> int:  # fmt: skip
    """The features of a word that the vocabulary lacks into `ids` and `shares`; how many.

    The word itself; its n-grams; and, for a character of a script without spaces, it with the one or two before it
    (`old`, `older`: their names, 0 where there is none). `name` is the hash of the folded characters.
    """
    solo = length == 1 and script >= 0 and script != HANGUL
    damp = np.float32(1)
    if solo and 0x3040 <= points[0] < 0x30A0:
        damp = weights[KANA]  # hiragana is grammar, and frequent
    elif not solo and length <= (1 if script == HANGUL else 3):
        damp = weights[SHORT]
    ids[0] = np.int64(mix(np.uint64(77), name))
    shares[0] = damp * weights[SOLO if solo else IDENTITY]
    count = 1
    if solo:
        if old != 0:
            ids[1] = np.int64(mix(mix(np.uint64(6), old), name))
            shares[1] = damp * weights[PAIR]
            count = 2
            if older != 0:
                ids[2] = np.int64(mix(np.uint64(ids[1]), older))
                shares[2] = damp * weights[TRIPLE]
                count = 3
    else:
        low = 2 if script == HANGUL else 3
        high = 5 if script < 0 else low + 1
        for n in range(low, high + 1):
            for first in range(-1, length + 2 - n):  # -1 and `length` are the word's borders
                state = np.uint64(n)
                for i in range(first, first + n):
                    state = mix(state, 2 if i < 0 else 3 if i >= length else points[i])
                ids[count] = np.int64(state)
                count += 1
        total = np.float32(max(count - 1, 1))
        share = damp * (weights[UNKNOWN] if script < 0 else weights[FOREIGN]) / np.sqrt(total)
        for i in range(1, count):
            shares[i] = share
    for i in range(count):  # hashes become rows; those of learned n-grams have no sign
        state = np.uint64(ids[i]) >> np.uint64(8)
        if script < 0 and i > 0:
            ids[i] = sizes[WORDS] + np.int64(state % np.uint64(sizes[NGRAMS]))
        else:
            if ids[i] & 1:
                shares[i] = -shares[i]
            ids[i] = sizes[WORDS] + sizes[NGRAMS] + np.int64(state % np.uint64(sizes[RANDOM]))
    return count


@njit(cache=True, nogil=True)
def add(total: Any, row: Any, share: Any) -> None:
    """A function of its own, so that the compiler sees nothing but this loop and uses vector instructions."""
    for j in range(len(total)):
        total[j] += share * np.float32(row[j])


@njit(cache=True, nogil=True)
def embed(
    text: Any, bases: Any, hashes: Any, starts: Any, ends: Any, kinds: Any, offsets: Any, keys: Any, values: Any,
    blocks: Any, entries: Any, expansions: Any, sizes: Any, weights: Any, rows: Any, scales: Any,
    memo_names: Any, memo_scripts: Any, memo: Any,
    out: Any, foreign: Any, masses: Any, kept: Any, kept_ids: Any, kept_shares: Any,
) -> None:  # fmt: skip
    """For each text the sum of its rows: of words and Latin n-grams into `out`, of other scripts into `foreign`.

    `masses` counts the tokens of each script. Quiet tokens (punctuation, and the words whose value is below -1: "the",
    "of") count only where a text has nothing else. With room in `kept_ids`, the features are written down as well,
    those of text i at kept[i]:kept[i + 1], for learning. `memo` keeps the sums of unknown words by their folded text.
    """
    points = np.empty(MAX_POINTS, np.int64)
    ids = np.empty(MAX_FEATURES, np.int64)
    shares = np.empty(MAX_FEATURES, np.float32)
    keep = len(kept_ids) > 0
    used = 0
    number, loud = 0, False
    while number < len(offsets) - 1:
        some = False
        older, old, border = np.uint64(0), np.uint64(0), np.int32(-1)
        for token in range(offsets[number], offsets[number + 1]):
            key, kind = hashes[token], kinds[token]
            count, script = 1, -1
            row = -1 if kind > NUMBER else find(keys, values, key)
            if kind == NEWLINE or (not loud and (kind > NUMBER or row < -1)):
                continue
            if row != -1:
                ids[0], shares[0] = row if row >= 0 else -2 - row, 1
            elif kind == WORD:
                if starts[token] != border:
                    older, old = np.uint64(0), np.uint64(0)
                start, end = bases[number] + starts[token], bases[number] + ends[token]
                length = fold(text, start, end, blocks, entries, expansions, points)
                name = np.uint64(length)
                for i in range(length):
                    name = mix(name, points[i])
                slot = np.int64(name & np.uint64(len(memo_names) - 1))
                solo = length == 1 and points[0] > 127
                if solo or keep or memo_names[slot] != name:
                    script = script_of(points, length)
                    count = parts(points, length, script, name, older, old, sizes, weights, ids, shares)
                    if not (solo or keep):
                        memo_names[slot], memo_scripts[slot] = name, script
                        memo[slot, :] = 0
                        for i in range(count):
                            add(memo[slot], rows[ids[i]], shares[i] * scales[ids[i]])
                if not (solo or keep):
                    script, count = memo_scripts[slot], 0
                    add(foreign[number] if script >= 0 else out[number], memo[slot], np.float32(1))
                if script >= 0:
                    masses[number, script] += 1
                older, old, border = old, name, ends[token]
            else:
                ids[0] = sizes[WORDS] + sizes[NGRAMS] + np.int64((key >> np.uint64(8)) % np.uint64(sizes[RANDOM]))
                shares[0] = weights[NUMERAL] if kind == NUMBER else weights[MARK]
            total = foreign[number] if script >= 0 else out[number]
            some = True
            for i in range(count):
                add(total, rows[ids[i]], shares[i] * scales[ids[i]])
                if keep:
                    kept_ids[used], kept_shares[used] = ids[i], shares[i]
                    used += 1
        loud = not (some or loud)  # nothing but quiet tokens: once more, with them
        if not loud:
            number += 1
            kept[number] = used
