"""A group → the benign explanations that were asked of it, each with the figure by which it does not hold.

What holds is told elsewhere: a text that a benign explanation covers makes no claim (`findings`), and a community in
doubt says which explanation it could not rule out (`narrative`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptsim.networks.groups import Group
from promptsim.networks.options import DAY, NetworkOptions
from promptsim.networks.sharding import Sharding
from promptsim.networks.usage import Usage, among
from promptsim.order import firsts
from promptsim.records import Evidence, Int64s


@dataclass(frozen=True, slots=True)
class Explanations:
    """What the sentences are made of, for all groups of a run."""

    usage: Usage
    sharding: Sharding
    options: NetworkOptions

    def of(self, group: Group) -> tuple[Evidence, ...]:
        """One line for each explanation asked, and one for the other users of the same texts."""
        rows = np.concatenate([np.arange(self.usage.starts[at], self.usage.starts[at + 1]) for at in group.families])
        parties = sorted(group.strength)
        inside = among(parties, self.usage.party_count)
        users = among(self.usage.party[rows], self.usage.party_count)
        mine = rows[inside[self.usage.party[rows]]]
        lines = [
            _organisation(len(parties)),
            self._public(group),
            self._question_set(group),
            _class(self.usage.time[mine], len(parties)),
            self._retries(mine),
            self._listed(),
            _others(int((users & ~inside).sum()), group),
        ]
        return tuple(line for line in lines if line is not None)

    def _public(self, group: Group) -> Evidence | None:
        found = group.corroborated
        if found is None or found.public:
            return None
        sentence = "Not public texts of one topic: their users would have sent the same fillings more often."
        if found.public_p > self.options.rate:
            sentence = (
                f"Not public texts of one topic: of the accounts that use either of two of these texts, "
                f"{found.overlap:.0%} use both (the median over pairs)."
            )
        return Evidence("not_public_texts", round(found.overlap, 3), sentence)

    def _question_set(self, group: Group) -> Evidence:
        own = list(group.families)
        overlap = float(self.sharding.common[own].sum() / max(self.sharding.sendings[own].sum(), 1))
        sentence = (
            f"Not a benchmark: {overlap:.0%} of the requests were sent by a second account too; of a question set, "
            f"more than {self.options.max_overlap:.0%}."
        )
        return Evidence("not_a_question_set", round(overlap, 3), sentence)

    def _retries(self, rows: Int64s) -> Evidence:
        usage = self.usage
        filling, family, account = usage.filling[rows], usage.family[rows], usage.account[rows]
        order = np.lexsort((account, family, filling))
        different = int(firsts(filling[order], family[order], account[order]).sum())
        sentence = f"Not a retrying client: {different:,} of {len(rows):,} requests differ from the account's others."
        return Evidence("not_a_retrying_client", different, sentence)

    def _listed(self) -> Evidence | None:
        known = len(self.options.public_templates)
        if not known:
            return None
        return Evidence("not_listed", known, f"Not among the {known:,} known public prompts of the operator's list.")


def _organisation(parties: int) -> Evidence:
    sentence = f"Not one organisation: {parties:,} separate parties, which no metadata names as one."
    return Evidence("not_one_organisation", parties, sentence)


def _class(times: Int64s, parties: int) -> Evidence:
    early, late = np.quantile(times, (0.05, 0.95)) if len(times) else (0.0, 0.0)
    days = float(late - early) / DAY
    sentence = (
        f"Not a class with one task: nine tenths of the use span {days:.1f} days, "
        f"with {len(times) / max(parties, 1):.1f} requests an account."
    )
    return Evidence("not_a_class", round(days, 2), sentence)


def _others(count: int, group: Group) -> Evidence | None:
    if not count:
        return None
    texts = "this text" if len(group.families) == 1 else "one of these texts"
    return Evidence("other_users", count, f"{count:,} other accounts use {texts} too, and are not part of this.")
