"""Columns of events ─► for each prompt the account that alone sent it: what a search for others need not look at."""

from __future__ import annotations

import threading

import numpy as np

from promptsim.records import Int32s
from promptsim.store.columns import Columns

SEVERAL, NOBODY = -1, -2


class Owners:
    """Made from all events when it is first asked for, and from the newer ones after that; 4 bytes a prompt."""

    def __init__(self, columns: Columns) -> None:
        self._columns, self._lock = columns, threading.Lock()
        self._owner: Int32s = np.zeros(0, np.int32)
        self._events = 0

    def of(self, prompts: int, events: int) -> Int32s:
        """By prompt number the account of the first so many events' only sender, or `SEVERAL`; `NOBODY` if erased.

        An account that was erased since may still be named.
        """
        with self._lock:
            if events > self._events or prompts > len(self._owner):
                self._take(prompts, events)
            return self._owner[:prompts]

    def _take(self, prompts: int, events: int) -> None:
        account, prompt = (column(events)[self._events :] for column in (self._columns.account, self._columns.prompt))
        prompt, account = prompt[account >= 0], account[account >= 0]
        owner = np.full(max(prompts, len(self._owner)), NOBODY, np.int32)
        owner[: len(self._owner)] = self._owner
        fresh = owner[prompt] == NOBODY
        owner[prompt[fresh][::-1]] = account[fresh][::-1]  # of several the first
        owner[prompt[owner[prompt] != account]] = SEVERAL
        self._owner, self._events = owner, max(events, self._events)
