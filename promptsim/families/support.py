"""Repeats → how many distinct surroundings each shingle has (D).

Third stage of `mine`. What separates an instruction from a shared document: take from each prompt every token that is
about as widely shared as the shingle or wider; what is left is the shingle's residual there. An instruction has as many
residuals as payloads; a document that many people paste under the same few questions has few.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from promptsim.families.corpus import Corpus
from promptsim.families.keys import distinct_of, mixed
from promptsim.families.repeats import Repeats
from promptsim.families.shingles import width_of
from promptsim.lookahead import in_spans
from promptsim.records import Int32s

BASE = 1.4  # ratio of two levels of "as widely shared"
SLACK = 0.85  # a token counts as wider shared from this share of a level


@njit(cache=True, nogil=True)
def _residuals(  # type: ignore[no-untyped-def]
    tokens, bounds, shingle, place, of_prompt, kinds, df, level_of, tau, k, anchored, longest, first, last, out
):
    """A fingerprint (least 3-gram) of the residual at each occurrence, by its shingle's level; 0: nothing is left.

    Of the prompts from `first` to before `last`; writes into `out`.
    """
    cover = np.zeros(longest + 1, np.int32)
    left = np.empty(longest + 1, np.uint64)
    seen = np.full(len(tau), -1, np.int32)
    print_at = np.zeros(len(tau), np.uint32)
    known = np.full(longest + 1, -1, np.int32)  # residuals of one prompt lie in each other: those of a length are equal
    print_of = np.zeros(longest + 1, np.uint32)
    for prompt in range(first, last):
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
                cover[t] = max(cover[t], df[s])
        for j in range(lo, hi):
            level = level_of[shingle[j]]
            if seen[level] != prompt:
                seen[level] = prompt
                n_left = 0
                for t in range(n):  # no branch, which nobody could predict
                    left[n_left] = tokens[start + t]
                    n_left += cover[t] < tau[level]
                if known[n_left] != prompt:
                    known[n_left] = prompt
                    print_of[n_left] = _fingerprint(left[:n_left])
                print_at[level] = print_of[n_left]
            out[j] = print_at[level]


@njit(cache=True, nogil=True)
def _fingerprint(tokens):  # type: ignore[no-untyped-def]
    """The least 3-gram of the tokens that are left of a prompt; 0: none is."""
    n = len(tokens)
    if n == 0:
        return np.uint32(0)
    least = np.uint64(0xFFFFFFFFFFFFFFFF)
    for t in range(2, n):
        gram = (tokens[t - 2] * np.uint64(31) + tokens[t - 1]) * np.uint64(0xD6E8FEB86659FD93) + tokens[t]
        least = min(least, mixed(gram))
    if n < 3:
        least = mixed((tokens[0] * np.uint64(31) + tokens[1]) if n == 2 else tokens[0])
    return np.uint32(least >> np.uint64(33)) | np.uint32(1 << 31)


@njit(cache=True, nogil=True)
def _by_shingle(shingle, fresh, of_shingle, prints):  # type: ignore[no-untyped-def]
    """The fingerprints of each shingle."""
    out = np.zeros(of_shingle[-1], np.uint32)
    fill = of_shingle[:-1].copy()
    for j in range(len(shingle)):
        if fresh[j]:
            out[fill[shingle[j]]] = prints[j]
            fill[shingle[j]] += 1
    return out


@njit(cache=True, nogil=True)
def _distinct(prints, of_shingle):  # type: ignore[no-untyped-def]
    """Distinct non-empty fingerprints of each shingle."""
    out = np.zeros(len(of_shingle) - 1, np.int32)
    for s in range(len(out)):
        part = prints[of_shingle[s] : of_shingle[s + 1]]
        out[s] = distinct_of(part) - (len(part) > 0 and part[0] == 0)
    return out


def distinct_residuals(corpus: Corpus, repeats: Repeats, k: int, anchored: int) -> Int32s:
    """D of every shingle."""
    df = repeats.df().astype(np.int32)
    level = np.floor(np.log(np.maximum(df, 1)) / np.log(BASE)).astype(np.int32)
    tau = np.ceil(SLACK * BASE ** np.arange(int(level.max(initial=0)) + 1)).astype(np.int32)
    longest = int((corpus.bounds[2::2] - corpus.bounds[:-1:2]).max(initial=0))
    prints = np.zeros(len(repeats.shingle), np.uint32)
    in_spans(
        lambda lo, hi: _residuals(
            corpus.tokens, corpus.bounds, repeats.shingle, repeats.place, repeats.of_prompt, repeats.kinds, df, level,
            tau, k, anchored, longest, lo, hi, prints,
        ),
        repeats.of_prompt,
    )  # fmt: skip
    prints = _by_shingle(repeats.shingle, repeats.fresh, repeats.of_shingle, prints)
    found = in_spans(lambda lo, hi: _distinct(prints, repeats.of_shingle[lo : hi + 1]), repeats.of_shingle)
    return np.concatenate(found)
