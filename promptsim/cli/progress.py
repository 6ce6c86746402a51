"""Progress bars on standard error, with a rate and the time left; nothing when standard error is not a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from promptsim.progress import Progress, Silent, Stage

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

SOON = 0.5  # seconds after which a rate says something


class _Bar:
    def __init__(self, bars: Bars, task: TaskID) -> None:
        self._bars, self._task = bars, task
        self._started, self._done = time.monotonic(), 0

    def advance(self, steps: int) -> None:
        self._bars.advance(self._task, steps)
        self._done += steps
        seconds = time.monotonic() - self._started
        if seconds > SOON:
            self._bars.update(self._task, rate=f"{self._done / seconds:,.0f}/s")


class Drawn:
    """Bars for a terminal."""

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Stage]:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        rate = TextColumn("{task.fields[rate]}")
        columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
        with Bars(*columns, console=Console(stderr=True), transient=False) as bars:
            yield _Bar(bars, bars.add_task(name, total=total, rate=""))


class Lines:
    """One line when a stage ends: for logs and pipes."""

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Stage]:  # noqa: ARG002
        started = time.monotonic()
        counter = _Counter()
        yield counter
        seconds = time.monotonic() - started
        done = f" {counter.steps:,} ({counter.steps / max(seconds, 1e-9):,.0f}/s)" if counter.steps else ""
        print(f"{name}:{done} {seconds:.1f} s", file=sys.stderr, flush=True)


class _Counter:
    def __init__(self) -> None:
        self.steps = 0

    def advance(self, steps: int) -> None:
        self.steps += steps


def progress(quiet: bool = False) -> Progress:
    """What fits where standard error goes."""
    if quiet:
        return Silent()
    return Drawn() if sys.stderr.isatty() else Lines()
