"""Usage → pairs of families that the same parties use far more often than chance gives.

Null model: a bipartite configuration model. Party i uses d_i families, family f is used by n_f parties; without
coordination i uses f with probability 1 − exp(−a_i·b_f), each independently, with a and b such that every d_i and n_f
comes out as expected (for sparse traffic a_i·b_f is about d_i·n_f/Σd). The number of parties that use both f and g is
then about Poisson with λ = Σ_i p_if·p_ig = H(b_f) + H(b_g) − H(b_f + b_g), where H(x) = Σ_i (1 − exp(−a_i·x)).
Accounts are counted, never events: a campaign's own volume would inflate what it is compared with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse, special

from promptsim.meetings import meetings
from promptsim.networks.options import NetworkOptions
from promptsim.networks.usage import Usage
from promptsim.records import Bools, Int64s

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of families with their figures, by left, then right."""

    left: Int64s
    right: Int64s
    shared: Int64s
    expected: Doubles
    p_value: Doubles
    jaccard: Doubles

    def only(self, keep: Bools) -> Pairs:
        return Pairs(*(getattr(self, field.name)[keep] for field in fields(Pairs)))

    @staticmethod
    def joined(parts: Sequence[Pairs]) -> Pairs:
        """All of them; without any, none."""
        whole, real = np.empty(0, np.int64), np.empty(0)
        every = (Pairs(whole, whole, whole, real, real, real), *parts)
        return Pairs(*(np.concatenate([getattr(part, f.name) for part in every]) for f in fields(Pairs)))


@dataclass(frozen=True, slots=True)
class Ties(Pairs):
    """Pairs of families (left < right) that survive the false discovery control; one row a pair."""

    tested: int  # pairs over which the false discovery rate is controlled
    cut_parties: int  # parties with more families than `max_degree`: left out of the products

    def without(self, some: Bools) -> Ties:
        """The others; as many pairs were tested."""
        others = self.only(~some)
        return replace(self, **{field.name: getattr(others, field.name) for field in fields(Pairs)})


MOST_SIZES = 8_000  # different sizes of which every pair has a cell: half a gigabyte
AT_ONCE = 1_024
ROUNDS, STEPS = 12, 3  # of the fit: alternations between parties and families, Newton steps in each


