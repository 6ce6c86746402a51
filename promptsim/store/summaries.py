"""Activity + the last run's result ─► one summary an account."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from promptsim.order import order_of
from promptsim.records import AccountSummary, Finding, Int64s
from promptsim.store.findings import Findings
from promptsim.store.streams import Streams

NOTHING_FOUND = Finding("", False, 0.0, None, ())


class Summaries(Findings, Streams):
    """What the pages and the export say of accounts."""

    def account_summary(self, account_id: str) -> AccountSummary:
        """One account; NotFoundError if nothing is known of it."""
        with self.snapshot():
            known = self.account(account_id)
            prompts, _ = self.account_prompts(known.account_no)
            families = {m.family_id for some in self.families_of(prompts).values() for m in some}
            finding = self.account_finding(account_id)
        return _summary(account_id, known.event_count, families, finding, known.first_seen, known.last_seen)

    def account_summaries(self) -> Iterator[AccountSummary]:
        """Every account that has events, by its number."""
        with self.snapshot() as connection:
            incidence, findings = self.incidence(), self.account_findings()
            names = self._account_ids(connection)
            left = connection.execute("SELECT family_id FROM families ORDER BY family_no")
            family_ids = [family_id for (family_id,) in left]
            families = self._families_by_account(incidence.prompt_no, incidence.account_no.astype(np.int64))
        order = order_of(incidence.account_no)
        account = incidence.account_no[order]
        starts = np.flatnonzero(np.concatenate([[True], account[1:] != account[:-1]])) if len(account) else order
        events = np.add.reduceat(incidence.events[order].astype(np.int64), starts) if len(starts) else starts
        first = np.minimum.reduceat(incidence.first_seen[order], starts) if len(starts) else starts
        last = np.maximum.reduceat(incidence.last_seen[order], starts) if len(starts) else starts
        for place, number in enumerate(account[starts].tolist()):
            name = names[number]
            mine = {family_ids[family] for family in families.get(number, ())}
            figures = int(events[place]), mine, findings.get(name), int(first[place]), int(last[place])
            yield _summary(name, *figures)

    def _families_by_account(self, prompt_no: Int64s, account_no: Int64s) -> dict[int, list[int]]:
        """Of each account the families whose prompts it sent, from rows of (prompt, account); see `Members.family`."""
        members = self.members()
        order = order_of(members.prompt_no)
        member_prompt, family = members.prompt_no[order], members.family[order].astype(np.int64)
        low = np.searchsorted(member_prompt, prompt_no, side="left")
        counts = np.searchsorted(member_prompt, prompt_no, side="right") - low
        # row i repeated once for each family of its prompt: low[i], low[i] + 1, …
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        pairs = np.unique((np.repeat(account_no, counts) << 32) | family[np.repeat(low, counts) + within])
        found: dict[int, list[int]] = {}
        for pair in pairs.tolist():
            found.setdefault(pair >> 32, []).append(pair & 0xFFFFFFFF)
        return found


def _summary(
    account_id: str, events: int, families: set[str], finding: Finding | None, first: int, last: int
) -> AccountSummary:
    claim = finding or NOTHING_FOUND
    network = claim.network_ids[0] if claim.network_ids else None
    figures = (claim.flagged, claim.score, claim.p_value)
    return AccountSummary(account_id, events, tuple(sorted(families)), network, *figures, first, last)
