"""Memory that long work frees stays with the process, for its next array.

The C library takes large arrays from the kernel one by one and gives each back at once, and the kernel clears every
page anew: a quarter of the time of a run over what is new. And it takes pages of 4 KB, each with a fault of its own and
a place in the processor's tables, unless a program asks for large ones: numpy does, compiled loops do not. Where the
library is not glibc, nothing changes.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

KEPT = {-1: -1, -4: 0, -8: 1}  # of mallopt(3): never trim; no block straight from the kernel; one heap for all threads
LARGE_PAGE, MADV_HUGEPAGE = 1 << 21, 14
SHARE = 0.5  # of the machine's memory that may be large pages
AS_BEFORE = {-1: 128 * 1024, -4: 65_536, -8: 0}  # glibc's defaults


@contextmanager
def kept_for_reuse() -> Iterator[None]:
    """What is freed inside is given back to the system at the end."""
    library = ctypes.CDLL(None)
    if not (hasattr(library, "mallopt") and hasattr(library, "malloc_trim")):
        yield
        return
    _set(library, KEPT)
    _reserve(library)
    try:
        yield
    finally:
        _set(library, AS_BEFORE)
        library.malloc_trim(0)


def _reserve(library: ctypes.CDLL) -> None:
    """Have the heap grow over large pages: so much address space is taken, marked, and given back untouched.

    Beyond it, or where so much is not to be had, pages are as small as ever.
    """
    library.malloc.restype = ctypes.c_void_p
    library.malloc.argtypes = [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    size = int(SHARE * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    block = library.malloc(size)
    if block:
        start = -(-block // LARGE_PAGE) * LARGE_PAGE
        library.madvise(start, (block + size - start) // LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE)
        library.free(block)


def _set(library: ctypes.CDLL, options: Mapping[int, int]) -> None:
    for option, value in options.items():
        library.mallopt(option, value)
