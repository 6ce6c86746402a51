"""Members of a family → the fixed text they share, as people wrote it, with numbered slots.

    sample ─► tokens ─► 3-shingles that four in five members hold ─► fixed runs of the most typical member
           ─► members placed on those runs ─► slots, majority spelling ─► Template

Tokens are compared folded, so evaded members count; the text is printed in the spelling that most members use.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from promptsim.families.alignment import Sequences, place, sequences
from promptsim.families.slots import Fillings, bounds, cut, describe
from promptsim.records import Bools, Int32s, Int64s, Slot, UInt8s, UInt64s
from promptsim.text.tokens import PUNCT

SAMPLE = 24
HELD_BY = 0.8  # of the sampled members hold a shingle of the fixed text
LOOSELY = 0.34  # of them hold a shingle whose tokens are voted on, where shingles are broken by changed words
CLEAN = 0.9  # of the loosely held tokens are firmly held: no vote is needed
FILLED_BY = 0.5  # of the sampled members have something in a place where the typical member has nothing
EDGE_KEEPS = 0.95  # punctuation beside a slot is fixed if nearly all who hold its neighbour hold it too
SUPPORT = 0.5  # of the members hold a fixed token in its place, at least
CHANCE = 2  # more of a token in a member than in the fixed text: the token is common …
SHORT_RUN = 3  # … and a run of so few tokens, all of them common, is there by chance
ROLE_SHARE = 0.8  # of a member's fixed tokens, and of the members, are in one role: that is the role
PARTS = "\n\n"  # stands between the system and the user text when both are there

Floats64 = npt.NDArray[np.float64]
_BOS, _EOS = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
_M1, _M2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)


@dataclass(frozen=True)
class Template:
    """The fixed text of a wording.

    In `text` a slot is `{1}`, `{2}`, … and literal braces are doubled. `fixed` are the folded hashes of the fixed
    tokens and `runs` the offsets of the runs between slots; `slot_gaps` says which gaps beside the runs are slots.
    `support` is the mean share of fixed tokens that the `sampled` members hold.
    """

    text: str
    slots: tuple[Slot, ...]
    role: str
    fixed: UInt64s
    runs: Int64s
    slot_gaps: tuple[int, ...]
    support: float
    sampled: int
    fillings: Fillings = field(repr=False, compare=False)

    @property
    def fixed_tokens(self) -> int:
        return len(self.fixed)

    def fill(self, members: Sequence[tuple[str, str]]) -> Fillings:
        """What other members have in this template's slots."""
        return _fill(sequences([joined(*member) for member in members]), self.fixed, self.runs, self.slot_gaps)


def joined(system: str, user: str) -> str:
    """A member's text as templates see it: the system text, an empty line, the user text."""
    return system + PARTS + user if system and user else system or user


def escaped(text: str) -> str:
    """Literal text inside a template: braces doubled."""
    return text.replace("{", "{{").replace("}", "}}")


def extract(members: Sequence[tuple[str, str]], *, sample: int = SAMPLE, seed: int = 0) -> Template:
    """The template of `members` (system, user); `sample` of the distinct ones decide what is fixed.

    They are chosen by content: neither the order of the members nor copies of one change the template. The slots
    are described from all members given.
    """
    if not members:
        raise ValueError("a template needs at least one member")
    chosen = _sampled(members, sample, seed)
    body = sequences([joined(*member) for member in chosen])
    typical, index, starts, to_end = _fixed(body)
    fixed = body.of(typical)[index]
    placed = place(fixed, starts, to_end, body.hashes, body.offsets)
    kinds = body.kinds[body.offsets[typical] :][index]
    keep = _without_loose_edges(placed, starts, kinds) & ~_chance_runs(body, fixed, starts)
    keep &= (placed >= 0).mean(axis=0) >= SUPPORT
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(keep)])[starts]
    fixed, placed = fixed[keep], np.ascontiguousarray(placed[:, keep])
    starts = starts[np.concatenate([[True], starts[1:] > starts[:-1]])]
    runs, slot_gaps = _slots(body, placed, starts, typical)
    everyone = body if list(members) == chosen else sequences([joined(*member) for member in members])
    fillings = _fill(everyone, fixed, runs, slot_gaps)
    return Template(
        text=_printed(body, placed, runs, slot_gaps) if len(body) > 1 else escaped(joined(*chosen[0])),
        slots=describe(fillings),
        role=_role(body, placed, [len(system.encode()) for system, _ in chosen]),
        fixed=fixed,
        runs=runs,
        slot_gaps=slot_gaps,
        support=float((placed >= 0).mean()) if placed.size else 1.0,
        sampled=len(chosen),
        fillings=fillings,
    )


