"""Which accounts use which wordings → do the same accounts use two of them beyond chance?

The null is a bipartite configuration model: account i, which uses dᵢ wordings, uses wording f with n_f accounts with
probability 1 − exp(−dᵢ·n_f/Σd), so that busy accounts and popular wordings overlap without meaning anything. The number
of accounts that use both is then about Poisson with mean λ = Σᵢ p_if·p_ig.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from promptsim.meetings import meetings
from promptsim.records import Bools, Int32s, Int64s

if TYPE_CHECKING:
    from scipy import sparse

LEAST = 3  # accounts that use both
LIFT = 3.0  # times as many as expected
SHARE = 0.2  # of the accounts of the smaller one
P_VALUE = 1e-4
BLOCK = 8_192  # pairs of sizes worked out at once
BUSY = 2_000  # wordings of one account; a busier one is no evidence (a gateway), and is counted

Floats64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CoUse:
    """Accounts of each wording as a sparse matrix, and how many accounts use how many wordings."""

    uses: sparse.csr_matrix
    degrees: Floats64  # the distinct numbers of wordings that accounts use …
    counts: Floats64  # … and how many accounts use so many
    total: float
    cuts: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, accounts: Sequence[Int32s]) -> CoUse:
        from scipy import sparse  # late: a server that matches prompts comes by here, and starts without it

        sizes = np.array([len(a) for a in accounts], np.int64)
        column = np.concatenate([*accounts, np.empty(0, np.int32)]).astype(np.int64)
        _, column = np.unique(column, return_inverse=True)
        row = np.repeat(np.arange(len(accounts)), sizes)
        degree = np.bincount(column)
        busy = degree > BUSY
        keep = ~busy[column] if len(column) else np.ones(0, np.bool_)
        shape = (len(accounts), max(len(degree), 1))
        uses = sparse.csr_matrix((np.ones(int(keep.sum()), np.int32), (row[keep], column[keep])), shape=shape)
        degrees, counts = np.unique(degree[~busy], return_counts=True)
        cuts = {"busy_accounts_without_say": int(busy.sum())} if busy.any() else {}
        total = float(degree[~busy].sum())
        return cls(uses, degrees.astype(np.float64), counts.astype(np.float64), max(total, 1.0), cuts)

    def expected(self, a: npt.ArrayLike, b: npt.ArrayLike) -> Floats64:
        """λ for groups with so many accounts.

        It depends on the two numbers alone, and among millions of pairs few numbers are different.
        """
        one, other = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
        sizes, row = np.unique(np.concatenate([one.ravel(), other.ravel()]), return_inverse=True)
        chance = -np.expm1(-np.multiply.outer(sizes, self.degrees) / self.total)
        left, right = np.minimum(row[: one.size], row[one.size :]), np.maximum(row[: one.size], row[one.size :])
        pairs, back = np.unique(left * len(sizes) + right, return_inverse=True)
        means = np.empty(len(pairs))
        for start in range(0, len(pairs), BLOCK):
            low, high = np.divmod(pairs[start : start + BLOCK], len(sizes))
            means[start : start + BLOCK] = (chance[low] * chance[high]) @ self.counts
        return means[back].reshape(one.shape)

    def beyond_chance(self, shared: npt.ArrayLike, a: npt.ArrayLike, b: npt.ArrayLike) -> Bools:
        """Whether `shared` accounts of `a` and `b` are more than chance brings together."""
        from scipy import special

        n, a, b = np.asarray(shared, np.float64), np.asarray(a, np.float64), np.asarray(b, np.float64)
        enough = (n >= LEAST) & (n >= SHARE * np.minimum(a, b))
        out = np.zeros(n.shape, np.bool_)
        if enough.any():
            a, b = np.broadcast_to(a, n.shape)[enough], np.broadcast_to(b, n.shape)[enough]
            expected = self.expected(a, b)
            out[enough] = (n[enough] >= LIFT * expected) & (special.pdtrc(n[enough] - 1, expected) <= P_VALUE)
        return out

    def candidates(self, wordings: Int64s, known: Bools | None = None) -> tuple[Int64s, Int64s]:
        """Pairs of these wordings that the same accounts use beyond chance, in ascending order.

        Two that are `known` make no pair.
        """
        part = self.uses[wordings]
        size = np.asarray(part.sum(axis=1)).ravel()
        found = [(np.empty(0, np.int64), np.empty(0, np.int64))]
        for first, second, shared in meetings(part, LEAST, apart=known):
            good = self.beyond_chance(shared, size[first], size[second])
            found.append((wordings[first[good]], wordings[second[good]]))
        first, second = (np.concatenate([pair[side] for pair in found]) for side in (0, 1))
        order = np.lexsort((second, first))
        return first[order], second[order]

    def pool(self, wordings: Int64s) -> Pool:
        """These wordings as groups of one, to be merged."""
        part = self.uses[wordings]
        used = np.flatnonzero(np.asarray(part.sum(axis=0)).ravel())
        return Pool(self, part[:, used].toarray() > 0)


class Pool:
    """Groups of wordings with their accounts; a merged group lives on under its first number."""

    def __init__(self, couse: CoUse, uses: Bools) -> None:
        self._couse, self._uses = couse, uses.copy()
        self._members = [[i] for i in range(len(uses))]

    def members(self, group: int) -> list[int]:
        return self._members[group]

    def overlap(self, a: int, b: int) -> tuple[int, float]:
        """Accounts that use both, and how many chance would bring."""
        sizes = self._uses[[a, b]].sum(axis=1)
        return int((self._uses[a] & self._uses[b]).sum()), float(self._couse.expected(sizes[0], sizes[1]))

    def supported(self) -> Bools:
        """For every two groups: do the same accounts use both beyond chance?"""
        return np.stack([self._row(i) for i in range(len(self._uses))])

    def merge(self, a: int, b: int) -> Bools:
        """Give b's accounts and members to a; the new row of `supported` for a."""
        self._uses[a] |= self._uses[b]
        self._members[a] = sorted(self._members[a] + self._members[b])
        return self._row(a)

    def _row(self, i: int) -> Bools:
        sizes = self._uses.sum(axis=1)
        return self._couse.beyond_chance(self._uses[:, self._uses[i]].sum(axis=1), np.full(len(sizes), sizes[i]), sizes)
