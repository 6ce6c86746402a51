"""The planted campaigns: pools of accounts that send the fillings of fixed instructions, each in its own manner.

Payloads are sharded: no two accounts of a campaign are given the same one. Accounts work around the clock; those that
inject an instruction into people's prompts, and low and slow ones, keep the hours and sittings of people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from promptsim.simulate import clock
from promptsim.simulate.benign import HARNESS, say_something
from promptsim.simulate.disguise import disguised
from promptsim.simulate.language import Voice, organic, payload, short_payload
from promptsim.simulate.ledger import Account, Ledger
from promptsim.simulate.plan import KINDS, Campaign
from promptsim.simulate.templates import Template, injection, instruction, wordings

WORDINGS = 24
POOLS = 3
PASSING_AS_PEOPLE = ("injected", "slow")


class Crew:
    """One campaign at work: its accounts, its unsent payloads, and what it writes into the ledger."""

    def __init__(self, ledger: Ledger, voice: Voice, campaign: Campaign, days: int) -> None:
        self.ledger = ledger
        self.voice = voice
        self.campaign = campaign
        self.days = days
        self.label = campaign.label
        self.role = campaign.label.lower().split("-")[0]
        self.first = voice.random.random() * days / 5
        self._used: set[str] = set()
        self.accounts = [self._account() for _ in range(campaign.accounts)]

    def _account(self) -> Account:
        zone = clock.ZONES[self.voice.between(0, len(clock.ZONES) - 1)]
        return self.ledger.account(self.voice, f"campaign_{self.label}", self.label, zone=zone)

    def family(self, number: int, template_text: str, kind: str = "") -> str:
        """Note one of the campaign's families; its name."""
        name = f"{self.label}_f{number}"
        return self.ledger.family(name, kind or f"campaign_{self.label}", template_text, self.label)

    def payload(self) -> str:
        """A filling that no account of this campaign was given before."""
        while (drawn := payload(self.voice)) in self._used:
            continue
        self._used.add(drawn)
        return drawn

    def moment(self, account: Account) -> int:
        """Any moment of the campaign, or of the turn of the account's pool; a person's where it passes as people."""
        if self.campaign.kind in PASSING_AS_PEOPLE:
            return clock.next_of(self.voice, account, int(self.first), self.days)
        if account.pool:
            span = (self.days - self.first) / POOLS
            begin = self.first + (account.pool - 1) * span
            return clock.machine(self.voice, begin, begin + span)
        return clock.machine(self.voice, self.first, self.days)

    def work(self) -> Iterator[tuple[Account, int, int]]:
        """Each request of each account: (account, its time, which family); cover traffic is sent on the way."""
        for account in self.accounts:
            for _ in range(self.campaign.total - self.campaign.requests):
                say_something(self.ledger, self.voice, account, self.moment(account), campaign_cover=True)
            for _ in range(self.campaign.requests):
                yield account, self.moment(account), self.voice.between(0, self.campaign.families - 1)

    def fill(
        self, account: Account, time: int, template: Template, filling: str, number: int, detail: str = ""
    ) -> None:
        """Send one filled template of this campaign."""
        role = f"{self.role}:{detail}" if detail else self.role
        family = f"{self.label}_f{number}"
        self.ledger.fill(account, time, template, filling, role, family, self.label)


def plant(ledger: Ledger, voice: Voice, campaign: Campaign, days: int, harness: Template) -> None:
    """Write one campaign into the ledger."""
    crew = Crew(ledger, voice, campaign, days)
    if campaign.kind == "forwarded":
        _forwarded(crew, harness)
    else:
        _MANNERS[campaign.kind](crew)


def _fixed(crew: Crew) -> None:
    """Hydra, low-and-slow, tiny: fixed templates, sharded payloads. They differ in size, pace and cover."""
    templates = [instruction(crew.voice) for _ in range(crew.campaign.families)]
    for number, template in enumerate(templates):
        crew.family(number, template.text)
    for account, time, number in crew.work():
        crew.fill(account, time, templates[number], crew.payload(), number)


def _injected(crew: Crew) -> None:
    """One paragraph set before, behind or in the middle of prompts that anyone could have written."""
    paragraphs = [injection(crew.voice) for _ in range(crew.campaign.families)]
    for number, paragraph in enumerate(paragraphs):
        crew.family(number, paragraph)
    for account, time, number in crew.work():
        place = crew.voice.pick(("prefix", "suffix", "infix"))
        text = _with(crew.voice, organic(crew.voice), paragraphs[number], place)
        family = f"{crew.label}_f{number}"
        crew.ledger.say(account, time, text, f"{crew.role}:{place}", family=family, campaign=crew.label)


def _with(voice: Voice, prompt: str, paragraph: str, place: str) -> str:
    if place == "prefix":
        return f"{paragraph}\n\n{prompt}"
    if place == "suffix":
        return f"{prompt}\n\n{paragraph}"
    return f"{prompt}\n\n{paragraph}\n\n{organic(voice)}"


def _reworded(crew: Crew) -> None:
    """The same instruction in two dozen wordings, drawn anew for each request."""
    said = [wordings(crew.voice, WORDINGS) for _ in range(crew.campaign.families)]
    for number, ways in enumerate(said):
        crew.family(number, ways[0].text)
    for account, time, number in crew.work():
        which = crew.voice.between(0, WORDINGS - 1)
        crew.fill(account, time, said[number][which], crew.payload(), number, f"w{which:02}")


def _evasive(crew: Crew) -> None:
    """Fixed templates whose every filling is disguised at random."""
    templates = [instruction(crew.voice) for _ in range(crew.campaign.families)]
    for number, template in enumerate(templates):
        crew.family(number, template.text)
    for account, time, number in crew.work():
        text, manner = disguised(crew.voice, templates[number].filled(crew.payload()))
        family = f"{crew.label}_f{number}"
        crew.ledger.say(account, time, text, f"{crew.role}:{manner}", family=family, campaign=crew.label)


def _generators(crew: Crew) -> None:
    """Programs that ask for more of the same: a fixed order and a few sampled seed tasks."""
    voice = crew.voice
    orders = [instruction(voice) for _ in range(crew.campaign.families)]
    seeds = [short_payload(voice) for _ in range(60)]
    for number, order in enumerate(orders):
        crew.family(number, order.text)
    for account, time, number in crew.work():
        many = voice.between(3, 5)
        drawn = voice.random.sample(seeds, many)
        listed = "\n".join(f"{place}. {task}" for place, task in enumerate(drawn, 1))
        crew.fill(account, time, orders[number], f"{listed}\n{many + 1}.", number)


def _succession(crew: Crew) -> None:
    """Three pools, one after another, with the same templates."""
    for place, account in enumerate(crew.accounts):
        account.pool = 1 + place * POOLS // len(crew.accounts)
    _fixed(crew)


def _forwarded(crew: Crew, harness: Template) -> None:
    """Accounts that forward others' requests under a harness prompt which innocents use too."""
    crew.ledger.family(HARNESS, "shared_harness", harness.text)
    for account, time, _ in crew.work():
        crew.ledger.fill(account, time, harness, organic(crew.voice), crew.role, HARNESS, crew.label)


_MANNERS: dict[str, Callable[[Crew], None]] = {
    "hydra": _fixed,
    "slow": _fixed,
    "tiny": _fixed,
    "injected": _injected,
    "reworded": _reworded,
    "evasive": _evasive,
    "generators": _generators,
    "succession": _succession,
}
assert {*_MANNERS, "forwarded"} == set(KINDS)