def verbatim(system: str, user: str) -> Template:
    """The template of exact copies: the text itself, without slots."""
    share = len(system) / max(len(system) + len(user), 1)
    none = np.zeros(0, np.uint64)
    return Template(
        text=escaped(joined(system, user)),
        slots=(),
        role="system" if share >= ROLE_SHARE else "user" if share <= 1 - ROLE_SHARE else "both",
        fixed=none,
        runs=np.zeros(1, np.int64),
        slot_gaps=(),
        support=1.0,
        sampled=1,
        fillings=Fillings(((),), np.zeros((1, 0, 2), np.int32), none, (1.0,)),
    )


def _fill(body: Sequences, fixed: UInt64s, runs: Int64s, slot_gaps: tuple[int, ...]) -> Fillings:
    to_end = len(runs) - 1 not in slot_gaps
    return cut(body, place(fixed, runs, to_end, body.hashes, body.offsets), runs, slot_gaps)


def _sampled(members: Iterable[tuple[str, str]], sample: int, seed: int) -> list[tuple[str, str]]:
    """At most `sample` of the distinct members, by a keyed hash of their text: the same ones in any order."""
    distinct = sorted(set(members))
    if len(distinct) <= sample:
        return distinct
    key = seed.to_bytes(8, "little", signed=True)
    order = sorted(distinct, key=lambda m: hashlib.blake2b(joined(*m).encode(), digest_size=8, key=key).digest())
    return sorted(order[:sample])


