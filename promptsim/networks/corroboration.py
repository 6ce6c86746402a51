"""Communities → which of them are claimed: co-use alone may be colleagues, or people with one interest.

Two benign explanations are asked of a community as a whole. *Public texts of one topic*: their users overlap beyond
chance, but loosely, and fillings repeat (or are too few to tell, and the users behave as people do). Fillings that
repeat say nothing of users who nearly all use all the texts and send them by a scheduler: a programme that draws its
tasks from one pool repeats some. *Colleagues* whose organisation the metadata does not name: they share in-house
templates, in sittings, in volumes and at hours of their own. That they declare different organisations, or all stop on
the day on which others start, makes them no team, but accuses nobody: so do users of one tool and cohorts of one
course. A community is claimed when neither holds; otherwise it is shown and not flagged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from promptsim.networks.communities import Community
from promptsim.networks.conduct import Background, Judgement, judge
from promptsim.networks.couse import Ties, benjamini_hochberg
from promptsim.networks.options import NetworkOptions
from promptsim.networks.parties import Parties
from promptsim.networks.sharding import MeetingRate, Sharding, fewer_than_public
from promptsim.networks.solo import Observer
from promptsim.networks.succession import Succession, find_succession
from promptsim.networks.usage import Usage
from promptsim.records import Int32s, Int64s

LEAST_ORGANISATIONS, ORGANISED_SHARE = 3, 0.05  # different organisations that members declare: no colleagues then
TELLING_MEETINGS = 3  # repeated fillings that make a public text likely whatever the overlap of users


@dataclass(frozen=True, slots=True)
class Corroborated:
    """A community with what speaks against each benign explanation."""

    community: Community
    public_p: float  # chance of so few repeated fillings, were the families public texts
    overlap: float  # of the users of its families (`overlap_of`)
    judgement: Judgement
    succession: Succession
    organisations: int  # different ones that its parties declare
    apart: bool  # by succession, or by declaring different organisations, they are no team of colleagues
    public: bool
    colleagues: bool = True

    @property
    def claimed(self) -> bool:
        return not (self.public or self.colleagues)


def public_texts(community: Community, sharding: Sharding, rate: MeetingRate) -> float:
    """Chance that public texts would repeat as few fillings as the families of this community together."""
    own = list(community.families)
    return fewer_than_public(float(sharding.meetings[own].sum()), float(sharding.pairs[own].sum()), rate)


def looks_public(
    community: Community, overlap: float, sharding: Sharding, rate: MeetingRate, options: NetworkOptions
) -> bool:
    """Too many repeated fillings for dealt-out work, or too few fillings to tell and users that overlap loosely."""
    loose = overlap < options.firm_jaccard or sharding.meetings[list(community.families)].sum() >= TELLING_MEETINGS
    return bool(public_texts(community, sharding, rate) > options.rate and loose)


def overlap_of(community: Community, ties: Ties, usage: Usage, family_of: Int64s) -> float:
    """Median Jaccard of the users of two families, over those that ties join within the community.

    `family_of` of each text: the wordings of one family divide its use between them, so that the users of any two of
    them overlap loosely whoever they are. Within a single family it is that of its tied wordings.
    """
    inside = np.isin(ties.left, community.families) & np.isin(ties.right, community.families)
    left, right = family_of[ties.left[inside]], family_of[ties.right[inside]]
    if not (left != right).any():
        return float(np.median(ties.jaccard[inside])) if inside.any() else 0.0
    own = np.array(community.families)
    users = {int(family): np.unique(usage.users(own[family_of[own] == family])) for family in np.unique(family_of[own])}
    pairs = np.unique(np.sort(np.stack([left, right], axis=1)[left != right], axis=1), axis=0)
    return float(np.median([_jaccard(users[one], users[other]) for one, other in pairs.tolist()]))


def _jaccard(one: Int32s, other: Int32s) -> float:
    """Of two sets."""
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both / (len(one) + len(other) - both)


def corroborate(
    community: Community,
    overlap: float,
    sharding: Sharding,
    rate: MeetingRate,
    observer: Observer,
    background: Background,
    parties: Parties,
    usage: Usage,
    seed: int,
    options: NetworkOptions,
) -> Corroborated:
    """Ask both explanations of one community; whether its conduct rules colleagues out is for `without_colleagues`."""
    own = list(community.families)
    public_p = public_texts(community, sharding, rate)
    judgement = judge(observer.conduct(own, one_family=False), background, against_programmes=False)
    unrepeated = sharding.meetings[own].sum() < TELLING_MEETINGS
    tight = overlap >= options.firm_jaccard
    dealt_out = judgement.p_value <= options.rate and (unrepeated or tight)
    succession = find_succession(*usage.lifetimes(own, sorted(community.parties)), seed)
    organisations = int(parties.declared[sorted(community.parties)].sum())
    different = organisations >= max(LEAST_ORGANISATIONS, ORGANISED_SHARE * len(community.parties))
    return Corroborated(
        community=community,
        public_p=public_p,
        overlap=overlap,
        judgement=judgement,
        succession=succession,
        organisations=organisations,
        public=looks_public(community, overlap, sharding, rate, options) and not dealt_out,
        apart=succession.p_value <= options.rate or different,
    )


def without_colleagues(found: Sequence[Corroborated], options: NetworkOptions) -> list[Corroborated]:
    """Conduct rules colleagues out where it survives Benjamini-Hochberg over all communities: many organisations that
    nobody declared must not give one false claim by their number. Of those who are no team, and may still be the users
    of one tool or the cohorts of one course, less is asked.
    """
    p_values = np.array([one.judgement.p_value for one in found])
    ruled_out = benjamini_hochberg(p_values, options.rate, len(found))
    ruled_out |= np.array([one.apart for one in found], bool) & (p_values <= options.doubt_rate)
    return [replace(one, colleagues=not out) for one, out in zip(found, ruled_out, strict=True)]
