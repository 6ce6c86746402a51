"""When each party used a network's families → hand-overs: one pool of accounts stops and another goes on.

A hand-over is a moment that hardly any party's use spans although parties stop before it and start after it. Null
model: every party keeps the length of its use but begins at a random time. A benign public text is taken up and left
at all times.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from promptsim.networks.options import DAY, HOUR
from promptsim.records import Int64s

LEAST_SIDE = 3  # parties that stop before and that start after a hand-over
SPANNING = 0.05  # of the parties near it may go on through it
NEAR = 4 * DAY
STEP = 6 * HOUR  # between the moments that are asked about
SHUFFLES = 199


@dataclass(frozen=True, slots=True)
class HandOver:
    """When it was, the parties that stopped shortly before and started shortly after, and those that went on."""

    time: int
    stopped: int
    started: int
    spanning: int
    relinked_after: int  # microseconds from the first use in the new pool until three of its parties were seen


@dataclass(frozen=True, slots=True)
class Succession:
    hand_overs: tuple[HandOver, ...]
    p_value: float

    @property
    def pools(self) -> int:
        return len(self.hand_overs) + 1


def find_succession(first: Int64s, last: Int64s, seed: int) -> Succession:
    """Hand-overs among parties whose use begins at `first` and ends at `last`, with one p-value for there being any."""
    if len(first) < 2 * LEAST_SIDE:
        return Succession((), 1.0)
    cuts = np.arange(int(first.min()) // STEP * STEP + DAY, int(last.max()), STEP)
    if not len(cuts):
        return Succession((), 1.0)
    stopped, started, spanning = _around(first, last, cuts)
    sharp = _sharp(stopped, started, spanning)
    if not sharp.any():
        return Succession((), 1.0)
    found = [
        _hand_over(first, cuts[at], stopped[at], started[at], spanning[at])
        for at in _best(sharp, stopped, started, cuts)
    ]
    return Succession(
        tuple(found), _chance(first, last, cuts, float(_strength(stopped, started, spanning).max()), seed)
    )


def _around(first: Int64s, last: Int64s, cuts: Int64s) -> tuple[Int64s, Int64s, Int64s]:
    """For each cut: parties that stopped within NEAR before it, started within NEAR after it, go on through it."""
    ends, begins = np.sort(last), np.sort(first)
    before = np.searchsorted(ends, cuts)
    stopped = before - np.searchsorted(ends, cuts - NEAR)
    started = np.searchsorted(begins, cuts + NEAR) - np.searchsorted(begins, cuts)
    spanning = np.searchsorted(begins, cuts) - before
    return stopped.astype(np.int64), started.astype(np.int64), spanning.astype(np.int64)


def _strength(stopped: Int64s, started: Int64s, spanning: Int64s) -> npt.NDArray[np.float64]:
    """Parties on the smaller side of a hand-over, less those that go on through it."""
    result: npt.NDArray[np.float64] = np.minimum(stopped, started) - spanning.astype(np.float64)
    return result


def _sharp(stopped: Int64s, started: Int64s, spanning: Int64s) -> npt.NDArray[np.bool_]:
    enough = (stopped >= LEAST_SIDE) & (started >= LEAST_SIDE)
    result: npt.NDArray[np.bool_] = enough & (spanning <= SPANNING * (stopped + started))
    return result


def _best(sharp: npt.NDArray[np.bool_], stopped: Int64s, started: Int64s, cuts: Int64s) -> list[int]:
    """The strongest cut of each run of sharp cuts that lie near one another."""
    chosen: list[int] = []
    for at in np.flatnonzero(sharp):
        if chosen and cuts[at] - cuts[chosen[-1]] <= NEAR:
            if stopped[at] + started[at] > stopped[chosen[-1]] + started[chosen[-1]]:
                chosen[-1] = int(at)
        else:
            chosen.append(int(at))
    return chosen


def _hand_over(first: Int64s, cut: int, stopped: int, started: int, spanning: int) -> HandOver:
    begins = np.sort(first[first >= cut])
    return HandOver(
        time=int(begins[0]),
        stopped=int(stopped),
        started=int(started),
        spanning=int(spanning),
        relinked_after=int(begins[LEAST_SIDE - 1] - begins[0]),
    )


def _chance(first: Int64s, last: Int64s, cuts: Int64s, observed: float, seed: int) -> float:
    """How often random beginnings (the same lengths of use, within the same weeks) give a hand-over as strong."""
    draws = np.random.default_rng(seed).random((SHUFFLES, len(first)))
    as_strong = _as_strong(draws, last - first, int(first.min()), int(last.max()), cuts, NEAR, observed)
    return float((1 + as_strong) / (1 + SHUFFLES))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _as_strong(draws: Any, length: Any, begin: int, end: int, cuts: Any, near: int, observed: float) -> int:
    """In how many rows of draws a hand-over is as strong: `_strength` of `_around`, sorted times walked along."""
    found = 0
    for row in draws:
        begins = begin + (row * (end - begin - length)).astype(np.int64)
        ends = np.sort(begins + length)
        begins.sort()
        stopped = stopped_before = started = started_after = 0
        for cut in cuts:
            while stopped < len(ends) and ends[stopped] < cut:
                stopped += 1
            while stopped_before < len(ends) and ends[stopped_before] < cut - near:
                stopped_before += 1
            while started < len(begins) and begins[started] < cut:
                started += 1
            while started_after < len(begins) and begins[started_after] < cut + near:
                started_after += 1
            if min(stopped - stopped_before, started_after - started) - (started - stopped) >= observed:
                found += 1
                break
    return found
