# mypy: ignore-errors
# (numba types these functions by their arguments; Python's annotations would say less)
"""The compiled scanner behind `tokens`: UTF-8 and the fold table → hashes, places, kinds. The rules stand there."""

from __future__ import annotations

import numpy as np
from numba import njit

from promptsim.text import fold_table as ft

WORD, NUMBER, PUNCT, NEWLINE, MARKUP = range(5)
_SPACED_LETTERS = 4
_HIDING_WORDS = 3  # so many words with digits among their letters, and one word in _HIDING_SHARE: the text is disguised
_HIDING_SHARE = 10

_SPACE, _LETTER, _DIGIT, _PUNCT, _NEWLINE = ft.SPACE, ft.LETTER, ft.DIGIT, ft.PUNCT, ft.NEWLINE
_MARK, _SOLO, _MARKUP, _DROPPED = ft.MARK, ft.SOLO, ft.MARKUP, ft.DROPPED
_IN_WORDS = 1 << _LETTER | 1 << _DIGIT | 1 << _MARK
_WHITE = 1 << _SPACE | 1 << _NEWLINE
_CLOSING = sum(1 << ord(char) for char in "!),.;?")  # what may follow a number that is a word
_CODE_MASK = (1 << ft.CLASS_SHIFT) - 1
_EXPANDED, _OFFSET_MASK = ft.EXPANDED, (1 << ft.LENGTH_SHIFT) - 1
_CLASS_SHIFT, _LENGTH_SHIFT = ft.CLASS_SHIFT, ft.LENGTH_SHIFT
_STEP = np.uint64(0x9E3779B97F4A7C15)
_WORD_SEED = np.uint64(0x243F6A8885A308D3)
_NUMBER_SEED = np.uint64(0x13198A2E03707344)
_PUNCT_SEED = np.uint64(0xA4093822299F31D0)
_REPEATED = np.uint64(1 << 32)
_NEWLINE_HASH = np.uint64(0x452821E638D01377)


def _word_letters():
    """Bytes → the letter that counts in a word's hash; 0 for a byte that is no ASCII letter or digit."""
    letters = np.zeros(256, dtype=np.uint64)
    for code in range(128):
        if chr(code).isalnum():
            letters[code] = ord(chr(code).lower())
    for source, target in zip("01lL345789", "oiiieastbg", strict=True):
        letters[ord(source)] = ord(target)
    return letters


LETTERS = _word_letters()


@njit(cache=True, nogil=True)
def _mix(h):
    h ^= h >> np.uint64(32)
    h *= np.uint64(0xD6E8FEB86659FD93)
    h ^= h >> np.uint64(32)
    h *= np.uint64(0xD6E8FEB86659FD93)
    return h ^ (h >> np.uint64(32))


@njit(cache=True, nogil=True)
def _decode(buffer, i, hi):
    """(code point, its bytes) at i; a byte that does not belong gives U+FFFD."""
    b = np.int64(buffer[i])
    size = 2 if b >> 5 == 6 else 3 if b >> 4 == 14 else 4 if b >> 3 == 30 else 1
    if size == 1 or i + size > hi:
        return np.int64(0xFFFD), 1
    code = b & (0x7F >> size)
    for j in range(1, size):
        c = np.int64(buffer[i + j])
        if c >> 6 != 2:
            return np.int64(0xFFFD), 1
        code = code << 6 | c & 0x3F
    return (code, size) if code < 0x110000 else (np.int64(0xFFFD), 1)


@njit(cache=True, nogil=True)
def _stands_for_letter(buffer, i, hi):
    """Whether the "@" or "$" at i, inside a word, is a letter in disguise: one follows, and it is no mail address."""
    at = buffer[i] == 64
    j = i + 1
    if not at and j < hi and buffer[j] == 36:
        j += 1
    start = j
    while j < hi and (48 <= buffer[j] <= 57 or 65 <= buffer[j] <= 90 or 97 <= buffer[j] <= 122 or buffer[j] == 45):
        j += 1
    if j == start or buffer[start] == 45 or (not at and buffer[start] < 65):
        return False
    return not (at and j + 1 < hi and buffer[j] == 46 and buffer[j + 1] > 47)


