"""What became of the networks of the last run, counted from their accounts."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from promptsim.networks.changes import network_changes
from promptsim.networks.identity import name_networks
from promptsim.records import Network

KINDS = ("new", "continued", "grown", "merged", "split", "ended")


def network(name: str, accounts: str) -> Network:
    """A network whose accounts are the letters of a text."""
    return Network(name, tuple(accounts), (), 0, 0, False, 0.0, None, ())


def told(before: Sequence[str], after: Sequence[str]) -> dict[str, int]:
    """The changes other than zero, for networks that were named as a run names them."""
    previous = [network(f"net_{i}", accounts) for i, accounts in enumerate(before)]
    names = name_networks([tuple(accounts) for accounts in after], previous)
    found = [network(name, accounts) for name, accounts in zip(names, after, strict=True)]
    changes = network_changes(previous, found)
    assert set(changes) == {f"networks_{kind}" for kind in KINDS}
    return {kind: changes[f"networks_{kind}"] for kind in KINDS if changes[f"networks_{kind}"]}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([], [], {}),
        ([], ["abcd", "efgh"], {"new": 2}),
        (["abcd"], ["abcd"], {"continued": 1}),
        (["abcd"], ["abcdef"], {"continued": 1, "grown": 1}),
        (["abcd"], ["abc"], {"continued": 1}),
        (["abcd"], ["wxyz"], {"new": 1, "ended": 1}),
        (["abcd", "efgh"], ["abcdefgh"], {"continued": 1, "grown": 1, "merged": 1, "ended": 1}),
        (["abcdefgh"], ["abcd", "efgh"], {"continued": 1, "split": 1}),
        (["abcdefgh"], ["abcde", "fghxyz"], {"continued": 1, "split": 1}),
        (["abcdefgh"], ["abcdef", "gxyz"], {"continued": 1, "new": 1}),
        (["abcd", "efgh"], ["abcdef", "wxyz"], {"continued": 1, "grown": 1, "merged": 1, "new": 1, "ended": 1}),
        (["abcd", "efgh"], [], {"ended": 2}),
    ],
)
def test_changes_are_told_by_accounts(before: list[str], after: list[str], expected: dict[str, int]) -> None:
    assert told(before, after) == expected
    assert told(before[::-1], after[::-1]) == expected  # whatever the order