class ChanceOfBoth:
    """λ of the configuration model, fitted to the families of each party and the parties of each family.

    It depends on two sizes alone. Millions of pairs of families have few different ones, so each is worked out once.
    """

    def __init__(self, degrees: Int64s, sizes: Int64s) -> None:
        degrees, sizes = degrees[degrees > 0], sizes[sizes > 0]
        degree, self._count = np.unique(degrees, return_counts=True)
        size, number = np.unique(sizes, return_counts=True)
        total = np.sqrt(max(float(degrees.sum()), 1.0))
        self._reach, self._draw, self._size = degree / total, size / total, size
        for _ in range(ROUNDS):
            self._draw = _solve(self._reach, self._count, self._draw, np.minimum(size, self._count.sum() - 0.5))
            self._reach = _solve(self._draw, number, self._reach, np.minimum(degree, number.sum() - 0.5))

        self._row = np.searchsorted(self._size, np.arange(int(self._size.max(initial=0)) + 1))
        self._single = self._users(self._draw)
        self._known = np.full(len(self._size) ** 2 if len(self._size) <= MOST_SIZES else 0, np.nan)

    def _users(self, draw: Doubles) -> Doubles:
        """H(x)."""
        found = np.empty(len(draw))
        for start in range(0, len(draw), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            found[part] = (self._count * -np.expm1(-np.outer(draw[part], self._reach))).sum(axis=1)
        return found

    def both(self, left: npt.ArrayLike, right: npt.ArrayLike) -> Doubles:
        """λ: parties expected to use both of two families with these numbers of parties."""
        one, other = self._row[np.asarray(left)], self._row[np.asarray(right)]
        low, high = np.minimum(one, other), np.maximum(one, other)
        key = np.atleast_1d(low * len(self._size) + high)
        if len(self._known):
            seen = np.zeros(len(self._known), bool)
            seen[key] = True
            missing = np.flatnonzero(seen & np.isnan(self._known))
            self._known[missing] = self._of_pairs(missing)
            return np.asarray(self._known[key].reshape(np.shape(low)), np.float64)
        distinct, back = np.unique(key, return_inverse=True)
        return self._of_pairs(distinct)[back].reshape(np.shape(low))

    def _of_pairs(self, pairs: Int64s) -> Doubles:
        one, other = np.divmod(pairs, len(self._size))
        together = self._users(self._draw[one] + self._draw[other])
        return np.maximum(self._single[one] + self._single[other] - together, 1e-12)

    def at_least(self, sizes: npt.ArrayLike, least: int) -> float:
        """Parties expected to use at least so many of families of these sizes (Poisson-binomial, exactly)."""
        used = -np.expm1(-np.outer(self._reach, self._draw[self._row[np.asarray(sizes)]]))
        law = np.zeros((len(self._reach), used.shape[1] + 1))
        law[:, 0] = 1.0
        for at in range(used.shape[1]):
            share = used[:, at : at + 1]
            law[:, 1:] = law[:, 1:] * (1 - share) + law[:, :-1] * share
            law[:, 0] *= 1 - share[:, 0]
        return float((law[:, least:].sum(axis=1) * self._count).sum())


def _solve(given: Doubles, weight: Int64s, start: Doubles, wanted: Doubles) -> Doubles:
    """x with Σ_k weight_k·(1 − exp(−given_k·x)) = wanted, for each wanted: Newton from the left on a concave
    function.
    """
    found = np.minimum(start, wanted / max(float((weight * given).sum()), 1e-300))
    for step in range(STEPS + 12):
        left = np.exp(-np.outer(found, given))
        missing = wanted - ((1 - left) * weight).sum(axis=1)
        found = found + missing / np.maximum((left * (weight * given)).sum(axis=1), 1e-300)
        if step >= STEPS and float(np.abs(missing).max(initial=0)) < 1e-6 * float(wanted.max(initial=1)):
            break
    return np.maximum(found, 0.0)


def incidence(usage: Usage, eligible: Bools) -> sparse.csr_matrix:
    """Parties × families, one where a party uses an eligible family."""
    keep = eligible[usage.pair_family]
    rows, columns = usage.pair_party[keep], usage.pair_family[keep]
    shape = (usage.party_count, len(eligible))
    return sparse.csr_matrix((np.ones(len(rows), np.int32), (rows, columns)), shape=shape)


def poisson_tail(observed: npt.ArrayLike, expected: npt.ArrayLike) -> Doubles:
    """P(X ≥ observed) for a Poisson X."""
    tail: Doubles = special.gammainc(np.maximum(observed, 1e-300), expected)
    return tail


def may_be_rare(observed: Int64s, expected: Doubles, rate: float) -> Bools:
    """Whether P(X ≥ observed) may be at most `rate`: not if X = observed alone is likelier. Cheap, for millions."""
    several = np.arange(int(observed.max(initial=0)) + 1)
    chance = observed * np.log(expected) - expected - special.gammaln(several + 1.0)[observed]
    return np.asarray(chance <= np.log(rate), np.bool_)


def benjamini_hochberg(p_values: Doubles, rate: float, tests: int) -> Bools:
    """Which of these p-values survive at the rate, when `tests` were made in all (the others count as 1)."""
    order = np.argsort(p_values, kind="stable")
    passes = p_values[order] <= rate * np.arange(1, len(p_values) + 1) / max(tests, 1)
    last = int(np.flatnonzero(passes)[-1]) + 1 if passes.any() else 0
    result = np.zeros(len(p_values), bool)
    result[order[:last]] = True
    return result


def find_ties(usage: Usage, eligible: Bools, public_like: Bools, options: NetworkOptions) -> Ties:
    """Test every pair of eligible families; only pairs that share `min_shared` parties can pass, all are counted."""
    matrix = incidence(usage, eligible)
    degrees = np.diff(matrix.indptr).astype(np.int64)
    chance = ChanceOfBoth(degrees, usage.family_parties[eligible])
    cut = degrees > options.max_degree
    sizes = usage.family_parties
    families = int((sizes[eligible] > 0).sum())
    tested = families * (families - 1) // 2
    likely = [np.empty(0)]  # every p-value that may pass: the procedure ranks them all
    found: list[Pairs] = []
    for left, right, shared in meetings((matrix[~cut] if cut.any() else matrix).T.tocsr(), options.min_shared):
        expected = chance.both(sizes[left], sizes[right])
        keep = may_be_rare(shared, expected, options.rate)
        left, right, shared, expected = left[keep], right[keep], shared[keep], expected[keep]
        p_value = poisson_tail(shared, expected)
        likely.append(p_value[p_value <= options.rate])
        jaccard = shared / np.maximum(sizes[left] + sizes[right] - shared, 1)
        lift = shared / np.maximum(expected, 1e-12)
        needed = np.where(public_like[left] & public_like[right], options.firm_jaccard, options.min_jaccard)
        # Among few families a campaign is most of what it is compared with: then nearly equal sets of users count.
        strong = (lift >= options.min_lift) & (jaccard >= needed)
        strong |= (lift >= options.firm_lift) & (jaccard >= options.firm_jaccard)
        found.append(Pairs(left, right, shared, expected, p_value, jaccard).only(strong & (p_value <= options.rate)))
    ranked = np.concatenate(likely)
    passed = ranked[benjamini_hochberg(ranked, options.rate, tested)]
    pairs = Pairs.joined(found)
    pairs = pairs.only(pairs.p_value <= passed.max(initial=-1.0))
    return Ties(
        pairs.left, pairs.right, pairs.shared, pairs.expected, pairs.p_value, pairs.jaccard, tested, int(cut.sum())
    )
