"""Repeats → how many distinct surroundings each shingle has (D).

Third stage of `mine`. What separates an instruction from a shared document: take from each prompt every token that is
about as widely shared as the shingle or wider; what is left is the shingle's residual there. An instruction has as many
residuals as payloads; a document that many people paste under the same few questions has few.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from promptsim.families.corpus import Corpus
from promptsim.families.shingles import Repeats, mixed, width_of
from promptsim.records import Int32s

BASE = 1.4  # ratio of two levels of "as widely shared"
SLACK = 0.85  # a token counts as wider shared from this share of a level


@njit(cache=True, nogil=True)
def _residuals(tokens, bounds, shingle, place, of_prompt, kinds, df, level_of, tau, k, anchored, longest):  # type: ignore[no-untyped-def]
    """A fingerprint (least 3-gram) of the residual at each occurrence, by its shingle's level; 0: nothing is left."""
    out = np.zeros(len(shingle), np.uint32)
    cover = np.zeros(longest + 1, np.int64)
    seen = np.full(len(tau), -1, np.int64)
    print_at = np.zeros(len(tau), np.uint32)
    for prompt in range(len(of_prompt) - 1):
        lo, hi = of_prompt[prompt], of_prompt[prompt + 1]
        if lo == hi:
            continue
        start = bounds[2 * prompt]
        n = bounds[2 * prompt + 2] - start
        cover[:n] = 0
        for j in range(lo, hi):
            s = shingle[j]
            width = width_of(kinds[s], k, anchored)
            for t in range(place[j], place[j] + width):
                if cover[t] < df[s]:
                    cover[t] = df[s]
        for j in range(lo, hi):
            level = level_of[shingle[j]]
            if seen[level] != prompt:
                seen[level] = prompt
                limit = tau[level]
                a = np.uint64(0)
                b = np.uint64(0)
                left = 0
                least = np.uint64(0xFFFFFFFFFFFFFFFF)
                for t in range(n):
                    if cover[t] < limit:
                        c = tokens[start + t]
                        left += 1
                        if left >= 3:
                            h = mixed((a * np.uint64(31) + b) * np.uint64(0xD6E8FEB86659FD93) + c)
                            if h < least:
                                least = h
                        a = b
                        b = c
                if left == 0:
                    print_at[level] = 0
                else:
                    if left < 3:
                        least = mixed(a * np.uint64(31) + b)
                    print_at[level] = np.uint32(least >> np.uint64(33)) | np.uint32(1 << 31)
            out[j] = print_at[level]
    return out


@njit(cache=True, nogil=True)
def _distinct(shingle, of_prompt, of_shingle, prints):  # type: ignore[no-untyped-def]
    """Distinct non-empty fingerprints of each shingle."""
    n = len(of_shingle) - 1
    stacked = np.zeros(of_shingle[n], np.uint32)
    fill = of_shingle[:-1].copy()
    last = np.full(n, -1, np.int32)
    for prompt in range(len(of_prompt) - 1):
        for j in range(of_prompt[prompt], of_prompt[prompt + 1]):
            s = shingle[j]
            if last[s] != prompt:
                last[s] = prompt
                stacked[fill[s]] = prints[j]
                fill[s] += 1
    out = np.zeros(n, np.int32)
    for s in range(n):
        part = np.sort(stacked[of_shingle[s] : of_shingle[s + 1]])
        before = np.uint32(0)
        for value in part:
            if value != before:
                out[s] += 1
                before = value
    return out


def distinct_residuals(corpus: Corpus, repeats: Repeats, k: int, anchored: int) -> Int32s:
    """D of every shingle."""
    df = repeats.df()
    level = np.floor(np.log(np.maximum(df, 1)) / np.log(BASE)).astype(np.int32)
    tau = SLACK * BASE ** np.arange(int(level.max(initial=0)) + 1)
    longest = int((corpus.bounds[2::2] - corpus.bounds[:-1:2]).max(initial=0))
    prints = _residuals(
        corpus.tokens, corpus.bounds, repeats.shingle, repeats.place, repeats.of_prompt, repeats.kinds, df, level, tau,
        k, anchored, longest,
    )  # fmt: skip
    result: Int32s = _distinct(repeats.shingle, repeats.of_prompt, repeats.of_shingle, prints)
    return result