def _fixed(body: Sequences) -> tuple[int, Int64s, Int64s, bool]:
    """The typical member, the indices of its fixed tokens, the offsets of their runs, and if they reach the end.

    A token is fixed if a 3-shingle over it is held by enough members; two neighbours belong to one run if one such
    shingle spans both. Where many more tokens are held by some members only (typing errors, changed words break
    three shingles each), the tokens are voted on one by one.
    """
    members = len(body)
    owner, position, shingle = _shingles(body)
    values, inverse = np.unique(shingle, return_inverse=True)
    pairs = np.sort(inverse.astype(np.int64) * members + owner)
    pairs = pairs[np.append(True, pairs[1:] != pairs[:-1])[: len(pairs)]]
    holders = np.bincount(pairs // members, minlength=len(values))
    weight = np.where(holders >= min(members, 3), holders, 0)
    shared = np.bincount(pairs % members, (weight / members)[pairs // members] ** 6.0, members)
    typical = _typical(shared.astype(np.float64), np.diff(body.offsets))
    own = owner == typical
    held, first = holders[inverse[own]], position[own]
    count = len(body.of(typical))
    covered, spanned = _coverage(first[held >= HELD_BY * members], count)
    loosely, spans = _coverage(first[held >= max(LOOSELY * members, min(members, 3))], count)
    if covered.sum() < CLEAN * loosely.sum():
        covered, spanned = _voted(body, typical, loosely), spans
    index = np.flatnonzero(covered).astype(np.int64)
    new_run = np.ones(len(index), np.bool_)
    new_run[1:] = (np.diff(index) > 1) | ~spanned[index[1:]]
    starts = np.append(np.flatnonzero(new_run), len(index)).astype(np.int64)
    return typical, index, starts, bool(spanned[count])


def _typical(shared: Floats64, lengths: Int64s) -> int:
    """The member that shares most with the others; of equals one of middling length."""
    best = shared == shared.max()
    return int(np.lexsort((lengths, np.abs(lengths - np.median(lengths[best])), ~best))[0])


def _coverage(first: Int64s, count: int) -> tuple[Bools, Bools]:
    """Tokens under 3-shingles that begin at `first` (0: the beginning mark), and tokens spanned with the one before.

    The second has one entry more: whether the last token is spanned with the end mark.
    """
    marked = np.zeros(count + 4, np.bool_)
    spanned = np.zeros(count + 4, np.bool_)
    for shift in range(3):
        marked[first + shift] = True
        if shift:
            spanned[first + shift] = True
    return marked[1 : count + 1], spanned[1 : count + 2]


def _voted(body: Sequences, typical: int, candidates: Bools) -> Bools:
    """Those candidate tokens of the typical member that nearly as many members hold as hold the best of them."""
    index = np.flatnonzero(candidates)
    whole = np.array([0, len(index)], np.int64)
    placed = place(body.of(typical)[index], whole, False, body.hashes, body.offsets)
    support = (placed >= 0).mean(axis=0)
    kept = np.zeros_like(candidates)
    kept[index[support >= max(HELD_BY * np.quantile(support, 0.75), SUPPORT)]] = True
    return kept


def _shingles(body: Sequences) -> tuple[Int64s, Int64s, UInt64s]:
    """Every 3-shingle of every member between a beginning and an end mark: owner, position, hash."""
    members = len(body)
    lengths = np.diff(body.offsets)
    framed = np.empty(len(body.hashes) + 2 * members, np.uint64)
    first = body.offsets[:-1] + 2 * np.arange(members)
    inside = np.ones(len(framed), np.bool_)
    inside[first] = inside[first + lengths + 1] = False
    framed[inside] = body.hashes
    framed[first], framed[first + lengths + 1] = _BOS, _EOS
    owner = np.repeat(np.arange(members), lengths + 2)
    position = np.arange(len(framed)) - first[owner]
    starts = np.flatnonzero(position + 2 < (lengths + 2)[owner])
    hashes = (framed[starts] * _M1) ^ (framed[starts] >> np.uint64(31))
    for shift in (1, 2):
        hashes = (hashes ^ framed[starts + shift]) * _M2
        hashes ^= hashes >> np.uint64(29)
    return owner[starts], position[starts], hashes


def _without_loose_edges(placed: Int32s, runs: Int64s, kinds: UInt8s) -> Bools:
    """Which fixed tokens stay: punctuation beside a slot goes if some members have its neighbour without it."""
    keep = np.ones(placed.shape[1], np.bool_)
    for first, last in zip(runs[:-1].tolist(), runs[1:].tolist(), strict=True):
        for edge, step in ((first, 1), (last - 1, -1)):
            while first <= edge + step < last and kinds[edge] == PUNCT:
                neighbour = placed[:, edge + step]
                beside = (neighbour >= 0) & (placed[:, edge] == neighbour - step)
                if beside.sum() >= EDGE_KEEPS * (neighbour >= 0).sum():
                    break
                keep[edge] = False
                edge += step
    return keep


def _chance_runs(body: Sequences, fixed: UInt64s, runs: Int64s) -> Bools:
    """Fixed tokens in runs of up to three that are all over the members anyway: no evidence."""
    values, times = np.unique(body.hashes, return_counts=True)
    known, own = np.unique(fixed, return_counts=True)
    usual = times[np.searchsorted(values, known)] / len(body) >= own + CHANCE
    common = usual[np.searchsorted(known, fixed)]
    chance = np.zeros(len(fixed), np.bool_)
    for first, last in zip(runs[:-1].tolist(), runs[1:].tolist(), strict=True):
        chance[first:last] = last - first <= SHORT_RUN and common[first:last].all()
    return chance


def _slots(body: Sequences, placed: Int32s, starts: Int64s, typical: int) -> tuple[Int64s, tuple[int, ...]]:
    """Runs and the gaps beside them that are slots; runs with nothing between them become one."""
    first, after = bounds(placed, starts, np.diff(body.offsets))
    filled = (after > first).mean(axis=0) > FILLED_BY
    filled |= after[typical] > first[typical]
    keep = filled.copy()
    keep[0] = keep[-1] = True
    runs = starts[keep]
    return runs, tuple(np.flatnonzero(filled[keep]).tolist())


def _printed(body: Sequences, placed: Int32s, runs: Int64s, slot_gaps: tuple[int, ...]) -> str:
    """The template's text: runs in their majority spelling, slots with the white space around them."""
    first, after = bounds(placed, runs, np.diff(body.offsets))
    parts: list[str] = []
    for gap in range(len(runs)):
        if gap in slot_gaps:
            left, right = _around(body, first[:, gap], after[:, gap])
            parts += [escaped(left), f"{{{slot_gaps.index(gap) + 1}}}", escaped(right)]
        elif gap in (0, len(runs) - 1):
            parts.append(escaped(_margin(body, first[:, gap], after[:, gap], at_start=gap == 0)))
        if gap + 1 < len(runs):
            parts.append(escaped(_spelled(body, placed[:, runs[gap] : runs[gap + 1]])))
    return "".join(parts)


def _around(body: Sequences, first: Int32s, after: Int32s) -> tuple[str, str]:
    """What most members have between a slot's filling and the fixed text before and after it: white space, markup."""
    left, right = Counter[bytes](), Counter[bytes]()
    for member in np.flatnonzero(after > first).tolist():
        at, raw = int(body.offsets[member]), body.raw[member]
        begin, end, size = int(first[member]), int(after[member]), int(body.offsets[member + 1]) - at
        left[raw[body.ends[at + begin - 1] if begin else 0 : body.starts[at + begin]]] += 1
        right[raw[body.ends[at + end - 1] : body.starts[at + end] if end < size else len(raw)]] += 1
    return _most(left), _most(right)


def _margin(body: Sequences, first: Int32s, after: Int32s, at_start: bool) -> str:
    """What most members have outside a fixed text that reaches the edge: nothing, or markup."""
    ends = Counter[bytes]()
    for member in np.flatnonzero(after == first).tolist():
        begin, end, raw = int(body.offsets[member]), int(body.offsets[member + 1]), body.raw[member]
        if begin < end:
            ends[raw[: body.starts[begin]] if at_start else raw[body.ends[end - 1] :]] += 1
    return _most(ends)


def _spelled(body: Sequences, placed: Int32s) -> str:
    """A run as most members write it; where no two agree, token by token."""
    whole = np.flatnonzero((placed >= 0).all(axis=1) & (placed[:, -1] - placed[:, 0] == placed.shape[1] - 1))
    spellings = Counter(_raw(body, m, int(placed[m, 0]), int(placed[m, -1])) for m in whole.tolist())
    best = _most(spellings)
    if spellings.total() and 2 * spellings[best.encode()] >= spellings.total():
        return best
    out = ""
    for i in range(placed.shape[1]):
        if i:
            near = np.flatnonzero((placed[:, i] >= 0) & (placed[:, i - 1] == placed[:, i] - 1))
            out += _most(Counter(_between(body, m, int(placed[m, i])) for m in near.tolist()))
        has = np.flatnonzero(placed[:, i] >= 0)
        out += _most(Counter(_raw(body, m, int(placed[m, i]), int(placed[m, i])) for m in has.tolist()))
    return out


def _raw(body: Sequences, member: int, first: int, last: int) -> bytes:
    at = body.offsets[member]
    return body.raw[member][body.starts[at + first] : body.ends[at + last]]


def _between(body: Sequences, member: int, token: int) -> bytes:
    at = body.offsets[member] + token
    return body.raw[member][body.ends[at - 1] : body.starts[at]]


def _most(counts: Counter[bytes]) -> str:
    """The most frequent; of equals the one in plainest characters, then the shortest, then the first in order."""
    if not counts:
        return ""
    best = min(counts, key=lambda raw: (-counts[raw], not raw.isascii(), len(raw), raw))
    return best.decode("utf-8", "replace")


def _role(body: Sequences, placed: Int32s, boundaries: Sequence[int]) -> str:
    """system, user or both: where most members have the fixed tokens."""
    if not placed.shape[1]:
        return "user"
    has = placed >= 0
    ends = body.ends[np.where(has, placed + body.offsets[:-1, None], 0)]
    inside = (has & (ends <= np.asarray(boundaries)[:, None])).sum(axis=1) / np.maximum(has.sum(axis=1), 1)
    roles = Counter(
        "system" if share >= ROLE_SHARE else "user" if share <= 1 - ROLE_SHARE else "both" for share in inside.tolist()
    )
    role, count = max(sorted(roles.items()), key=lambda item: item[1])
    return role if count >= ROLE_SHARE * len(boundaries) else "both"
