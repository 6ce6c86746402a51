"""Signatures: the least values of the steps of one generator."""

from __future__ import annotations

import numpy as np

from promptsim.families.minhash import EMPTY, SHIFT, STEP, coefficients, lower


def test_each_place_has_the_least_of_its_step() -> None:
    elements = [3, 2**63 + 11, 2**64 - 1]
    row = np.full(7, EMPTY, np.uint64)
    for x in elements:
        lower(row, np.uint64(x), *coefficients(7))
    expected = [EMPTY.item()] * 7
    for x in elements:
        for i in range(7):
            x = (x * STEP + SHIFT) % 2**64
            expected[i] = min(expected[i], x ^ (x >> 32))
    assert row.tolist() == expected
