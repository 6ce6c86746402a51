"""A family ─► when its prompts were sent and by whom: one entry an event, for timelines; all families by number."""

from __future__ import annotations

import numpy as np

from promptsim.records import Int32s, Int64s
from promptsim.store.members import Memberships


class Timeline(Memberships):
    """Reading the events of one family as arrays."""

    def family_activity(self, family_id: str) -> tuple[Int64s, Int32s]:
        """(time, account number) of every event of a family, by time; NotFoundError if there is no such family."""
        with self.snapshot() as connection:
            prompts = self.family_prompts(family_id)
            events = self._event_count(connection)
            wanted = np.zeros(self._prompt_count(connection) + 1, np.bool_)
        wanted[prompts] = True
        account = self.columns.account(events)
        mine = np.flatnonzero(wanted[self.columns.prompt(events)] & (account >= 0))
        time = self.columns.time(events)[mine]
        order = np.argsort(time, kind="stable")
        return time[order], account[mine][order]

    def family_ids(self) -> list[str]:
        """The ids of the last run's families, in the order that `Members.family` counts by."""
        with self.snapshot() as connection:
            return [row[0] for row in connection.execute("SELECT family_id FROM families ORDER BY family_no")]
