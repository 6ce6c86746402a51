"""Who uses what, as a sparse matrix → pairs of things that share users, block by block: memory that does not explode.

With n things there are up to n²/2 such pairs, of which few share more than a user or two. Only those are ever held, no
more than a block of them at once; who asks keeps what passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from promptsim.records import Bools, Int64s

if TYPE_CHECKING:
    from scipy import sparse

PAIRS = 4_000_000  # held at once: about a hundred megabytes


def meetings(
    uses: sparse.csr_matrix, least: int, pairs: int = PAIRS, apart: Bools | None = None
) -> Iterator[tuple[Int64s, Int64s, Int64s]]:
    """Pairs of rows (first < second) that have at least `least` columns in common, and how many.

    `uses` is [things, users] with ones. Blocks have about so many pairs and come by `first`, then `second`; with
    `apart`, rows of which no two make a pair, by the one that is not in it, and work follows the number of those.
    """
    chosen = np.flatnonzero(np.diff(uses.indptr) >= least)
    beside = np.zeros(len(chosen), np.bool_) if apart is None else apart[chosen]
    asking = np.flatnonzero(~beside)
    if not len(asking):
        return
    users = uses[chosen]
    used = users.T.tocsr()  # its rows are in order, which is all that is needed
    start = 0
    while start < len(asking):
        start, one, other, shared = _met(
            users.indptr, users.indices, used.indptr, used.indices, asking, start, beside, least, pairs
        )
        yield chosen[np.minimum(one, other)], chosen[np.maximum(one, other)], shared


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _met(
    users_at: Any, users: Any, used_at: Any, used: Any, asking: Any, start: int, beside: Any, least: int, pairs: int
) -> Any:
    """The pairs of the things asked for from `start` on, until there are so many; where to go on.

    Each thing counts for itself how often it meets the others by way of its users (Gustavson's product of sparse
    matrices), looks at those behind it only, and keeps what it met often enough.
    """
    times = np.zeros(len(users_at) - 1, np.int32)
    met = np.empty(len(times), np.int64)
    one, other, shared = np.empty(1 << 12, np.int64), np.empty(1 << 12, np.int64), np.empty(1 << 12, np.int64)
    filled, row = 0, start
    some_beside = beside.any()
    while row < len(asking) and filled < pairs:
        thing = asking[row]
        row += 1
        n = 0
        for at in range(users_at[thing], users_at[thing + 1]):
            user = users[at]
            stop = used_at[user + 1]
            place = used_at[user]
            if not some_beside:
                place += np.searchsorted(used[place:stop], thing + 1)
            for i in range(place, stop):
                second = used[i]
                if second > thing or beside[second]:
                    if times[second] == 0:
                        met[n] = second
                        n += 1
                    times[second] += 1
        kept = 0
        for i in range(n):
            if times[met[i]] < least:
                times[met[i]] = 0
            else:
                met[kept] = met[i]
                kept += 1
        met[:kept].sort()
        if filled + kept > len(one):
            room = max(2 * len(one), filled + kept)
            one, other, shared = _grown(one, room), _grown(other, room), _grown(shared, room)
        for i in range(kept):
            one[filled], other[filled], shared[filled] = thing, met[i], times[met[i]]
            times[met[i]] = 0
            filled += 1
    return row, one[:filled], other[:filled], shared[:filled]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _grown(values: Any, room: int) -> Any:
    out = np.empty(room, values.dtype)
    out[: len(values)] = values
    return out
