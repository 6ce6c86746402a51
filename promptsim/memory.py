"""Memory that long work frees stays with the process, for its next array.

The C library takes large arrays from the kernel one by one and gives each back at once, and the kernel clears every
page anew: a quarter of the time of a run over what is new. Where the library is not glibc, nothing changes.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

KEPT = {-1: -1, -4: 0, -8: 1}  # of mallopt(3): never trim; no block straight from the kernel; one heap for all threads
AS_BEFORE = {-1: 128 * 1024, -4: 65_536, -8: 0}  # glibc's defaults


@contextmanager
def kept_for_reuse() -> Iterator[None]:
    """What is freed inside is given back to the system at the end."""
    library = ctypes.CDLL(None)
    if not (hasattr(library, "mallopt") and hasattr(library, "malloc_trim")):
        yield
        return
    _set(library, KEPT)
    try:
        yield
    finally:
        _set(library, AS_BEFORE)
        library.malloc_trim(0)


def _set(library: ctypes.CDLL, options: Mapping[int, int]) -> None:
    for option, value in options.items():
        library.mallopt(option, value)
