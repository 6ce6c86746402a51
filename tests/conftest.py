"""What several rooms' tests share: a small traffic, an engine on a fresh home."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from promptsim.engine import Engine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine on an empty home."""
    with Engine.open(tmp_path / "home") as opened:
        yield opened
