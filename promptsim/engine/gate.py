"""Many that look at once, or one that changes: a lock with two sides. One that wants to change goes first."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """`looking()` is shared, `changing()` is alone. Neither may be nested in the other."""

    def __init__(self) -> None:
        self._state = threading.Condition()
        self._looking = 0
        self._changing = False
        self._waiting = 0

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Beside others that look; waits while one changes or wants to."""
        with self._state:
            self._state.wait_for(lambda: not self._changing and not self._waiting)
            self._looking += 1
        try:
            yield
        finally:
            with self._state:
                self._looking -= 1
                self._state.notify_all()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Alone; waits for those that look."""
        with self._state:
            self._waiting += 1
            try:
                self._state.wait_for(lambda: not self._changing and not self._looking)
            finally:
                self._waiting -= 1
            self._changing = True
        try:
            yield
        finally:
            with self._state:
                self._changing = False
                self._state.notify_all()
