"""Communities and one-family claims → groups: the accounts of one network, with what speaks for it.

A claim whose parties mostly belong to a community joins it; claims that share their parties are one group. Small
families whose users lie almost wholly inside a group, beyond chance, are attached to it: fragments of an evasive text
are used by too few parties to be tested by themselves. They add no accounts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from promptsim.networks.communities import Community, FamilyUsers
from promptsim.networks.corroboration import Corroborated
from promptsim.networks.couse import Ties, benjamini_hochberg
from promptsim.networks.laws import binomial_tail
from promptsim.networks.options import NetworkOptions
from promptsim.networks.solo import SoloClaim
from promptsim.networks.usage import Usage
from promptsim.records import Bools

ATTACH_SHARE = 0.9  # of a small family's parties that must belong to the group


@dataclass(frozen=True, slots=True)
class Group:
    """Parties with a membership strength in (0, 1], families (own first, attached apart), p-value, and the claims."""

    strength: dict[int, float]
    families: tuple[int, ...]
    attached: tuple[int, ...]
    p_value: float
    core: int
    corroborated: Corroborated | None
    claims: tuple[SoloClaim, ...]

    @property
    def flagged(self) -> bool:
        """Claims have passed their tests; a community must have no benign explanation left."""
        return bool(self.claims) or (self.corroborated is not None and self.corroborated.claimed)

    @property
    def community(self) -> Community | None:
        return self.corroborated.community if self.corroborated else None

    @property
    def parties(self) -> frozenset[int]:
        return frozenset(self.strength)


def form_groups(
    usage: Usage, communities: Sequence[Corroborated], ties: Ties, claims: Sequence[SoloClaim], options: NetworkOptions
) -> list[Group]:
    """Communities first, then claims in order of strength, each joined to the group that holds half of its parties."""
    users = FamilyUsers(usage)
    groups = [_of_community(users, community, ties) for community in communities]
    doubted = [group for group in groups if not group.flagged]
    groups = [group for group in groups if group.flagged]
    for claim in sorted(claims, key=lambda claim: (claim.p_value, claim.families)):
        mine = set(claim.parties)
        shares = [len(mine & group.parties) / max(len(mine), 1) for group in groups]
        best = int(np.argmax(shares)) if shares else -1
        if best >= 0 and shares[best] >= 0.5:
            groups[best] = _with_claim(groups[best], claim)
        elif len(mine) >= options.min_parties:
            strength = dict.fromkeys(claim.parties, 1.0)
            groups.append(Group(strength, claim.families, (), claim.p_value, len(mine), None, (claim,)))
    return groups + [group for group in doubted if not any(_covers(other, group) for other in groups)]


def _covers(claimed: Group, doubted: Group) -> bool:
    """The claim is about half of those accounts at least: what is doubted of the others need not be shown."""
    return 2 * len(claimed.parties & doubted.parties) >= len(doubted.parties)


def _of_community(users: FamilyUsers, corroborated: Corroborated, ties: Ties) -> Group:
    """Strength: the share of the community's families that a party uses; half of that for the periphery.

    Who uses the families as people do, where the others are run by a scheduler, is left out: a tool has users too.
    """
    community = corroborated.community
    people = corroborated.judgement.people if corroborated.claimed else frozenset()
    times: dict[int, int] = dict.fromkeys(sorted(community.parties - people), 0)
    for family in community.families:
        for party in users.of(family).tolist():
            if party in times:
                times[party] += 1
    count = len(community.families)
    strength = {
        party: max(uses, 1) / count * (1.0 if party in community.core else 0.5) for party, uses in times.items()
    }
    inside = np.isin(ties.left, community.families) & np.isin(ties.right, community.families)
    p_value = float(ties.p_value[inside].min(initial=1.0))
    sure = min(1.0, max(p_value, 1e-300) * max(ties.tested, 1))
    return Group(strength, community.families, (), sure, len(community.core & strength.keys()), corroborated, ())


def _with_claim(group: Group, claim: SoloClaim) -> Group:
    strength = dict(group.strength)
    for party in claim.parties:
        strength.setdefault(party, 0.5)
    families = (*group.families, *(family for family in claim.families if family not in group.families))
    return replace(
        group,
        strength=strength,
        families=families,
        p_value=min(group.p_value, claim.p_value),
        claims=(*group.claims, claim),
    )


def attach_fragments(usage: Usage, groups: Sequence[Group], usable: Bools, options: NetworkOptions) -> list[Group]:
    """Give each untied family to the group that nearly all of its parties belong to, where chance would not."""
    group_of = np.full(usage.party_count, -1, np.int64)
    for number in reversed([at for at, group in enumerate(groups) if group.flagged]):
        group_of[sorted(groups[number].parties)] = number
    degree = np.bincount(usage.pair_party, minlength=usage.party_count).astype(np.float64)
    weight = np.array([degree[sorted(group.parties)].sum() for group in groups]) / max(degree.sum(), 1)
    taken = np.zeros(len(usable), bool)
    for group in groups:
        taken[list(group.families)] = True
    open_pairs = (usable & ~taken & (usage.family_parties >= 2))[usage.pair_family]
    family, owner = usage.pair_family[open_pairs], group_of[usage.pair_party[open_pairs]]
    candidates, numbers, p_values = _most_owned(family, owner, weight, usage, len(groups))
    tested = int((usable & ~taken & (usage.family_parties >= 2)).sum())
    good = benjamini_hochberg(p_values, options.rate, tested)
    result = list(groups)
    for number in range(len(groups)):
        own = candidates[good & (numbers == number)]
        result[number] = replace(groups[number], attached=tuple(own.tolist()))
    return result


def _most_owned(
    family: np.ndarray, owner: np.ndarray, weight: np.ndarray, usage: Usage, groups: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Families whose parties nearly all belong to one group: the family, the group, the chance of it."""
    held = owner >= 0
    key, seen = np.unique(family[held].astype(np.int64) * max(groups, 1) + owner[held], return_counts=True)
    families, numbers = key // max(groups, 1), key % max(groups, 1)
    enough = (seen >= 2) & (seen >= ATTACH_SHARE * usage.family_parties[families])
    families, numbers, seen = families[enough], numbers[enough], seen[enough]
    p_values = binomial_tail(seen, usage.family_parties[families], np.minimum(weight[numbers], 1.0))
    return families, numbers, p_values
