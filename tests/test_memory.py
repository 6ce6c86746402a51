"""What long work frees is kept for its next array, on large pages, and given back at the end."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from promptsim.memory import kept_for_reuse


def _heap() -> tuple[int, bool]:
    """Kilobytes of the heap, and whether any of it asks for large pages."""
    size, large, inside = 0, False, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(" ")[0]:
            inside = line.endswith("[heap]")
        elif inside and line.startswith("Size:"):
            size += int(line.split()[1])
        elif inside and line.startswith("VmFlags:"):
            large |= "hg" in line.split()
    return size, large


@pytest.mark.skipif(sys.platform != "linux", reason="large pages are asked for on Linux")
def test_the_heap_grows_over_large_pages_and_shrinks_at_the_end() -> None:
    before, _ = _heap()
    with kept_for_reuse():
        array = np.arange(1 << 22)
        inside, large = _heap()
        assert array.sum() == (1 << 21) * ((1 << 22) - 1)
        del array
    assert inside - before > 1 << 20
    assert large
    assert _heap()[0] - before < 1 << 16
