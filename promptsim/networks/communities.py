"""Ties → communities of families, and the parties at their core and periphery.

Leiden (constant Potts model, fixed seed) on the graph of ties, weighted by Jaccard. The core of a community are
the parties that use at least two of its families; its periphery are other users of families that the core makes up by
half. Communities that share most of their core are one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import graspologic_native
import numpy as np

from promptsim.networks.couse import Ties
from promptsim.networks.options import NetworkOptions
from promptsim.networks.usage import REGULAR, Usage
from promptsim.records import Bools, Int64s


@dataclass(frozen=True, slots=True)
class Community:
    """Families that go together, the parties that use at least two of them, and those that use one."""

    families: tuple[int, ...]
    core: frozenset[int]
    periphery: frozenset[int]

    @property
    def parties(self) -> frozenset[int]:
        return self.core | self.periphery


def find_communities(usage: Usage, ties: Ties, options: NetworkOptions, seed: int) -> list[Community]:
    """Communities with a core of at least `min_parties`, largest first."""
    users = FamilyUsers(usage)
    groups = _leiden(ties, options.resolution, seed)
    groups = _join_alike([(group, _core(users, group)) for group in groups])
    found = [_with_periphery(users, group, options) for group in groups]
    found = [community for community in found if len(community.core) >= options.min_parties]
    return sorted(found, key=lambda community: (-len(community.parties), community.families))


class FamilyUsers:
    """The parties of each family, as sorted arrays."""

    def __init__(self, usage: Usage) -> None:
        self._party = usage.pair_party
        count = len(usage.family_parties)
        self._uses = usage.pair_uses
        self._start = np.searchsorted(usage.pair_family, np.arange(count + 1))

    def of(self, family: int) -> Int64s:
        result: Int64s = self._party[self._start[family] : self._start[family + 1]].astype(np.int64)
        return result

    def regular(self, family: int, uses: int = REGULAR) -> Int64s:
        """Those that use it at least so often."""
        part = slice(self._start[family], self._start[family + 1])
        result: Int64s = self._party[part][self._uses[part] >= uses].astype(np.int64)
        return result


def _leiden(ties: Ties, resolution: float, seed: int) -> list[tuple[int, ...]]:
    if not len(ties.left):
        return []
    rows = zip(ties.left.tolist(), ties.right.tolist(), ties.jaccard.tolist(), strict=True)
    edges = [(f"{left:09d}", f"{right:09d}", weight) for left, right, weight in rows]
    _, labels = graspologic_native.leiden(
        edges=edges, resolution=resolution, use_modularity=False, seed=seed, trials=3, iterations=2
    )
    groups: dict[int, list[int]] = {}
    for node in sorted(labels):
        groups.setdefault(labels[node], []).append(int(node))
    return sorted(tuple(group) for group in groups.values() if len(group) >= 2)


def _core(users: FamilyUsers, group: Sequence[int]) -> frozenset[int]:
    """Parties that use at least two families of the group."""
    every = np.concatenate([users.of(family) for family in group])
    party, times = np.unique(every, return_counts=True)
    return frozenset(party[times >= 2].tolist())


def _join_alike(parts: list[tuple[tuple[int, ...], frozenset[int]]]) -> list[tuple[int, ...]]:
    """Join groups while half of the smaller core lies in the larger: Leiden may split the families of one campaign."""
    parts = sorted(parts, key=lambda part: (-len(part[1]), part[0]))
    joined: list[tuple[tuple[int, ...], set[int]]] = []
    groups_of: dict[int, list[int]] = {}  # of each party: most groups have none in common
    for families, core in parts:
        shared = Counter(at for party in core for at in groups_of.get(party, ()))
        alike = (at for at, count in shared.items() if 2 * count >= min(len(core), len(joined[at][1])))
        at = min(alike, default=len(joined))
        if at == len(joined):
            joined.append(((), set()))
        others, known = joined[at]
        for party in core - known:
            groups_of.setdefault(party, []).append(at)
        joined[at] = (tuple(sorted(others + families)), known | core)
    return [families for families, _ in joined]


def _with_periphery(users: FamilyUsers, group: tuple[int, ...], options: NetworkOptions) -> Community:
    """The families that the core makes up, who uses two of them, and their other regular users. Passers-by belong to
    nobody, and a group of which one family is left ties nobody.
    """
    core = _core(users, group)
    own = [family for family in group if _made_up_by(core, users, family) >= options.core_share]
    if len(own) < 2:
        return Community(tuple(own), frozenset(), frozenset())
    core = _core(users, own)
    every = frozenset(int(party) for family in own for party in users.regular(family))
    return Community(tuple(sorted(own)), core, every - core)


def _made_up_by(core: frozenset[int], users: FamilyUsers, family: int) -> float:
    """The core's share of a family's parties, those that used it once left out where they can be."""
    parties = users.regular(family, 2)
    parties = parties if len(parties) >= 3 else users.of(family)
    return len(core.intersection(parties.tolist())) / max(len(parties), 1)


def eligible_families(parties: Int64s, excluded: Bools, options: NetworkOptions) -> Bools:
    """Families that may tie: enough parties, and no benign explanation that makes co-use meaningless."""
    return (parties >= options.min_parties) & ~excluded
