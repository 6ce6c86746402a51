"""What to plant: the campaigns and their sizes, as a frozen plan that a drill can vary."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ceil

from promptsim.errors import UsageError

# Kinds of campaign, in the order of their labels C1 to C9.
KINDS = ("hydra", "injected", "slow", "reworded", "evasive", "generators", "succession", "tiny", "forwarded")


@dataclass(frozen=True, slots=True)
class Campaign:
    """One planted campaign: so many accounts, each so many requests of its own, and a share of cover traffic.

    `cover` is the share of an account's traffic that is ordinary (dilution); `families` how many templates the
    campaign spreads its work over. `label` is given by the plan where it is empty.
    """

    kind: str
    accounts: int
    requests: int
    families: int = 1
    cover: float = 0.2
    label: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"no campaign {self.kind!r}; known are {', '.join(KINDS)}")
        if self.accounts < 1 or self.requests < 1 or self.families < 1 or not 0 <= self.cover < 1:
            raise UsageError(f"campaign {self.kind}: accounts, requests and families from 1, cover from 0 to below 1")

    @property
    def events(self) -> int:
        """What it sends, cover included."""
        return self.accounts * self.total

    @property
    def total(self) -> int:
        """What one of its accounts sends, cover included."""
        return ceil(self.requests / (1 - self.cover))


USUAL = (
    Campaign("hydra", accounts=20, requests=12, families=4, cover=0.4),
    Campaign("injected", accounts=12, requests=10, cover=0.2),
    Campaign("slow", accounts=8, requests=6, families=2, cover=0.75),
    Campaign("reworded", accounts=8, requests=14, cover=0.25),
    Campaign("evasive", accounts=8, requests=14, families=2, cover=0.25),
    Campaign("generators", accounts=6, requests=12, families=2, cover=0.15),
    Campaign("succession", accounts=15, requests=8, families=2, cover=0.2),
    Campaign("tiny", accounts=6, requests=12, cover=0.2),
    Campaign("forwarded", accounts=6, requests=8, cover=0.2),
)


@dataclass(frozen=True, slots=True)
class Benign:
    """Shares of the ordinary traffic, in events; what is left over is people without a template."""

    developers: float = 0.18
    public: float = 0.07
    benchmarks: float = 0.05
    classrooms: float = 0.02
    organisations: float = 0.03
    harness: float = 0.02
    retries: float = 0.02
    common: float = 0.03


@dataclass(frozen=True, slots=True)
class Plan:
    """Campaigns, benign look-alikes, and the period.

    `scale`: sizes are meant for 5,000 events, and the number of a campaign's accounts grows or shrinks with the
    events asked for (a tiny campaign stays tiny). `links`: accounts carry ip, payment and creation time as well, and
    those of a campaign share some of them.
    """

    campaigns: tuple[Campaign, ...] = USUAL
    benign: Benign = field(default_factory=Benign)
    days: int = 30
    scale: bool = True
    links: bool = False
    with_messages: float = 0.25

    @staticmethod
    def null(*, days: int = 30, links: bool = False) -> Plan:
        """Only benign traffic: whoever is flagged in it is flagged wrongly."""
        return Plan(campaigns=(), days=days, links=links)

    @staticmethod
    def drill(*campaigns: Campaign, days: int = 30, links: bool = False) -> Plan:
        """Exactly these campaigns, at exactly these sizes."""
        return Plan(campaigns=campaigns, days=days, scale=False, links=links)

    def sized(self, events: int) -> tuple[tuple[Campaign, ...], tuple[str, ...]]:
        """The campaigns with labels and at their size for so many events, and the labels that found no room."""
        labelled = _labelled(self.campaigns)
        if not self.scale:
            needed = sum(campaign.events for campaign in labelled)
            if needed > events:
                raise UsageError(f"the campaigns need {needed:,} events of {events:,}; ask for more events")
            return labelled, ()
        kept: list[Campaign] = []
        left_out: list[str] = []
        room = events // 2
        for campaign in labelled:
            grown = campaign if campaign.kind == "tiny" else replace(campaign, accounts=_grown(campaign, events))
            if grown.events <= room:
                kept.append(grown)
                room -= grown.events
            else:
                left_out.append(grown.label)
        return tuple(kept), tuple(left_out)


def _grown(campaign: Campaign, events: int) -> int:
    least = min(campaign.accounts, 6)
    return max(least, round(campaign.accounts * events / 5000))


def _labelled(campaigns: tuple[Campaign, ...]) -> tuple[Campaign, ...]:
    """C1 to C9 by kind; further campaigns of a kind are C1-2, C1-3 and so on."""
    labelled: list[Campaign] = []
    for campaign in campaigns:
        number = KINDS.index(campaign.kind) + 1
        before = sum(other.kind == campaign.kind for other in labelled)
        label = campaign.label or (f"C{number}-{before + 1}" if before else f"C{number}")
        labelled.append(replace(campaign, label=label))
    return tuple(labelled)
