"""Volumes and shares: dealt-out work is even, independent users are not, and tails prove nothing."""

from __future__ import annotations

import numpy as np

from promptsim.networks.evenness import more_even, share_scatter, volume_scatter
from promptsim.networks.reference import Prior, Reference, fit_reference

ORDINARY = Reference(centre=np.log(0.45), spread=0.35, families=30)


def test_six_accounts_with_25_requests_each_are_more_even_than_users() -> None:
    assert more_even(volume_scatter(np.full(6, 25)), ORDINARY) < 1e-7


def test_dice_are_more_even_than_users() -> None:
    volumes = np.random.default_rng(0).poisson(15, 60)
    assert more_even(volume_scatter(volumes), ORDINARY) < 1e-6


def test_independent_users_are_as_even_as_users() -> None:
    random = np.random.default_rng(0)
    p_values = [
        more_even(volume_scatter(np.ceil(random.lognormal(2.5, 0.7, 40)).astype(int)), ORDINARY) for _ in range(50)
    ]
    assert np.mean(np.array(p_values) < 0.05) < 0.1


def test_the_tail_of_a_text_that_most_use_once_says_nothing() -> None:
    volumes = np.random.default_rng(0).geometric(0.6, 800)
    assert (volumes >= 4).sum() > 30
    assert more_even(volume_scatter(volumes), ORDINARY) == 1.0


def test_equal_shares_of_unequal_traffic_are_even() -> None:
    random = np.random.default_rng(0)
    total = np.ceil(random.lognormal(4, 0.6, 80)).astype(int)
    uses = random.binomial(total, 0.3)
    assert more_even(share_scatter(uses, total), Reference(np.log(0.12), 0.35, 30)) < 1e-6


def test_accounts_that_send_little_else_have_even_shares_whoever_they_are() -> None:
    total = np.full(40, 50)
    assert more_even(share_scatter(np.full(40, 45), total), Reference(np.log(0.12), 0.35, 30)) == 1.0


def test_a_reference_without_families_is_its_prior() -> None:
    found = fit_reference([], [], Prior(0.5, 0.1))
    assert (found.centre, found.spread, found.families) == (0.5, 0.1, 0)


def test_a_reference_is_not_moved_by_a_few_campaigns_among_its_families() -> None:
    values = np.concatenate([np.random.default_rng(0).normal(0.5, 0.05, 30), np.zeros(5)])
    assert abs(fit_reference(values, np.zeros(35), Prior(0.5, 0.1)).centre - 0.5) < 0.03


def test_three_small_counts_that_are_equal_prove_nothing() -> None:
    """Of three users with four or five requests each, all have the same number every tenth time."""
    ordinary = Reference(centre=np.log(0.3), spread=0.35, families=30)
    assert more_even(volume_scatter(np.full(3, 4)), ordinary) > 0.1
    assert more_even(volume_scatter(np.full(6, 25)), ordinary) < 1e-6
