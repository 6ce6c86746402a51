"""Figures → `Evidence`: each with a name, a value and one plain sentence that a reviewer reads.

A sentence says what was seen, what chance or the benign explanation would give, and never more than the figure holds.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from promptsim.networks.benign import Benign
from promptsim.networks.conduct import Background, Judgement
from promptsim.networks.corroboration import Corroborated
from promptsim.networks.evenness import Scatter
from promptsim.networks.groups import Group
from promptsim.networks.metadata import Link
from promptsim.networks.options import DAY, HOUR
from promptsim.networks.reference import Reference
from promptsim.networks.rhythm import Schedule
from promptsim.networks.sharding import Sharding
from promptsim.networks.succession import Succession
from promptsim.records import Evidence, Int64s

AS_DICE = 1.1  # times the scatter of dice, below which it is told as that of dice
CLAIMED = 0.05  # a figure with a larger p-value is not told as evidence


def number(value: float) -> str:
    """Short and honest: 264, 0.4, 3e-09."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2g}" if abs(value) < 10 else f"{value:.0f}"


def day(time: int) -> str:
    return datetime.fromtimestamp(time / 1e6, tz=UTC).strftime("%Y-%m-%d")


def least_of(count: int, times: Int64s) -> int:
    """How many of a community's families the co-use sentence asks for: half of them, or what half of the parties reach
    where that is less, and never fewer than two. `times`: of each party, how many it uses.
    """
    return max(2, min((count + 1) // 2, int(np.median(times))))


def co_use(count: int, times: Int64s, chance: float, p_value: float) -> Evidence:
    """How many parties use at least so many of a community's `count` families, and what chance would give."""
    least = least_of(count, times)
    seen = int((times >= least).sum())
    templates = f"{'at least ' if least < count else ''}{least} of these {count} templates"
    sentence = f"{seen:,} of {len(times):,} accounts use {templates}; chance would give {number(chance)}."
    return Evidence("co_use", seen, sentence, p_value)


def sharding(group: Group, figures: Sharding, benign: Benign) -> Evidence | None:
    """Do different accounts of the group's families repeat each other?"""
    own = list(group.families)
    meetings, pairs = float(figures.meetings[own].sum()), float(figures.pairs[own].sum())
    expected = pairs * benign.rate.mean
    if expected < 1:
        return None
    said = "no filling was" if meetings == 0 else f"{number(meetings)} pairs of requests were"
    sentence = (
        f"Among {number(float(figures.sendings[own].sum()))} requests {said} sent by two accounts; "
        f"independent users of a public text would make about {number(expected)} such pairs."
    )
    return Evidence(
        "repeated_fillings", meetings, sentence, float(np.prod([min(1.0, benign.public_p[f]) for f in own]))
    )


def schedule(claim: Judgement, what: str) -> Evidence:
    figures = claim.schedule
    sentence = (
        f"{figures.count} accounts send {what} apart from everything else they do, around the clock, "
        f"as a scheduler would; among as many people {number(figures.expected)} would look so."
    )
    return Evidence("scheduled_accounts", figures.count, sentence, claim.p_people)


def volume(claim: Judgement, background: Background) -> Evidence:
    scatter = claim.volume
    sentence = (
        f"The {scatter.parties} accounts send {_alike(scatter)} number of requests: "
        f"{scattered(scatter, background.volume)}."
    )
    return Evidence("even_volumes", round(scatter.observed, 3), sentence, claim.p_volume)


def share(claim: Judgement, background: Background, what: str) -> Evidence:
    scatter = claim.share
    sentence = (
        f"The share of {what} in what each of {scatter.parties} accounts sends is {_alike(scatter)}: "
        f"{scattered(scatter, background.share)}."
    )
    return Evidence("even_shares", round(scatter.observed, 3), sentence, claim.p_share)


def _alike(scatter: Scatter) -> str:
    return "nearly the same" if scatter.observed else "exactly the same"


def scattered(scatter: Scatter, reference: Reference) -> str:
    """How far it scatters, and how far independent users would."""
    seen = (
        f"the scatter is {number(scatter.observed)} times that of dice" if scatter.observed else "there is no scatter"
    )
    ordinary = scatter.ordinary(reference)
    usual = f"{number(ordinary)} times that of dice" if ordinary >= AS_DICE else "that of dice"
    return f"{seen}; between independent users it is about {usual}"


def claimed(claim: Judgement, background: Background, what: str = "this text") -> tuple[Evidence, ...]:
    """The evidence of the way by which the claim is made; evenness is told where it is evidence."""
    if claim.way == "instruction":
        return habit(claim, background), level(claim, background)
    even = [volume(claim, background), share(claim, background, what)]
    told = [line for line in even if (line.p_value or 0) <= CLAIMED]
    if claim.way == "schedule":
        strongest = sorted(told, key=lambda line: line.p_value or 0)[:1]
        return schedule(claim, what), *strongest
    return tuple(told)


def habit(claim: Judgement, background: Background) -> Evidence:
    place = claim.place if claim.place.tells else claim.wording
    what = "place of the text in the request" if claim.place.tells else "wording"
    sentence = (
        f"The {what} changes from request to request in every account alike (agreement within accounts "
        f"{number(place.correlation)}; people and tools keep to their own: {number(background.habit.centre)})."
    )
    return Evidence("no_habits", round(place.correlation, 3), sentence, claim.p_habit)


def level(claim: Judgement, background: Background) -> Evidence:
    borrowed = 1 / (1 + np.exp(background.level.centre))
    sentence = (
        f"The text stands in {claim.mean_share:.0%} of all that these accounts send; "
        f"people who borrow a text use it in about {borrowed:.0%}."
    )
    return Evidence("share_of_traffic", round(claim.mean_share, 3), sentence, claim.p_borrowers)


def succession(found: Succession) -> Evidence | None:
    if not found.hand_overs:
        return None
    steps = "; ".join(
        f"on {day(step.time)} {step.stopped} stop and {step.started} start ({step.spanning} go on), "
        f"recognised again after {step.relinked_after / HOUR:.1f} hours"
        for step in found.hand_overs
    )
    sentence = f"{found.pools} pools of accounts follow one another: {steps}."
    return Evidence("hand_overs", len(found.hand_overs), sentence, found.p_value)


def metadata(link: Link) -> Evidence | None:
    """Nothing where a value is so common that most would share it anyway: that tells neither for nor against."""
    if link.p_value > CLAIMED and link.expected > link.known / 2:
        return None
    sentence = (
        f"{link.linked} of {link.known} accounts share a value of {link.key} with another of the group; "
        f"chance would give {number(link.expected)}."
    )
    return Evidence(f"shared_{link.key}", link.linked, sentence, link.p_value)


def span(first: int, last: int, parties: int, accounts: int) -> Evidence:
    seats = "" if parties == accounts else f" ({parties:,} parties: seats of one organisation count once)"
    days = max(1, round((last - first) / DAY))
    return Evidence("accounts", accounts, f"{accounts:,} accounts{seats} over {days} days.")


def one_organisation(accounts: int, reason: str) -> Evidence:
    sentence = f"One organisation: {accounts:,} accounts share {reason}; counted as one party in every test."
    return Evidence("one_organisation", accounts, sentence)


def scheduled_seats(schedule: Schedule) -> Evidence:
    sentence = (
        f"{schedule.count} of its accounts send their texts as a scheduler would; among as many people "
        f"{number(schedule.expected)} would look so. If the operator does not know this organisation, look at it."
    )
    return Evidence("scheduled_seats", schedule.count, sentence, schedule.p_value)


def corroboration(found: Corroborated, background: Background) -> tuple[Evidence, ...]:
    """What tells the community from colleagues and from public texts of one topic, or that nothing does."""
    lines = []
    if found.organisations:
        sentence = (
            f"{found.organisations} of them declare an organisation, each a different one."
            if found.organisations > 1
            else "One of them declares an organisation, the others none."
        )
        lines.append(Evidence("different_organisations", found.organisations, sentence))
    if background.most_acting:
        sentence = (
            f"{background.most_acting:.0%} of the accounts of this traffic share texts with others beyond chance: "
            "what is ordinary was measured on all of them."
        )
        lines.append(Evidence("most_accounts_act_together", round(background.most_acting, 3), sentence))
    if found.colleagues:
        sentence = "May be colleagues or users of one tool: nothing in rhythm, volume or form tells them from people."
        lines.append(Evidence("may_be_colleagues", found.judgement.p_value, sentence, found.judgement.p_value))
    elif found.judgement.p_value <= CLAIMED:
        lines += claimed(found.judgement, background, "these texts")
    if found.public:
        sentence = "May be public texts of one topic: users overlap loosely, and too few fillings were sent to tell."
        lines.append(Evidence("may_be_public", round(found.overlap, 3), sentence, found.public_p))
    return tuple(lines)
