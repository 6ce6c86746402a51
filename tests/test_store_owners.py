"""Which account alone sent a prompt: as counted by the book, however the events come in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from promptsim.store.columns import GONE, Columns, Rows
from promptsim.store.owners import NOBODY, SEVERAL, Owners

EVENTS = [(3, 0), (5, 1), (3, 0), (4, 2), (5, 2), (GONE, 0), (6, 4), (3, 1), (4, 2)]  # account, prompt
ALONE = [3, SEVERAL, SEVERAL, NOBODY, 6]


@pytest.mark.parametrize("steps", [(9,), (1, 9), (2, 3, 4, 5, 6, 7, 8, 9), (9, 4)])
def test_the_only_sender_is_known_after_every_step(tmp_path: Path, steps: tuple[int, ...]) -> None:
    columns = Columns(tmp_path / "events.cols")
    account, prompt = (np.array(column, np.int32) for column in zip(*EVENTS, strict=True))
    columns.write(0, Rows(account, np.maximum(prompt, 0), np.zeros(9, np.int32), np.arange(9)))
    owners = Owners(columns)
    for events in steps:
        found = owners.of(5, events)
    assert found.tolist() == ALONE
