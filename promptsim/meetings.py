"""Who uses what, as a sparse matrix → pairs of things that share users, block by block: memory that does not explode.

With n things there are up to n²/2 such pairs. No more than a block of them is ever held; who asks keeps what passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from promptsim.records import Bools, Int64s

if TYPE_CHECKING:
    from scipy import sparse

CELLS = 20_000_000  # of the product held at once: about half a gigabyte


def meetings(
    uses: sparse.csr_matrix, least: int, cells: int = CELLS, apart: Bools | None = None
) -> Iterator[tuple[Int64s, Int64s, Int64s]]:
    """Pairs of rows (first < second) that have at least `least` columns in common, and how many.

    `uses` is [things, users] with ones. Blocks have about `cells` pairs at most and come by `first` ascending; with
    `apart`, rows of which no two make a pair, by the one that is not in it, and work follows the number of those.
    """
    chosen = np.flatnonzero(np.diff(uses.indptr) >= least)
    asking = np.arange(len(chosen)) if apart is None else np.flatnonzero(~apart[chosen])
    if not len(asking):
        return
    counted = uses[chosen].astype(np.int32)
    turned = counted.T.tocsr()
    reach = np.minimum(counted[asking] @ np.diff(turned.indptr), len(chosen))
    block = np.cumsum(reach, dtype=np.int64) // cells
    edges = np.flatnonzero(np.diff(block, prepend=-1)).tolist()
    for start, stop in zip(edges, [*edges[1:], len(asking)], strict=True):
        both = counted[asking[start:stop]] @ turned
        cell = np.flatnonzero(both.data >= least)  # few of all: the rest is not copied
        one = asking[np.searchsorted(both.indptr, cell, "right") - 1 + start]
        other = both.indices[cell].astype(np.int64)
        once = other > one if apart is None else (other > one) | apart[chosen[other]]
        one, other, shared = one[once], other[once], both.data[cell[once]].astype(np.int64)
        first, second = np.minimum(one, other), np.maximum(one, other)
        order = np.lexsort((second, first))
        yield chosen[first[order]], chosen[second[order]], shared[order]
