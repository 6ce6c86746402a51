"""Families, members and activity → networks of accounts that act together beyond chance, or none.

    activity ─► parties ─► usage ─► benign explanations ─► family pairs ─► communities ─┐
                                                      └─► one-family claims ────────────┴─► groups ─► networks, findings

Pure: records in, records out. Every step is a module of this room; docs/networks.md states the null models.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from promptsim.networks import narrative
from promptsim.networks.benign import Benign, explain
from promptsim.networks.communities import Community, eligible_families, find_communities
from promptsim.networks.conduct import Background
from promptsim.networks.corroboration import corroborate, looks_public, overlap_of, without_colleagues
from promptsim.networks.couse import ChanceOfBoth, Ties, benjamini_hochberg, find_ties, incidence
from promptsim.networks.explanations import Explanations
from promptsim.networks.findings import Part, doubtful_score, find_accounts, find_families, flagged_score
from promptsim.networks.forms import of_one_text
from promptsim.networks.groups import Group, attach_fragments, form_groups
from promptsim.networks.identity import name_networks
from promptsim.networks.metadata import MetadataIndex, combined
from promptsim.networks.options import NetworkOptions
from promptsim.networks.organisations import Organisation, find_organisations, seats_on_schedule
from promptsim.networks.parties import Parties, group_parties
from promptsim.networks.sharding import Sharding, measure_sharding
from promptsim.networks.solo import Observer, SoloClaim
from promptsim.networks.succession import find_succession
from promptsim.networks.units import Units, split_wordings
from promptsim.networks.usage import Sendings, Usage, among, measure_usage, sendings_of
from promptsim.records import Activity, Bools, Evidence, Family, Int64s, Members, Network, NetworkSet


@dataclass(frozen=True, slots=True)
class _Case:
    """What the steps know, for writing the result."""

    units: Units
    activity: Activity
    number_of: Mapping[str, int]  # of each account, in the activity
    parties: Parties
    usage: Usage
    sharding: Sharding
    benign: Benign
    ties: Ties
    chance: ChanceOfBoth
    background: Background
    metadata: MetadataIndex
    options: NetworkOptions
    seed: int


def link(
    families: Sequence[Family],
    members: Members,
    activity: Activity,
    *,
    options: NetworkOptions | None = None,
    seed: int = 0,
    previous: Sequence[Network] = (),
    sendings: Sendings | None = None,
) -> NetworkSet:
    """Find networks. `previous` are those of the run before: a network that goes on keeps its id. `sendings` are those
    of the activity, if somebody has put them in order already.
    """
    options = options or NetworkOptions()
    units = split_wordings(families, members)
    parties = group_parties(activity, options)
    usage = measure_usage(units.texts, units.members, sendings or sendings_of(activity), parties)
    sharding = measure_sharding(usage)
    benign = explain(units.texts, usage, sharding, options)
    eligible = eligible_families(usage.family_parties, benign.excluded, options)
    with ThreadPoolExecutor(1) as pool:  # one counts in compiled loops, the other in Python: they hardly wait
        tying = pool.submit(find_ties, usage, eligible, benign.public, options)
        observer = Observer(units, usage, sharding, benign, options)
        ties = tying.result()
    ties = ties.without(of_one_text(units.texts, ties.left, ties.right))
    communities = find_communities(usage, ties, options, seed)
    overlaps = [overlap_of(one, ties, usage, units.family_of) for one in communities]
    told = list(zip(communities, overlaps, strict=True))
    odd = [one for one, overlap in told if not looks_public(one, overlap, sharding, benign.rate, options)]
    acting = among({party for one in odd for party in one.parties}, parties.count)
    background = observer.background(_mark(len(units.texts), odd), acting)
    asked = [
        corroborate(one, overlap, sharding, benign.rate, observer, background, parties, usage, seed, options)
        for one, overlap in told
    ]
    known = without_colleagues(asked, options)
    tied = _mark(len(units.texts), [one.community for one in known if one.claimed])
    doubted = _mark(len(units.texts), [one.community for one in known if not one.claimed])
    metadata = MetadataIndex(activity)
    claims = [_with_metadata(claim, usage, metadata, options) for claim in observer.claims(tied, doubted, background)]
    kept = benjamini_hochberg(np.array([claim.p_value for claim in claims]), options.rate, len(claims))
    groups = form_groups(usage, known, ties, [c for c, keep in zip(claims, kept, strict=True) if keep], options)
    groups = attach_fragments(usage, groups, _attachable(benign), options)
    degrees = np.diff(incidence(usage, eligible).indptr).astype(np.int64)
    chance = ChanceOfBoth(degrees, usage.family_parties[eligible])
    case = _Case(
        units=units,
        activity=activity,
        number_of={name: account for account, name in enumerate(activity.accounts)},
        parties=parties,
        usage=usage,
        sharding=sharding,
        benign=benign,
        ties=ties,
        chance=chance,
        background=background,
        metadata=metadata,
        options=options,
        seed=seed,
    )
    return _result(case, groups, claims, previous)


def _mark(count: int, communities: Sequence[Community]) -> Bools:
    """The families that these communities tie."""
    return among([text for community in communities for text in community.families], count)


def _attachable(benign: Benign) -> Bools:
    """Families that may prove to be a network's own by their users, be the words plain or the fillings equal."""
    return np.asarray(~(benign.burst | benign.listed | benign.single_party))


