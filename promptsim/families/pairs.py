"""Classes → Pairs: how often two classes stand in the same prompts, as sparse rows. Used by payload and skeletons."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
from numba import njit

from promptsim.families.atoms import Classes
from promptsim.lookahead import in_spans
from promptsim.records import Floats, Int32s, Int64s

LOWER = np.int64(2**32 - 1)  # of two numbers written as one


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of classes that meet in `count` prompts; `n` prompts have each class. Sorted by `one`, then `other`."""

    one: Int32s
    other: Int32s
    count: Int32s
    n: Int64s
    cut: int

    def share(self, side: Int32s) -> Floats:
        """Of the prompts of one `side` of each pair, how many also have the other."""
        return (self.count / np.maximum(self.n, 1).astype(np.float32)[side]).astype(np.float32)


@njit(cache=True, nogil=True)
def _met(held, of_prompt, most):  # type: ignore[no-untyped-def]
    """A number for each meeting of two classes in a prompt, the lower class first."""
    total = 0
    for prompt in range(len(of_prompt) - 1):
        n = min(of_prompt[prompt + 1] - of_prompt[prompt], most)
        total += n * (n - 1) // 2
    keys = np.empty(total, np.int64)
    filled = 0
    for prompt in range(len(of_prompt) - 1):
        end = min(of_prompt[prompt + 1], of_prompt[prompt] + most)
        for i in range(of_prompt[prompt], end):
            for j in range(i + 1, end):
                a, b = min(held[i], held[j]), max(held[i], held[j])
                keys[filled] = np.int64(a) << np.int64(32) | b
                filled += 1
    return keys


def _sorted_meetings(classes: Classes, most: int) -> Int64s:
    """What `_met` gives, ascending: sorted in spans, which is faster than a table, and merged."""

    def some(first: int, last: int) -> Int64s:
        keys: Int64s = _met(classes.held, classes.of_prompt[first : last + 1], most)
        keys.sort()
        return keys

    return reduce(_merged, in_spans(some, classes.of_prompt))


@njit(cache=True, nogil=True)
def _merged(one, other):  # type: ignore[no-untyped-def]
    """Two ascending arrays as one."""
    out = np.empty(len(one) + len(other), np.int64)
    i, j = 0, 0
    while i < len(one) and j < len(other):
        low = one[i] <= other[j]  # no branch, which nobody could predict
        out[i + j] = min(one[i], other[j])
        i, j = i + low, j + (not low)
    out[i + j : len(one) + j] = one[i:]
    out[len(one) + j :] = other[j:]
    return out


@njit(cache=True, nogil=True)
def _gathered(keys):  # type: ignore[no-untyped-def]
    """How often each of ascending keys occurs; puts each once at the front."""
    n = 0
    for i in range(len(keys)):
        n += i == 0 or keys[i] != keys[i - 1]
    counts = np.zeros(n, np.int32)
    at = -1
    for key in keys:
        if at < 0 or keys[at] != key:
            at += 1
            keys[at] = key
        counts[at] += 1
    return counts


@njit(cache=True, nogil=True)
def _both_ways(low, high, times, n_classes):  # type: ignore[no-untyped-def]
    """Each pair from either side, sorted by the first of the two by counting."""
    start = np.zeros(n_classes + 1, np.int64)
    for i in range(len(low)):
        start[low[i] + 1] += 1
        start[high[i] + 1] += 1
    start = np.cumsum(start)
    one = np.empty(2 * len(low), np.int32)
    other = np.empty(2 * len(low), np.int32)
    count = np.empty(2 * len(low), np.int32)
    for i in range(len(low)):
        for first, second in ((low[i], high[i]), (high[i], low[i])):
            place = start[first]
            start[first] += 1
            one[place], other[place], count[place] = first, second, times[i]
    return one, other, count


def affordable(held: Int64s, most: int) -> int:
    """The largest number of classes a prompt that keeps all meetings of two below `most`; `held`: classes of each."""
    prompts_with = np.bincount(held)
    more = np.concatenate([np.cumsum(prompts_with[::-1])[::-1][1:], [0]])  # prompts that hold more than i classes
    meetings = np.cumsum(more * np.arange(len(more)))  # one more class a prompt meets all that are there
    return max(int(np.searchsorted(meetings, most, "right")), 2)


def meetings(classes: Classes, most: int) -> Pairs:
    """Pairs of classes that meet in a prompt, the lower as `one`; `cut` counts classes left out to keep to `most`."""
    held = np.diff(classes.of_prompt)
    cap = affordable(held, most)
    keys = _sorted_meetings(classes, cap)
    count = _gathered(keys)
    keys = keys[: len(count)]
    one, other = (keys >> np.int64(32)).astype(np.int32), (keys & LOWER).astype(np.int32)
    return Pairs(one, other, count, classes.prompts(), int(np.maximum(held - cap, 0).sum()))


def pairs(classes: Classes, most: int) -> Pairs:
    """The same, each pair both ways round."""
    met = meetings(classes, most)
    one, other, count = _both_ways(met.one, met.other, met.count, max(len(classes), 1))
    return Pairs(one, other, count, met.n, met.cut)
