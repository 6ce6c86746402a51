"""Classes → Pairs: how often two classes stand in the same prompts, as sparse rows. Used by payload and skeletons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from promptsim.families.atoms import Classes
from promptsim.families.shingles import mixed
from promptsim.records import Floats, Int32s, Int64s


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

    def back(self) -> Floats:
        """Of the prompts of `other`, how many also have `one`."""
        return (self.count / np.maximum(self.n, 1).astype(np.float32)[self.other]).astype(np.float32)


@njit(cache=True, nogil=True)
def _count(held, of_prompt, n_classes, most):  # type: ignore[no-untyped-def]
    """Unordered pairs with their counts, in a growing hash table."""
    bits = 12
    keys = np.full(1 << bits, np.int64(-1))
    counts = np.zeros(1 << bits, np.int32)
    used = 0
    for prompt in range(len(of_prompt) - 1):
        end = min(of_prompt[prompt + 1], of_prompt[prompt] + most)
        for i in range(of_prompt[prompt], end):
            for j in range(i + 1, end):
                a, b = min(held[i], held[j]), max(held[i], held[j])
                key = np.int64(a) * n_classes + b
                mask = (1 << bits) - 1
                slot = np.int64(mixed(np.uint64(key)) >> np.uint64(20)) & mask
                while keys[slot] != -1 and keys[slot] != key:
                    slot = (slot + 1) & mask
                if keys[slot] == -1:
                    keys[slot] = key
                    used += 1
                counts[slot] += 1
                if 3 * used > 2 * mask:
                    bits += 1
                    mask = (1 << bits) - 1
                    more = np.full(1 << bits, np.int64(-1))
                    more_counts = np.zeros(1 << bits, np.int32)
                    for old in range(len(keys)):
                        if keys[old] != -1:
                            slot = np.int64(mixed(np.uint64(keys[old])) >> np.uint64(20)) & mask
                            while more[slot] != -1:
                                slot = (slot + 1) & mask
                            more[slot] = keys[old]
                            more_counts[slot] = counts[old]
                    keys = more
                    counts = more_counts
    found = keys != -1
    return keys[found], counts[found]


@njit(cache=True, nogil=True)
def _both_ways(keys, counts, n_classes):  # type: ignore[no-untyped-def]
    """Each pair from either side, sorted by the first of the two by counting."""
    start = np.zeros(n_classes + 1, np.int64)
    for key in keys:
        start[key // n_classes + 1] += 1
        start[key % n_classes + 1] += 1
    start = np.cumsum(start)
    one = np.empty(2 * len(keys), np.int32)
    other = np.empty(2 * len(keys), np.int32)
    count = np.empty(2 * len(keys), np.int32)
    for i in range(len(keys)):
        a, b = keys[i] // n_classes, keys[i] % n_classes
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
    keys, counts = _count(classes.held, classes.of_prompt, n_classes, cap)
    one, other, count = _both_ways(keys, counts, n_classes)
    return Pairs(one, other, count, classes.prompts(), int(np.maximum(held - cap, 0).sum()))
