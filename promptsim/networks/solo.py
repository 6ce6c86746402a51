"""Units, usage → claims about single texts: accounts run as one although nothing but one text ties them.

`conduct` says by which ways independent users are ruled out. What a benign explanation covers (`benign`) is not
tested at all; Benjamini-Hochberg over all families that are. The families that are not tied to others also give the
background: what is ordinary in this traffic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from promptsim.networks.benign import Benign
from promptsim.networks.conduct import (
    Background,
    Conduct,
    Judgement,
    fit_background,
    judge,
    level_of,
    observe,
    without_shares,
)
from promptsim.networks.forms import fixed_words
from promptsim.networks.options import NetworkOptions
from promptsim.networks.rhythm import fit_people, measure_uses
from promptsim.networks.sharding import Sharding, fewer_than_public
from promptsim.networks.units import Units
from promptsim.networks.usage import REGULAR, Usage
from promptsim.records import Bools


@dataclass(frozen=True, slots=True)
class SoloClaim:
    """One text under test (or all wordings of a family), what its parties' conduct says, and the p-value (with
    metadata, where known).
    """

    families: tuple[int, ...]
    judgement: Judgement
    p_value: float

    @property
    def parties(self) -> tuple[int, ...]:
        return self.judgement.parties


class Observer:
    """The conduct behind every text that is large enough to say something, taken once."""

    def __init__(self, units: Units, usage: Usage, sharding: Sharding, benign: Benign, options: NetworkOptions) -> None:
        self._units, self._usage, self._options = units, usage, options
        self._sharding, self._benign = sharding, benign
        self._events = np.diff(usage.starts)
        self._regulars = usage.regulars(len(units.texts))
        enough = (self._regulars >= options.min_solo_parties) & (self._events >= options.min_solo_events)
        self.testable: Bools = enough & ~benign.excluded
        self.conducts: dict[int, Conduct] = {int(at): self.conduct([int(at)]) for at in np.flatnonzero(self.testable)}

    def conduct(self, numbers: Sequence[int], *, one_family: bool = True) -> Conduct:
        """Of one text, of all wordings of a family, or of a community as if it were one text (its wordings then say
        nothing, and its share of what the parties send is that of the largest).
        """
        parts = [self._usage.rows(at) for at in numbers]
        long_text = all(len(fixed_words(self._units.texts[at])) >= self._options.min_fixed_words for at in numbers)
        several = len(numbers) > 1
        rows = np.concatenate([np.arange(part.start, part.stop) for part in parts]) if several else parts[0]
        whole = observe(self._usage, rows, long_text, with_wording=several and one_family)
        if one_family or not several:
            return whole
        return replace(whole, level=max(level_of(self._usage, part) for part in parts))

    def background(self, tied: Bools, acting: Bools) -> Background:
        """From texts of many parties that are tied to no other, without the parties that act together already: they
        use ordinary texts too, as cover, and where they are many they would be taken for people. Where they are most of
        all, acting together is what accounts do here, and the few that are left say little of it: all count then.
        """
        share = float(acting.sum()) / max(len(np.unique(self._usage.pair_party)), 1)
        everyone = share > self._options.max_acting_share
        if everyone:
            tied, acting = np.zeros_like(tied), np.zeros_like(acting)
        regular = (self._usage.pair_uses >= REGULAR) & ~acting[self._usage.pair_party]
        regulars = np.bincount(self._usage.pair_family[regular], minlength=len(tied))
        reference = self.testable & ~tied & (regulars >= self._options.min_reference_parties)
        people = fit_people(self._usage, measure_uses(self._usage), reference, ~acting)
        conducts = {int(at): self._ordinary(int(at), acting) for at in np.flatnonzero(reference)}
        return replace(fit_background(people, conducts), most_acting=share if everyone else 0.0)

    def _ordinary(self, text: int, acting: Bools) -> Conduct:
        """The conduct of a text's other users."""
        rows = np.arange(self._usage.starts[text], self._usage.starts[text + 1])
        left = rows[~acting[self._usage.party[rows]]]
        if len(left) == len(rows):
            return self.conducts[text]
        return observe(self._usage, left, self.conducts[text].long_text)

    def claims(self, tied: Bools, doubted: Bools, background: Background) -> list[SoloClaim]:
        """One for each testable text that is not tied and does not look public, and one for each family of several.

        `doubted`: texts of communities that are not claimed. What their users send is mostly each other's texts, so
        the share of one of them is even whoever they are, and says nothing.
        """
        found = []
        for at, conduct in self.conducts.items():
            if not tied[at] and not self._benign.public[at]:
                conduct = without_shares(conduct) if doubted[at] else conduct
                judgement = judge(conduct, background.without([at]))
                found.append(SoloClaim((at,), judgement, judgement.p_value))
        for numbers in self._families_of_several(tied):
            judgement = judge(self.conduct(numbers), background.without(numbers))
            found.append(SoloClaim(tuple(numbers), judgement, judgement.p_value))
        return found

    def _families_of_several(self, tied: Bools) -> Iterator[list[int]]:
        """Families of at least two wordings that several parties use: what one party alone uses may be a false join."""
        usable = ~self._benign.excluded & (self._usage.family_parties >= 2)
        several = np.bincount(self._units.family_of[usable], minlength=len(self._units.families)) >= 2
        for family in np.flatnonzero(several).tolist():
            numbers = [int(at) for at in self._units.of(family) if usable[at]]
            enough = self._events[numbers].sum() >= self._options.min_solo_events
            if enough and not all(tied[numbers]) and not self._public(numbers):
                yield numbers

    def _public(self, numbers: list[int]) -> bool:
        meetings, pairs = (float(x[numbers].sum()) for x in (self._sharding.meetings, self._sharding.pairs))
        return meetings > 0 and fewer_than_public(meetings, pairs, self._benign.rate) > self._options.rate
