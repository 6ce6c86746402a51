"""Rows of usage → how the parties behind them behave, and whether independent users could behave so.

Whether accounts are run as one is asked of one family (`solo`) or of all families of a community (`corroboration`). A
claim must rule out two kinds of independent users, so its p-value is the larger of two (an intersection-union test);
there are three ways to rule both out, so the smallest is tripled:
  schedule:    people would use it in sittings (`rhythm`), independent programmes would differ (`evenness`);
  instruction: people and tools would keep to one form (`habit`), borrowers would use it now and then (its share);
  allotment:   people and programmes would differ in volume, and they would differ in share (`evenness`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from numba import njit

from promptsim.networks.evenness import (
    SHARE_PRIOR,
    VOLUME_PRIOR,
    Scatter,
    fit_scatter,
    more_even,
    share_scatter,
    volume_scatter,
)
from promptsim.networks.figures import Figures, figures_of
from promptsim.networks.habit import HABIT_PRIOR, Habit, measure_habit
from promptsim.networks.laws import beta_binomial, binomial
from promptsim.networks.reference import Prior, Reference, fit_reference
from promptsim.networks.rhythm import HOURS_PRIOR, Hours, People, Schedule, assess_schedule, measure_hours
from promptsim.networks.usage import REGULAR, Usage
from promptsim.records import Int64s

Doubles = npt.NDArray[np.float64]

LEVEL_PRIOR = Prior(centre=-0.85, spread=0.4)  # logit of the share that a borrowed text has in what its users send
PEOPLE_ODDS = 0.05  # odds of a scheduler against a person from which down a party counts as a person
PEOPLE_SHARE = 0.15  # of the regular parties; fewer are the tail of the scheduled ones
RULED_OUT = 0.01  # borrowers without habits are ruled out from here down: what is ordinary knows hardly any
ODD = 0.01  # families whose habits are rarer than this do not say what borrowers do
MANY_TEXTS = 200  # of the reference: beyond, leaving one out moves no median
SHEER = 1e-12  # no p-value from conduct is believed beyond this
UNKNOWN = Habit(0.0, 1.0, 1.0, 0)

Way = Literal["schedule", "instruction", "allotment"]


@dataclass(frozen=True, slots=True)
class Conduct:
    """What the figures of the parties behind some rows come to."""

    figures: Figures
    volume: Scatter
    share: Scatter
    level: float  # logit of the share that the text has in what its regular parties send
    level_error: float
    long_text: bool
    hours: Hours
    place: Habit
    wording: Habit


@dataclass(frozen=True, slots=True)
class Background:
    """What is ordinary in this traffic: people's rhythm and hours, scatter of volumes and shares, and habits.

    `conducts` are those of the reference texts; `most_acting` is the share of the parties that act together, where it
    is so large that they were not left out of the reference (0 otherwise).
    """

    conducts: Mapping[int, Conduct] = field(repr=False, compare=False)
    people: People
    hours: Reference
    volume: Reference
    share: Reference
    level: Reference
    habit: Reference
    most_acting: float = 0.0

    def without(self, texts: Collection[int]) -> Background:
        """The same, but these texts are no measure of their own scatter: where few texts tell, one that is dealt out
        would hide itself. One among very many moves no median.
        """
        if len(self.conducts) > MANY_TEXTS or not any(text in self.conducts for text in texts):
            return self
        left = [conduct for text, conduct in self.conducts.items() if text not in texts]
        volume, share = _scatters(left)
        return replace(self, volume=volume, share=share)


@dataclass(frozen=True, slots=True)
class Judgement:
    """By which way independent users are ruled out, for which parties, with which p-values and figures."""

    way: Way
    parties: tuple[int, ...]
    people: frozenset[int]  # parties that behave as people do where the claim is that a scheduler does
    p_value: float
    p_people: float
    p_programmes: float
    p_habit: float
    p_borrowers: float
    p_volume: float
    p_share: float
    schedule: Schedule
    volume: Scatter
    share: Scatter
    mean_share: float
    place: Habit
    wording: Habit


def observe(usage: Usage, rows: Int64s | slice, long_text: bool, with_wording: bool = False) -> Conduct:
    """Take all figures of these rows. Place and wording tell something of long texts only.

    `with_wording`: the rows are wordings of one family, and who mixes them tells something too.
    """
    figures = figures_of(usage, rows)
    level, level_error = _level(figures)
    place = usage.place[rows] if usage.place is not None and long_text else None
    return Conduct(
        figures=figures,
        volume=volume_scatter(figures.uses),
        share=share_scatter(figures.uses, figures.total),
        level=level,
        level_error=level_error,
        long_text=long_text,
        hours=measure_hours(figures),
        place=UNKNOWN if place is None else measure_habit(usage.party[rows], place),
        wording=measure_habit(usage.party[rows], usage.family[rows]) if long_text and with_wording else UNKNOWN,
    )


def level_of(usage: Usage, rows: Int64s | slice) -> float:
    """`Conduct.level` of these rows by itself."""
    return _level(figures_of(usage, rows))[0]


def without_shares(conduct: Conduct) -> Conduct:
    """The same where shares say nothing: as if the parties sent nothing else."""
    alone = replace(conduct.figures, total=conduct.figures.uses)
    return replace(conduct, figures=alone, share=share_scatter(alone.uses, alone.total))


def _level(figures: Figures) -> tuple[float, float]:
    """Logit of the mean share among regular parties, with its standard error."""
    level, error = _logit_of_share(figures.uses, figures.total)
    return level, error


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _logit_of_share(uses: Any, total: Any) -> tuple[float, float]:
    shares = uses / np.maximum(total, 1)
    regular = uses >= REGULAR
    if regular.any():
        shares = shares[regular]
    mean = min(max(shares.mean(), 0.001), 0.999)
    error = shares.std() / np.sqrt(len(shares)) / (mean * (1 - mean)) if len(shares) >= 3 else 1.0
    return np.log(mean / (1 - mean)), error


def fit_background(people: People, reference: Mapping[int, Conduct]) -> Background:
    """What is ordinary, over the reference families.

    How much borrowers use a text is taken from families whose users keep to their forms: the two figures have nothing
    to do with each other among independent users, and a moving instruction must not be its own reference.
    """
    conducts = list(reference.values())
    hours = [c.hours.concentration for c in conducts if c.hours.parties >= 5]
    habits = [habit for c in conducts for habit in (c.place, c.wording) if habit.tells]
    habit = fit_reference([h.correlation for h in habits], [h.error for h in habits], HABIT_PRIOR)
    borrowed = [c for c in conducts if c.long_text and min(_habit_p(h, habit) for h in (c.place, c.wording)) > ODD]
    levels = [(-c.level, c.level_error) for c in borrowed]
    volume, share = _scatters(conducts)
    return Background(
        conducts=reference,
        people=people,
        hours=fit_reference(hours, np.zeros(len(hours)), HOURS_PRIOR),
        volume=volume,
        share=share,
        level=fit_reference(
            [x for x, _ in levels], [error for _, error in levels], Prior(-LEVEL_PRIOR.centre, LEVEL_PRIOR.spread)
        ),
        habit=habit,
    )


def _scatters(conducts: Sequence[Conduct]) -> tuple[Reference, Reference]:
    """Of volumes, and of shares."""
    volumes, shares = [conduct.volume for conduct in conducts], [conduct.share for conduct in conducts]
    return fit_scatter(volumes, VOLUME_PRIOR), fit_scatter(shares, SHARE_PRIOR)


def judge(conduct: Conduct, background: Background, *, against_programmes: bool = True) -> Judgement:
    """Compare with the background by all three ways and keep the strongest.

    Parties that are known to share several texts cannot be programmes that know nothing of each other: then only
    people have to be ruled out (`against_programmes` False), and evenness of volume does that by itself (of share it
    does not: a team may all do the same job).
    """
    figures = conduct.figures
    schedule = assess_schedule(background.people, figures.uses, figures.sitting)
    odds = _machine_odds(schedule, background.people, figures.uses, figures.sitting)
    regular = figures.uses >= REGULAR
    chosen = regular & (odds > 1)
    mine = figures.only(chosen)
    hours, volume, share = measure_hours(mine), volume_scatter(mine.uses), share_scatter(mine.uses, mine.total)
    p_people = 1.0 if hours.explained(background.hours.centre) else schedule.p_value
    p_programmes = min(1.0, 2 * min(more_even(volume, background.volume), more_even(share, background.share)))
    p_habit = min(1.0, 2 * min(_habit_p(habit, background.habit) for habit in (conduct.place, conduct.wording)))
    p_borrowers = background.level.below(-conduct.level, conduct.level_error)
    even = (more_even(conduct.volume, background.volume), more_even(conduct.share, background.share))
    ways: dict[Way, float] = {
        "schedule": max(p_people, p_programmes) if against_programmes else p_people,
        "instruction": p_habit if p_borrowers <= RULED_OUT else max(p_habit, p_borrowers),
        "allotment": max(even) if against_programmes else even[0],
    }
    way = min(ways, key=lambda name: ways[name])
    if way != "schedule":
        volume, share, chosen = conduct.volume, conduct.share, regular
    return Judgement(
        way=way,
        parties=tuple(figures.party[chosen].tolist()),
        people=_people(figures, odds) if way == "schedule" else frozenset(),
        p_value=float(np.clip(len(ways) * ways[way], SHEER, 1.0)),
        p_people=p_people,
        p_programmes=p_programmes,
        p_habit=p_habit,
        p_borrowers=p_borrowers,
        p_volume=more_even(volume, background.volume),
        p_share=more_even(share, background.share),
        schedule=schedule,
        volume=volume,
        share=share,
        mean_share=float(1 / (1 + np.exp(-conduct.level))),
        place=conduct.place,
        wording=conduct.wording,
    )


def _habit_p(habit: Habit, reference: Reference) -> float:
    return reference.below(habit.correlation, habit.error) if habit.tells else 1.0


def _people(figures: Figures, odds: Doubles) -> frozenset[int]:
    """Parties that behave as people do, if they are a population of their own, not the tail of the scheduled ones."""
    like = odds < PEOPLE_ODDS
    regular = max(int((figures.uses >= REGULAR).sum()), 1)
    return frozenset(figures.party[like].tolist()) if like.sum() >= PEOPLE_SHARE * regular else frozenset()


def _machine_odds(schedule: Schedule, people: People, uses: Int64s, sitting: Int64s) -> Doubles:
    """Odds that each party is like the scheduled ones rather than like people: a text may be used by both."""
    if not schedule.count:
        return np.zeros(len(uses))
    seed = schedule.scheduled
    rate = (sitting[seed].sum() + 0.5) / (uses[seed].sum() + 1)
    machine = binomial(sitting, uses, float(rate))
    person = beta_binomial(sitting, uses, people.alpha, people.beta)
    prior = np.clip(seed.mean(), 0.05, 0.95)
    result: Doubles = np.maximum(machine, 1e-300) * prior / (np.maximum(person, 1e-300) * (1 - prior))
    return result
