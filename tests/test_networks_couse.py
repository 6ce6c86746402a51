"""Family-pair co-use: the configuration model against simulation, and what it must not be fooled by."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptsim.networks import couse
from promptsim.networks.communities import find_communities
from promptsim.networks.couse import ChanceOfBoth, Ties, benjamini_hochberg, may_be_rare, poisson_tail
from promptsim.networks.options import NetworkOptions
from promptsim.networks.parties import group_parties
from promptsim.networks.rehearsal import Rehearsal
from promptsim.networks.usage import measure_usage, sendings_of


def test_the_model_reproduces_every_degree_and_size() -> None:
    degrees, sizes = np.repeat([1, 2, 3, 5], 20), np.repeat([5, 10, 30, 65], 2)
    chance = ChanceOfBoth(degrees, sizes)
    used = [chance.at_least([size], 1) for size in (5, 10, 30, 65)]
    assert used == pytest.approx([5, 10, 30, 65], rel=0.01)


def test_a_table_of_all_sizes_and_no_table_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    degrees, sizes = np.repeat([1, 2, 3, 5], 20), np.repeat([5, 10, 30, 65], 2)
    left, right = np.array([5, 65, 30, 10, 5]), np.array([10, 65, 5, 30, 10])
    with_table = ChanceOfBoth(degrees, sizes)
    expected = [with_table.both(int(a), int(b)) for a, b in zip(left, right, strict=True)]
    assert with_table.both(left, right).tolist() == expected
    monkeypatch.setattr(couse, "MOST_SIZES", 3)
    assert ChanceOfBoth(degrees, sizes).both(left, right).tolist() == expected


def test_a_family_that_everybody_uses_is_shared_by_all_users_of_another() -> None:
    """The sparse approximation d·n/Σd would expect far fewer, and every pair with it would look tied."""
    degrees, sizes = np.full(100, 2), np.array([100, 20, 20, 20, 20, 20])
    assert ChanceOfBoth(degrees, sizes).both(100, 20) == pytest.approx(20, rel=0.1)


def test_expected_co_use_is_what_independent_users_show() -> None:
    random = np.random.default_rng(0)
    reach, draw = random.lognormal(0, 1, 800), random.lognormal(-2, 1, 60)
    used = random.random((800, 60)) < -np.expm1(-np.outer(reach, draw))
    chance = ChanceOfBoth(used.sum(axis=1), used.sum(axis=0))
    left, right = np.triu_indices(60, 1)
    seen = (used.T.astype(int) @ used)[left, right].sum()
    sizes = used.sum(axis=0)
    kept = (sizes[left] > 0) & (sizes[right] > 0)
    expected = chance.both(sizes[left[kept]], sizes[right[kept]]).sum()
    assert expected == pytest.approx(seen, rel=0.05)


def test_chance_of_at_least_two_families_is_the_poisson_binomial_law() -> None:
    chance = ChanceOfBoth(np.full(1000, 2), np.full(20, 100))
    single = 1 - np.exp(-chance._reach[0] * chance._draw[0])
    exact = 1 - (1 - single) ** 3 - 3 * single * (1 - single) ** 2
    assert chance.at_least(np.array([100, 100, 100]), 2) == pytest.approx(1000 * exact)


def test_poisson_tail_is_the_chance_of_so_many_or_more() -> None:
    assert poisson_tail(3, 1.0) == pytest.approx(1 - np.exp(-1) * (1 + 1 + 0.5))


def test_benjamini_hochberg_counts_the_tests_that_are_not_listed() -> None:
    p_values = np.array([1e-6, 0.004, 0.03])
    assert benjamini_hochberg(p_values, 0.01, 3).tolist() == [True, True, False]
    assert benjamini_hochberg(p_values, 0.01, 1000).tolist() == [True, False, False]


@given(st.lists(st.floats(0, 1), max_size=30), st.integers(30, 500))
def test_benjamini_hochberg_keeps_the_smallest(values: list[float], tests: int) -> None:
    p_values = np.array(values)
    kept = benjamini_hochberg(p_values, 0.01, tests)
    if kept.any() and not kept.all():
        assert p_values[kept].max() <= p_values[~kept].min()


def test_a_group_of_which_one_text_is_left_ties_nobody() -> None:
    """Two texts tied by three users; the second has many others, so only the first is the group's own."""
    traffic = Rehearsal(0)
    small, wide = traffic.new_families(2)
    for number in traffic.new_accounts("both", 3):
        for family in (small, wide):
            traffic.put(np.full(4, number), np.full(4, family), traffic.unique(4), traffic.around_the_clock(4))
    for number in traffic.new_accounts("others", 6):
        traffic.put(np.full(4, number), np.full(4, wide), traffic.unique(4), traffic.around_the_clock(4))
    families, members, activity = traffic.build()
    options = NetworkOptions()
    usage = measure_usage(families, members, sendings_of(activity), group_parties(activity, options))
    one = np.array([1.0])
    tie = Ties(np.array([0]), np.array([1]), np.array([3]), one, one, np.array([0.3]), 1, 0)
    assert find_communities(usage, tie, options, 0) == []
    same = NetworkOptions(core_share=0.3)
    assert [len(found.core) for found in find_communities(usage, tie, same, 0)] == [3]


@pytest.mark.parametrize("rate", [1e-6, 0.01, 0.2])
def test_what_is_passed_over_as_no_rarity_is_none(rate: float) -> None:
    random = np.random.default_rng(8)
    expected = np.exp(random.uniform(-12, 6, 5_000))
    observed = random.poisson(expected * random.choice([0.5, 1.0, 3.0], 5_000)) + 3
    rare = poisson_tail(observed, expected) <= rate
    assert not (rare & ~may_be_rare(observed, expected, rate)).any()
    assert 100 < rare.sum() < may_be_rare(observed, expected, rate).sum() < 5_000