def _with_metadata(claim: SoloClaim, usage: Usage, metadata: MetadataIndex, options: NetworkOptions) -> SoloClaim:
    """Shared rare metadata may strengthen what conduct says already (Fisher's combination, doubled for the choice); it
    makes no claim by itself, and never weakens one.
    """
    if not metadata.known:
        return claim
    rows = np.concatenate([np.arange(usage.starts[at], usage.starts[at + 1]) for at in claim.families])
    accounts = np.unique(usage.account[rows][among(claim.parties, usage.party_count)[usage.party[rows]]])
    extra = combined(metadata.links(accounts.tolist()))
    if extra is None or max(extra, claim.p_value) > options.doubt_rate:
        return claim
    product = max(claim.p_value * extra, 1e-300)
    return replace(claim, p_value=min(claim.p_value, 2 * product * (1 - float(np.log(product)))))


def _result(
    case: _Case,
    groups: Sequence[Group],
    claims: Sequence[SoloClaim],
    previous: Sequence[Network],
) -> NetworkSet:
    organisations = find_organisations(case.units.texts, case.usage, case.parties, case.options)
    members = [_accounts(case, group) for group in groups]
    sets = [tuple(accounts) for accounts in members] + [org.account_ids(case.activity) for org in organisations]
    names = name_networks(sets, previous)
    networks = [_network(case, *row) for row in zip(groups, members, names[: len(groups)], strict=True)]
    networks += [_shown(case, org, name) for org, name in zip(organisations, names[len(groups) :], strict=True)]
    networks.sort(key=lambda network: (-network.score, network.network_id))
    owned = {name: (*group.families, *group.attached) for name, group in zip(names, groups, strict=False)}
    owned |= {name: org.families for name, org in zip(names[len(groups) :], organisations, strict=True)}
    inside = frozenset(party for group in groups if group.flagged for party in group.parties)
    found = find_families(case.units, case.usage, case.benign, networks, owned, claims, inside)
    cuts = {
        "parties_over_max_degree": case.ties.cut_parties,
        "metadata_values_too_common_for_a_party": case.parties.ignored,
        "retries_left_out": case.usage.retries,
    }
    return NetworkSet(tuple(networks), found, find_accounts(networks, dict(zip(names, members, strict=False))), cuts)


