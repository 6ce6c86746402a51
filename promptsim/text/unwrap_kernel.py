# mypy: ignore-errors
# (numba types this function by its arguments; Python's annotations would say less)
"""The compiled check behind `unwrap`: does anything look like base64?"""

from __future__ import annotations

import numpy as np
from numba import njit

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
_ALLOWED = np.isin(np.arange(256), list(ALPHABET))


@njit(cache=True, nogil=True)
def has_run(raw, shortest):
    """Whether `shortest` characters of the alphabet stand in a row; most bytes of a plain text are never read."""
    i = 0
    while i + shortest <= len(raw):
        k = i + shortest - 1
        while k >= i and _ALLOWED[raw[k]]:
            k -= 1
        if k < i:
            return True
        i = k + 1
    return False


@njit(cache=True, nogil=True)
def suspects(raw, ends, shortest, escapes):
    """Which texts of a buffer (text i ends at `ends[i]`) have such a run, or `escapes` per-cent signs."""
    out = np.zeros(len(ends), np.bool_)
    start = 0
    for text in range(len(ends)):
        part = raw[start : ends[text]]
        start = ends[text]
        if has_run(part, shortest):
            out[text] = True
            continue
        signs = 0
        for byte in part:
            if byte == 37:
                signs += 1
        out[text] = signs >= escapes
    return out