@njit(cache=True, nogil=True)
def _scan_text(buffer, base, hi, hidden, blocks, entries, expansions, letters, hashes, starts, ends, kinds, n0):
    """Write the tokens of one text from place n0 on; (the place after them, whether its words hide behind digits).

    One state machine, in one function because calls would cost more than the work: `run` is 1 inside a word or number
    and 2 after a solo character; `line` is 1 while only markup stands on the line and 2 after a number that opens it;
    `pending` tokens become MARKUP if white space follows; `gap` counts white space since the last token. A word hides
    its letters if digits stand among them ("w1th", "7h3"), not just at one end ("x1"). With `hidden`, numbers that
    could be words are ("7o 4 73s7").
    """
    ascii_row = np.int64(blocks[0]) << 8
    n, words, hiding = n0, 0, 0
    i = base
    run, line, pending, gap, last_punct = 0, 1, 0, 0, -1
    start, end, run_gap, length, spaced, spaced_start = base, base, 0, 0, 0, base
    has_letter, leading, no_letter, digit_runs, digit_at = False, False, False, 0, -2
    h, digits_h, spaced_h, single = _WORD_SEED, _NUMBER_SEED, _WORD_SEED, np.uint64(0)
    while i <= hi:
        size, count, offset, entry = 1, 1, 0, _SPACE << _CLASS_SHIFT
        code = np.int64(32)
        if i < hi:
            code = np.int64(buffer[i])
            if code < 128:
                letter = letters[code]
                if letter:
                    if run != 1:
                        run, start, run_gap, length, has_letter, last_punct = 1, i, gap, 0, False, -1
                        h, digits_h, digit_runs = _WORD_SEED, _NUMBER_SEED, 0
                    length -= i
                    while letter:
                        if code <= 57:
                            digits_h = (digits_h ^ np.uint64(code)) * _STEP
                            if digit_runs == 0:
                                leading, no_letter, digit_at = length + i == 0, False, -2
                            digit_runs += length + i != digit_at + 1
                            digit_at = length + i
                            no_letter |= code == 50 or code == 54
                        else:
                            has_letter = True
                        single = letter
                        h = (h ^ letter) * _STEP
                        i += 1
                        if i >= hi:
                            break
                        code = np.int64(buffer[i])
                        letter = letters[code]
                    length += i
                    end = i
                    if code == 32 and i < hi and has_letter and digit_runs == 0 and 1 < length == i - start:
                        # the common case, a plain word and a space, without the machinery below
                        hashes[n], starts[n], ends[n], kinds[n] = _mix(h), start - base, i - base, WORD
                        run, line, pending, gap, spaced = 0, 0, 0, 1, 0
                        n, words, i = n + 1, words + 1, i + 1
                    continue
                entry = np.int64(entries[ascii_row | code])
            else:
                code, size = _decode(buffer, i, hi)
                entry = np.int64(entries[np.int64(blocks[code >> 8]) << 8 | code & 255])
                if entry & _EXPANDED:
                    offset, count = entry & _OFFSET_MASK, (entry & ~_EXPANDED) >> _LENGTH_SHIFT
        for part in range(offset, offset + count):
            if entry & _EXPANDED or count > 1:
                entry = np.int64(expansions[part])
            kind = entry >> _CLASS_SHIFT
            if entry & _CODE_MASK:
                code = entry & _CODE_MASK
            if kind == _DROPPED:
                continue
            if run == 2 and kind == _MARK:
                h = (h ^ np.uint64(code)) * _STEP
                hashes[n - 1], ends[n - 1] = _mix(h), i + size - base
                continue
            stand_in = run == 1 and has_letter and size == 1 and (code == 64 or code == 36)
            if stand_in:
                stand_in = _stands_for_letter(buffer, i, hi)
            if _IN_WORDS >> kind & 1 or stand_in:
                if run != 1:
                    run, start, run_gap, length, has_letter, last_punct = 1, i, gap, 0, False, -1
                    h, digits_h, digit_runs = _WORD_SEED, _NUMBER_SEED, 0
                if kind == _DIGIT:
                    digits_h = (digits_h ^ np.uint64(code)) * _STEP
                    if digit_runs == 0:
                        leading, no_letter, digit_at = length == 0, False, -2
                    digit_runs += length != digit_at + 1
                    digit_at = length
                    no_letter |= code == 50 or code == 54
                else:
                    has_letter = True
                single = np.uint64(code)
                if stand_in:
                    single = np.uint64(97 if code == 64 else 115)
                elif code < 128:
                    single = letters[code]
                h = (h ^ single) * _STEP
                length += 1
                end = i + size
                continue
            if run == 1:
                gap, pending = 0, 0
                if has_letter and length == 1 and 97 <= single <= 122:
                    if spaced == 0 or run_gap != 1:
                        spaced, spaced_h, spaced_start = 0, _WORD_SEED, start
                    spaced += 1
                    spaced_h = (spaced_h ^ single) * _STEP
                else:
                    spaced = 0
                if spaced >= _SPACED_LETTERS:
                    n -= _SPACED_LETTERS - 1 if spaced == _SPACED_LETTERS else 1
                    h, start = spaced_h, spaced_start
                is_word = has_letter
                if has_letter:
                    words += 1
                    hiding += digit_runs > 0 and 2 * digit_runs - leading - (digit_at == length - 1) >= 2
                elif hidden and not no_letter:  # 2 and 6 stand for no letter
                    opens = run_gap > 0 or n == n0 or kinds[n - 1] >= NEWLINE
                    opens |= n > n0 and hashes[n - 1] == _mix(_PUNCT_SEED ^ np.uint64(39))  # after an apostrophe
                    is_word = opens and (_WHITE >> kind & 1 or (code < 64 and _CLOSING >> code & 1))
                hashes[n] = _mix(h) if is_word else _mix(digits_h)
                starts[n], ends[n], kinds[n] = start - base, end - base, WORD if is_word else NUMBER
                line = 2 if line == 1 and not is_word and length <= 3 else 0
                n += 1
            run = 0
            if _WHITE >> kind & 1:
                if pending:
                    line = 1
                    for back in range(1, pending + 1):
                        kinds[n - back] = MARKUP
                pending, last_punct = 0, -1
                if kind == _SPACE:
                    gap += 1
                    continue
                spaced, gap, line = 0, 0, 1
                if n > n0 and kinds[n - 1] == NEWLINE:
                    ends[n - 1] = i + size - base
                    continue
                hashes[n], kinds[n] = _NEWLINE_HASH, NEWLINE
            elif kind == _SOLO:
                run, spaced, gap, line, pending, last_punct = 2, 0, 0, 0, 0, -1
                h = (_WORD_SEED ^ np.uint64(code)) * _STEP
                hashes[n], kinds[n] = _mix(h), WORD
            else:
                mixed = _PUNCT_SEED ^ np.uint64(code)
                if code == last_punct:
                    hashes[n - 1], ends[n - 1] = _mix(mixed ^ _REPEATED), i + size - base
                    pending = 0
                    continue
                hashes[n], kinds[n] = _mix(mixed), MARKUP if kind == _MARKUP else PUNCT
                pending = 0
                if line == 1 and (code == 45 or code == 43):
                    pending = 1
                elif line == 2 and gap == 0 and (code == 46 or code == 41):
                    pending = 2
                if kind != _MARKUP or line == 2:
                    line = 0
                last_punct, spaced, gap = code, 0, 0
            starts[n], ends[n] = i - base, i + size - base
            n += 1
        i += size
    return n, hiding >= _HIDING_WORDS and hiding * _HIDING_SHARE >= words


@njit(cache=True, nogil=True)
def scan(buffer, offsets, first, until, blocks, entries, expansions, letters, hashes, starts, ends, kinds, counts):
    """Fill the four arrays with the tokens of texts first:until and `counts[i + 1]` with their numbers; their sum."""
    n = np.int64(0)
    for text in range(first, until):
        n0, hidden, again = n, False, True
        while again:
            n, hiding = _scan_text(
                buffer,
                offsets[text],
                offsets[text + 1],
                hidden,
                blocks,
                entries,
                expansions,
                letters,
                hashes,
                starts,
                ends,
                kinds,
                n0,
            )
            again = hiding and not hidden
            hidden = True
        counts[text + 1] = n - n0
    return n
