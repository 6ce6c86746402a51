"""Groups, claims and benign explanations → a `Finding` for every family and for every account of a network.

Scores rank: flagged families first (by the strength of their network), then families that members of flagged networks
use, then families that were tested and are in doubt, then the rest; what a benign explanation covers comes last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from promptsim.networks.benign import Benign
from promptsim.networks.solo import SoloClaim
from promptsim.networks.units import Units
from promptsim.networks.usage import Usage
from promptsim.records import Bools, Evidence, Finding, Network

FLAGGED_FROM = 0.5  # every flagged score lies above, every other below
COVERED = 0.05  # what is left of a score when a benign explanation covers the family


def strength(p_value: float) -> float:
    """0 at p = 1, a half at 1e-6, towards 1 beyond."""
    evidence = -np.log10(max(p_value, 1e-300))
    return float(evidence / (evidence + 6))


def flagged_score(p_value: float) -> float:
    return FLAGGED_FROM + (1 - FLAGGED_FROM) * strength(p_value)


def doubtful_score(p_value: float) -> float:
    """Of what is shown and not flagged: below every flagged score, above what has no evidence at all."""
    return 0.8 * FLAGGED_FROM * strength(p_value)


def find_families(
    units: Units,
    usage: Usage,
    benign: Benign,
    networks: Sequence[Network],
    texts_of: Mapping[str, Sequence[int]],
    claims: Sequence[SoloClaim],
    flagged_parties: frozenset[int],
) -> dict[str, Finding]:
    """`texts_of` gives a network's own and attached texts; a family is flagged when one of its texts is."""
    held: dict[int, list[Network]] = {}
    for network in networks:
        for family in sorted({int(units.family_of[text]) for text in texts_of[network.network_id]}):
            held.setdefault(family, []).append(network)
    tested: dict[int, float] = {}
    for claim in claims:
        family = int(units.family_of[claim.families[0]])
        tested[family] = min(claim.p_value, tested.get(family, 1.0))
    shares = _shares_in(units, usage, flagged_parties).tolist()
    leading = _leading_texts(units, usage)
    covered = ((benign.excluded | benign.public) & ~benign.single_party).tolist()
    explanations = _explanations(benign)
    found = {}
    for at, record in enumerate(units.families):
        mine = held.get(at, [])
        flags = [network for network in mine if network.flagged]
        p_value = min((network.p_value for network in flags if network.p_value is not None), default=tested.get(at))
        score = max((network.score for network in flags), default=0.0)
        found[record.family_id] = Finding(
            subject_id=record.family_id,
            flagged=bool(flags),
            score=round(score or _unflagged_score(p_value, shares[at], covered[leading[at]]), 6),
            p_value=p_value,
            evidence=_family_evidence(
                leading[at],
                _users(units, usage, at) if flags else frozenset(),
                flagged_parties,
                usage,
                explanations,
                flags,
            ),
            network_ids=tuple(network.network_id for network in mine),
        )
    return found


def _leading_texts(units: Units, usage: Usage) -> list[int]:
    """The most used text of each family."""
    leading: dict[int, int] = {}
    events = np.diff(usage.starts)
    for text, family in enumerate(units.family_of.tolist()):
        if family not in leading or events[text] > events[leading[family]]:
            leading[family] = text
    return [leading[at] for at in range(len(units.families))]


def _unflagged_score(p_value: float | None, flagged_share: float, covered: bool) -> float:
    doubt = 0.0 if p_value is None else 0.5 * strength(p_value)
    score = FLAGGED_FROM * min(0.98, max(0.02, flagged_share * 0.9, doubt))
    return score * COVERED if covered else score


def _users(units: Units, usage: Usage, family: int) -> frozenset[int]:
    """The parties that use any text of the family."""
    return frozenset(usage.users(units.of(family)).tolist())


def _family_evidence(
    at: int,
    users: frozenset[int],
    flagged_parties: frozenset[int],
    usage: Usage,
    explanations: Sequence[tuple[Sequence[bool], Evidence]],
    flags: Sequence[Network],
) -> tuple[Evidence, ...]:
    lines: list[Evidence] = []
    if flags:
        networks = ", ".join(network.network_id for network in flags)
        inside = len(users & flagged_parties)
        sentence = f"{inside:,} of the {len(users):,} accounts that use it belong to {networks}: see there."
        lines.append(Evidence("accounts_in_networks", inside, sentence))
    elif usage.family_parties[at] < 2:
        lines.append(Evidence("single_party", 1, "Used by one party only: an application or one organisation."))
    return (*lines, *(line for holds, line in explanations if holds[at]))


def _explanations(benign: Benign) -> list[tuple[list[bool], Evidence]]:
    """Which families each benign explanation covers, and how that is told."""
    return [
        (holds.tolist(), Evidence(name, True, sentence))
        for name, holds, sentence in (
            ("question_set", benign.question_set, "A question set: most accounts send the same fillings."),
            ("burst", benign.burst, "One burst of a few requests each, as of a class with one task."),
            ("public", benign.public, "Fillings repeat between accounts as those of a public text do."),
            ("commonplace", benign.commonplace, "Commonplace text: anyone writes it."),
            ("listed", benign.listed, "On the operator's list of public templates."),
        )
    ]


@dataclass(frozen=True, slots=True)
class Part:
    """What one account has to do with a network: its strength there, and its requests with the network's texts."""

    strength: float
    uses: int
    texts: int
    of_texts: int  # the network has
    requests: int  # all that it sent

    def said(self, network_id: str) -> str:
        """One sentence."""
        texts = "the text" if self.of_texts == 1 else f"{self.texts} of the {self.of_texts} texts"
        return (
            f"{self.uses:,} of its {self.requests:,} requests use {texts} of {network_id}; "
            f"strength of membership {self.strength:.2f}."
        )


def find_accounts(networks: Sequence[Network], parts: Mapping[str, Mapping[str, Part]]) -> dict[str, Finding]:
    """One finding for each account of a network: of its strongest, flagged ones before others. `parts`: by network
    and account, for networks that are no organisations.
    """
    found: dict[str, Finding] = {}
    for network in sorted(networks, key=lambda network: (network.flagged, network.score, network.network_id)):
        base = FLAGGED_FROM if network.flagged else 0.0
        known = parts.get(network.network_id, {})
        for account in network.account_ids:
            share = network.membership.get(account, 1.0)
            before = found.get(account)
            ids = (network.network_id, *(before.network_ids if before else ()))
            sentence = f"Belongs to {network.network_id}, one organisation."
            if account in known:
                sentence = known[account].said(network.network_id)
            evidence = (Evidence("membership", round(share, 4), sentence),)
            score = round(base + (network.score - base) * share, 6)
            found[account] = Finding(account, network.flagged, score, network.p_value, evidence, ids)
    return dict(sorted(found.items()))


def _shares_in(units: Units, usage: Usage, parties: frozenset[int]) -> npt.NDArray[np.float64]:
    """For each family, the share of the users of its texts that are among these parties."""
    inside: Bools = np.zeros(usage.party_count, bool)
    inside[sorted(parties)] = True
    family = units.family_of[usage.pair_family]
    hits = np.bincount(family, weights=inside[usage.pair_party], minlength=len(units.families))
    users = np.bincount(family, minlength=len(units.families))
    return np.asarray(hits / np.maximum(users, 1), np.float64)