def _accounts(case: _Case, group: Group) -> dict[str, Part]:
    """The accounts of the group's parties that themselves used its families, and how much."""
    usage, parties = case.usage, sorted(group.strength)
    uses: Counter[int] = Counter()
    texts: Counter[int] = Counter()
    inside = among(parties, usage.party_count)
    for family in group.families:
        rows = usage.rows(family)
        mine = inside[usage.party[rows]]
        sent = Counter(usage.account[rows][mine].tolist())
        uses.update(sent)
        texts.update(sent.keys())
    found = {
        case.activity.accounts[account]: Part(
            strength=round(group.strength[int(case.parties.of[account])], 4),
            uses=uses[account],
            texts=texts[account],
            of_texts=len(group.families),
            requests=int(usage.account_events[account]),
        )
        for account in uses
    }
    return dict(sorted(found.items()))


def _network(case: _Case, group: Group, accounts: dict[str, Part], name: str) -> Network:
    first, last = case.usage.lifetimes(group.families, sorted(group.strength))
    return Network(
        network_id=name,
        account_ids=tuple(accounts),
        family_ids=_family_ids(case.units, (*group.families, *group.attached)),
        first_seen=int(first.min()),
        last_seen=int(last.max()),
        flagged=group.flagged,
        score=round(flagged_score(group.p_value) if group.flagged else doubtful_score(group.p_value), 6),
        p_value=group.p_value,
        evidence=_evidence(case, group, accounts, first, last),
        membership={name: part.strength for name, part in accounts.items()},
    )


def _family_ids(units: Units, texts: Sequence[int]) -> tuple[str, ...]:
    """Their families, each once, in their order."""
    return tuple(dict.fromkeys(units.texts[text].family_id for text in texts))


def _texts_used(case: _Case, group: Group) -> Int64s:
    """For each party of the group, how many of its texts it uses."""
    parties = np.array(sorted(group.strength), np.int64)
    users = case.usage.users(group.families)
    party = np.searchsorted(parties, users[np.isin(users, parties)])
    return np.bincount(party, minlength=len(parties)).astype(np.int64)


def _evidence(
    case: _Case, group: Group, accounts: dict[str, Part], first: Int64s, last: Int64s
) -> tuple[Evidence, ...]:
    numbers = np.array(sorted(case.number_of[name] for name in accounts))
    lines: list[Evidence | None] = [
        narrative.span(int(first.min()), int(last.max()), len(group.strength), len(accounts)),
        _co_use(case, group),
        narrative.sharding(group, case.sharding, case.benign),
    ]
    for claim in group.claims:
        lines += narrative.claimed(claim.judgement, case.background)
    if group.corroborated is not None:
        lines += narrative.corroboration(group.corroborated, case.background)
    lines.append(narrative.succession(find_succession(first, last, case.seed)))
    lines += [narrative.metadata(found) for found in case.metadata.links(numbers.tolist())]
    lines += Explanations(case.usage, case.sharding, case.options).of(group)
    return tuple(line for line in lines if line is not None)


def _co_use(case: _Case, group: Group) -> Evidence | None:
    """With the parties that chance would let use as many of the community's families as the sentence names."""
    if group.community is None:
        return None
    times = _texts_used(case, group)
    sizes = case.usage.family_parties[list(group.community.families)]
    chance = case.chance.at_least(sizes, narrative.least_of(len(sizes), times))
    return narrative.co_use(len(sizes), times, chance, group.p_value)


def _shown(case: _Case, organisation: Organisation, name: str) -> Network:
    """An organisation: grouped and shown as one party, never flagged for being one."""
    accounts = organisation.account_ids(case.activity)
    schedule = seats_on_schedule(organisation, case.usage, case.background.people)
    on_schedule = schedule.p_value <= case.options.rate
    evidence = [narrative.one_organisation(len(accounts), organisation.reason)]
    if on_schedule:
        evidence.append(narrative.scheduled_seats(schedule))
    return Network(
        network_id=name,
        account_ids=accounts,
        family_ids=_family_ids(case.units, organisation.families),
        first_seen=organisation.first,
        last_seen=organisation.last,
        flagged=False,
        score=round(doubtful_score(schedule.p_value), 6) if on_schedule else 0.0,
        p_value=None,
        evidence=tuple(evidence),
        membership=dict.fromkeys(accounts, 1.0),
    )
