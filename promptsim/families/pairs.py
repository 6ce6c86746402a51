"""Classes → Pairs: how often two classes stand in the same prompts, as sparse rows. Used by payload and skeletons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from promptsim.families.atoms import Classes
from promptsim.records import Floats, Int32s, Int64s

LOWER = np.int64(2**32 - 1)  # of two numbers written as one


@dataclass(frozen=True, slots=True)
class Pairs:
    """Ordered pairs of classes that meet in `count` prompts; `n` prompts have each class. Sorted by `one`."""

    one: Int32s
    other: Int32s
    count: Int32s
    n: Int64s
    cut: int

    def share(self) -> Floats:
        """Of the prompts of `one`, how many also have `other`."""
        return (self.count / np.maximum(self.n, 1).astype(np.float32)[self.one]).astype(np.float32)


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


def _counted(keys: Int64s) -> tuple[Int64s, Int32s]:
    """The distinct keys, ascending, and how often each occurs. Sorts them in place, which is faster than a table."""
    keys.sort()
    counts = _gathered(keys)
    return keys[: len(counts)], counts


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
def _both_ways(keys, counts, n_classes):  # type: ignore[no-untyped-def]
    """Each pair from either side, sorted by the first of the two by counting."""
    start = np.zeros(n_classes + 1, np.int64)
    for key in keys:
        start[(key >> np.int64(32)) + 1] += 1
        start[(key & LOWER) + 1] += 1
    start = np.cumsum(start)
    one = np.empty(2 * len(keys), np.int32)
    other = np.empty(2 * len(keys), np.int32)
    count = np.empty(2 * len(keys), np.int32)
    for i in range(len(keys)):
        a, b = keys[i] >> np.int64(32), keys[i] & LOWER
        for first, second in ((a, b), (b, a)):
            place = start[first]
            start[first] += 1
            one[place], other[place], count[place] = first, second, counts[i]
    return one, other, count


def affordable(held: Int64s, most: int) -> int:
    """The largest number of classes a prompt that keeps all meetings of two below `most`; `held`: classes of each."""
    prompts_with = np.bincount(held)
    more = np.concatenate([np.cumsum(prompts_with[::-1])[::-1][1:], [0]])  # prompts that hold more than i classes
    meetings = np.cumsum(more * np.arange(len(more)))  # one more class a prompt meets all that are there
    return max(int(np.searchsorted(meetings, most, "right")), 2)


def pairs(classes: Classes, most: int) -> Pairs:
    """Pairs of classes that meet in a prompt, both ways round; `cut` counts classes left out to keep to `most`."""
    n_classes = max(len(classes), 1)
    held = np.diff(classes.of_prompt)
    cap = affordable(held, most)
    keys, counts = _counted(_met(classes.held, classes.of_prompt, cap))
    one, other, count = _both_ways(keys, counts, n_classes)
    return Pairs(one, other, count, classes.prompts(), int(np.maximum(held - cap, 0).sum()))
