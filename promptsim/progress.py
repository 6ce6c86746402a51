"""How long work tells of itself: a stage has a name, perhaps a total, and advances. The edges draw it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Stage(Protocol):
    """One step of long work."""

    def advance(self, steps: int) -> None:
        """`steps` more units are done."""


class Progress(Protocol):
    """Opens stages: `with progress.stage("embedding", total=5000) as stage: stage.advance(100)`."""

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Stage]:
        """A stage; `total` is None when the amount of work is not known."""
        ...


class Silent:
    """Says nothing: for libraries, tests and pipes."""

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Stage]:  # noqa: ARG002
        yield self

    def advance(self, steps: int) -> None:
        """Nothing is drawn."""
