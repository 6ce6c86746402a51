"""What a networks run may be told: one frozen record; every default is written down in docs/networks.md.

The rates are error rates against stated null models. The sizes say from where on a figure is worth computing.
Nothing here is a threshold on how much an account sends.
"""

from __future__ import annotations

from dataclasses import dataclass

HOUR = 3_600_000_000  # times are microseconds since 1970
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """Defaults for every size of traffic; the same for all."""

    rate: float = 0.01  # Benjamini-Hochberg over all family pairs, and again over all one-family claims; a benign
    # explanation of a community, or borrowers without habits, are ruled out from here down
    doubt_rate: float = 0.05  # what conduct alone must reach where metadata or a hand-over speak for the claim too
    min_shared: int = 3  # parties that must use both families of a tie
    min_lift: float = 5.0  # shared parties against what chance gives
    min_jaccard: float = 0.2  # shared parties against parties that use either
    firm_jaccard: float = (
        0.5  # what a tie needs where both families behave as public texts do, or where the lift is small
    )
    firm_lift: float = 1.5  # the least lift of all
    resolution: float = 0.1  # Leiden, constant Potts model
    core_share: float = 0.5  # a family is a network's own when the core makes up this share of its parties
    min_parties: int = 3  # a network has at least so many parties
    min_solo_parties: int = 4  # … and one that rests on a single family at least so many
    min_solo_events: int = 40  # events that a one-family claim needs in all: below, its figures say nothing
    max_commonplace: float = 0.5  # families above this support no claim
    max_overlap: float = 0.5  # families whose parties mostly send the same fillings are question sets, not sharded work
    min_fixed_words: int = (
        20  # fixed text that nobody writes twice by accident (one-family claims from place and wording)
    )
    max_party_share: float = 0.5  # a metadata value that more than this share of accounts carries names no party
    max_degree: int = 2_000  # families of one party that enter the co-use products; more are cut, and counted
    max_acting_share: float = 0.5  # where more parties than this act together, what they do is ordinary too
    min_reference_parties: int = 5  # a family that shows what is ordinary has at least so many regular users
    public_templates: frozenset[str] = frozenset()  # family ids or texts known to be public (`known`): they tie nobody
