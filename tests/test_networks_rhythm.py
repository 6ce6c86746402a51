"""Rhythm, habits and succession: the figures on cases whose answer is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptsim.networks import succession
from promptsim.networks.figures import Figures, figures_of
from promptsim.networks.habit import measure_habit
from promptsim.networks.options import DAY, HOUR
from promptsim.networks.rhythm import Excess, People, assess_schedule, measure_hours
from promptsim.networks.succession import find_succession

if TYPE_CHECKING:
    from promptsim.networks.usage import Usage
    from promptsim.records import Bools, Int32s, Int64s


@dataclass(frozen=True)
class Rows:
    """What `figures_of` reads of a usage."""

    party: Int32s
    account: Int32s
    time: Int64s
    in_session: Bools
    account_events: Int64s


def figures(party: Int32s, time: Int64s) -> Figures:
    """Of parties of one account each."""
    rows = Rows(party, party, time, np.zeros(len(time), np.bool_), np.bincount(party))
    return figures_of(cast("Usage", rows), np.arange(len(time)))


PEOPLE = People(alpha=8.0, beta=3.0, excesses=(Excess(0.05, 1.0, 0.2), Excess(0.005, 1.0, 0.2)), families=30)


def test_a_scheduler_sends_out_of_sittings() -> None:
    found = assess_schedule(PEOPLE, np.full(6, 25), np.full(6, 4))
    assert found.count == 6
    assert found.p_value < 1e-4


def test_people_are_not_scheduled() -> None:
    random = np.random.default_rng(0)
    uses = random.geometric(0.2, 200) + 1
    sitting = random.binomial(uses, random.beta(8, 3, 200))
    assert assess_schedule(PEOPLE, uses, sitting).p_value > 0.05


def test_few_uses_make_no_schedule() -> None:
    assert assess_schedule(PEOPLE, np.full(50, 1), np.zeros(50, int)).p_value > 0.5


def test_hours_of_the_day_are_told_from_all_hours() -> None:
    party = np.repeat(np.arange(20), 30).astype(np.int32)
    random = np.random.default_rng(0)
    days = np.tile(np.arange(30), 20) * DAY
    nightly = days + (np.repeat(random.integers(0, 24, 20), 30) * HOUR)
    anytime = days + random.integers(0, DAY, 600)
    assert measure_hours(figures(party, nightly)).concentration == pytest.approx(1.0)
    assert measure_hours(figures(party, nightly)).explained(0.4)
    assert abs(measure_hours(figures(party, anytime)).concentration) < 0.1


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(0, 9), st.booleans()), min_size=1))
@settings(max_examples=60, deadline=None)
def test_figures_are_those_of_each_party_by_definition(uses: list[tuple[int, int, int, bool]]) -> None:
    """Whatever the order of the rows, and with several accounts a party (account 3·party + 0, 1, 2)."""
    party, at, hour, sitting = (np.array(column) for column in zip(*uses, strict=True))
    account, time, events = 3 * party + at, hour * 5 * HOUR, np.arange(18) + 100
    rows = Rows(party.astype(np.int32), account.astype(np.int32), time, sitting, events)
    found = figures_of(cast("Usage", rows), np.arange(len(uses)))
    assert found.party.tolist() == sorted(set(party.tolist()))
    for i, one in enumerate(found.party.tolist()):
        mine = party == one
        phase, gaps = 2 * np.pi * (time[mine] % DAY) / DAY, np.diff(np.sort(time[mine])) / DAY
        assert found.uses[i] == mine.sum()
        assert found.sitting[i] == sitting[mine].sum()
        assert found.total[i] == events[np.unique(account[mine])].sum()
        assert found.daily[i] == pytest.approx(np.cos(phase).sum() ** 2 + np.sin(phase).sum() ** 2)
        spread = gaps.std() / max(gaps.mean(), 1e-9) if len(gaps) else 0.0
        assert found.gaps[i] == pytest.approx(spread, abs=1e-6)


def test_a_timer_is_an_explanation() -> None:
    party = np.repeat(np.arange(10), 100).astype(np.int32)
    hourly = np.tile(np.arange(100) * HOUR, 10)
    assert measure_hours(figures(party, hourly)).explained(0.4)


def test_people_keep_to_their_place_and_a_programme_does_not() -> None:
    random = np.random.default_rng(0)
    party = np.repeat(np.arange(60), 12).astype(np.int32)
    own = np.repeat(random.integers(0, 3, 60), 12).astype(np.int32)
    mixed = random.integers(0, 3, 720).astype(np.int32)
    assert measure_habit(party, own).correlation == pytest.approx(1.0)
    assert abs(measure_habit(party, mixed).correlation) < 0.05
    assert not measure_habit(party, np.zeros(720, np.int32)).tells


def test_three_pools_that_follow_one_another_are_two_hand_overs() -> None:
    random = np.random.default_rng(0)
    first = np.concatenate([pool * 10 * DAY + random.integers(0, DAY, 40) for pool in range(3)])
    last = first + 9 * DAY - random.integers(0, DAY, 120)
    found = find_succession(first, last, seed=0)
    assert found.pools == 3
    assert [(step.stopped, step.started, step.spanning) for step in found.hand_overs] == [(40, 40, 0)] * 2
    assert all(step.relinked_after < DAY for step in found.hand_overs)
    assert found.p_value == pytest.approx(1 / 200)


def test_users_who_come_and_go_hand_over_nothing() -> None:
    random = np.random.default_rng(0)
    first = random.integers(0, 20 * DAY, 100)
    assert find_succession(first, first + random.integers(0, 10 * DAY, 100), seed=0).pools == 1


def test_a_few_plain_cases_count_for_more_than_as_many_narrow_ones() -> None:
    """Three accounts of six as regular as clockwork are what people never show; three near the border are not."""
    plain = assess_schedule(PEOPLE, np.full(6, 25), np.array([0, 1, 2, 18, 18, 18]))
    narrow = assess_schedule(PEOPLE, np.full(6, 25), np.array([10, 10, 10, 18, 18, 18]))
    assert plain.count == narrow.count == 3
    assert plain.p_value < 1e-4 < 1e-3 < narrow.p_value


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12)), min_size=6, max_size=40), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_the_chance_of_a_hand_over_is_that_of_shuffled_beginnings(uses: list[tuple[int, int]], seed: int) -> None:
    """Against the definition: every shuffle counted by the same two functions as the use itself."""
    first = np.array([start for start, _ in uses], np.int64) * DAY
    last = first + np.array([length for _, length in uses], np.int64) * DAY
    cuts = np.arange(int(first.min()) + DAY, int(last.max()) + 2 * DAY, 6 * HOUR)
    observed = float(succession._strength(*succession._around(first, last, cuts)).max())
    draws, room = np.random.default_rng(seed), int(last.max() - first.min()) - (last - first)
    strong = 0
    for _ in range(succession.SHUFFLES):
        moved = first.min() + (draws.random(len(first)) * room).astype(np.int64)
        around = succession._around(moved, moved + (last - first), cuts)
        strong += bool(succession._strength(*around).max() >= observed)
    chance = succession._chance(first, last, cuts, observed, seed)
    assert chance == (1 + strong) / (1 + succession.SHUFFLES)
