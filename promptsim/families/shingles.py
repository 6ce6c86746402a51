"""Corpus → Repeats: which shingles recur, in which prompts, at which tokens.

Second stage of `mine`. A shingle is k tokens in a row anywhere, or fewer at a line's start or end. A saturating count
sketch throws away what stands in too few prompts before anything is stored for it, so memory follows what recurs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numba import njit

from promptsim.families.corpus import Corpus
from promptsim.lookahead import in_spans, mapped
from promptsim.records import Bools, Int32s, Int64s, UInt8s, UInt64s

PLAIN, STARTS, STOPS = 0, 1, 2  # kinds of a shingle: anywhere, at a line's start, at a line's end …
NAMES, OPENS, CLOSES = 3, 4, 5  # … and a word with a colon at a line's start, at a text's, and on its last line alone
MOST_NAMES = 32  # of one text
NAME = 2  # tokens of such a name of what follows ("Question: …"): shorter than any other shingle
COLON = np.uint64(0x0C32B97184F22E60)  # the token, as a test holds; asking for it would compile the tokeniser
LARGEST_SKETCH = 1 << 28
BLOCK = 1 << 19  # tokens whose shingles are sought at once
FEW = 32  # keys that are sorted sooner by insertion

_Candidates = tuple[UInt64s, Int32s, UInt8s, Int64s]  # hash, place and kind of occurrences, and how many a prompt has


@dataclass(frozen=True, slots=True)
class Repeats:
    """Shingles that recur: occurrence j is shingle `shingle[j]` at token `place[j]` of its prompt.

    `fresh[j]` marks the first of a shingle in its prompt. Prompt d has occurrences `of_prompt[d]:of_prompt[d+1]`.
    Shingle s stands in prompts `posting[of_shingle[s]:of_shingle[s+1]]`, ascending and without repeats.
    """

    shingle: Int32s
    place: Int32s
    fresh: Bools
    of_prompt: Int64s
    hashes: UInt64s
    kinds: UInt8s
    posting: Int32s
    of_shingle: Int64s

    def df(self) -> Int64s:
        return np.diff(self.of_shingle)


@njit(cache=True, nogil=True, inline="always")
def mixed(x):  # type: ignore[no-untyped-def]
    """Spread the bits of a 64-bit number (splitmix64's finish)."""
    x = np.uint64(x)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit(cache=True, nogil=True)
def slots_for(keys):  # type: ignore[no-untyped-def]
    """Places of a hash table for so many keys: a power of two, at least half of them free."""
    slots = 16
    while slots < 2 * keys:
        slots *= 2
    return slots


@njit(cache=True, nogil=True, inline="always")
def shingle_at(tokens, i, k, kind):  # type: ignore[no-untyped-def]
    """Hash of the k tokens from i, other for each kind."""
    h = np.uint64(0x9E3779B97F4A7C15) * np.uint64(kind + 1)
    for j in range(i, i + k):
        h = h * np.uint64(0xD6E8FEB86659FD93) + tokens[j]
    return mixed(h)


@njit(cache=True, nogil=True, inline="always")
def _plain_of(tokens, lo, hi, k, hashes):  # type: ignore[no-untyped-def]
    """`shingle_at` for each run of k tokens: token by token for all of them, which is done for eight at once."""
    count = max(hi - lo - k + 1, 0)
    hashes[:count] = np.uint64(0x9E3779B97F4A7C15)
    for j in range(lo, lo + k):
        for i in range(count):
            hashes[i] = hashes[i] * np.uint64(0xD6E8FEB86659FD93) + tokens[j + i]
    for i in range(count):
        hashes[i] = mixed(hashes[i])


@njit(cache=True, nogil=True)
def shingles_of(tokens, flags, lo, hi, k, anchored, hashes, places, kinds):  # type: ignore[no-untyped-def]
    """Write the shingles of tokens lo…hi (one part of a prompt); returns how many. Room for 4·(hi−lo) is enough."""
    plain = hashes[3 * (hi - lo) :]  # behind what is written before the last of these is read
    _plain_of(tokens, lo, hi, k, plain)
    n = 0
    for i in range(lo, hi):
        if i + k <= hi:
            hashes[n] = plain[i - lo]
            places[n] = i
            kinds[n] = 0
            n += 1
        if flags[i] & 1 and i + anchored <= hi:
            hashes[n] = shingle_at(tokens, i, anchored, 1)
            places[n] = i
            kinds[n] = 1
            n += 1
        if flags[i] & 2 and i + 1 - anchored >= lo:
            hashes[n] = shingle_at(tokens, i + 1 - anchored, anchored, 2)
            places[n] = i + 1 - anchored
            kinds[n] = 2
            n += 1
    return _names_of(tokens, flags, lo, hi, hashes, places, kinds, n)


@njit(cache=True, nogil=True, inline="always")
def _is_name(tokens, flags, i):  # type: ignore[no-untyped-def]
    """Whether a word at a line's start and a colon stand there."""
    return flags[i] & 1 > 0 and tokens[i + 1] == COLON


@njit(cache=True, nogil=True)
def _names_of(tokens, flags, lo, hi, hashes, places, kinds, n):  # type: ignore[no-untyped-def]
    """Write the names of what follows after the n shingles that are there; returns how many there are then.

    A form names each of its fields once. What stands at several lines is who speaks, and many names are a list.
    """
    first = n
    for i in range(lo, hi - 1):
        if _is_name(tokens, flags, i):
            if n - first == MOST_NAMES:
                return first
            kind = OPENS if i == lo else CLOSES if i + NAME == hi else NAMES
            hashes[n] = shingle_at(tokens, i, NAME, kind)
            places[n] = i
            kinds[n] = kind
            n += 1
    kept = first
    for j in range(first, n):
        once = True
        for other in range(first, n):
            once &= other == j or tokens[places[other]] != tokens[places[j]]
        if not once:
            kinds[j] = PLAIN
    for j in range(first, n):
        if kinds[j] != PLAIN:
            hashes[kept], places[kept], kinds[kept] = hashes[j], places[j], kinds[j]
            kept += 1
    return kept


@njit(cache=True, nogil=True)
def texts_of_many_names(tokens, flags, bounds):  # type: ignore[no-untyped-def]
    """In how many texts nothing is taken for the name of a field, because there are too many."""
    out = 0
    for part in range(len(bounds) - 1):
        n = 0
        for i in range(bounds[part], bounds[part + 1] - 1):
            n += _is_name(tokens, flags, i)
        out += n > MOST_NAMES
    return out


@njit(cache=True, nogil=True, inline="always")
def width_of(kind, k, anchored):  # type: ignore[no-untyped-def]
    """Tokens in a shingle of this kind."""
    if kind == 0:
        return k
    return NAME if kind >= NAMES else anchored


@njit(cache=True, nogil=True)
def put_in_order(keys):  # type: ignore[no-untyped-def]
    """Sort keys in place: a few by insertion, which takes no memory for it."""
    if len(keys) > FEW:
        keys[:] = np.sort(keys)
        return
    for i in range(1, len(keys)):
        key = keys[i]
        j = i
        while j > 0 and keys[j - 1] > key:
            keys[j] = keys[j - 1]
            j -= 1
        keys[j] = key


@njit(cache=True, nogil=True)
def distinct_of(keys):  # type: ignore[no-untyped-def]
    """How many distinct keys there are; puts them in order."""
    put_in_order(keys)
    out = min(len(keys), 1)
    for i in range(1, len(keys)):
        out += keys[i] != keys[i - 1]
    return out


@njit(cache=True, nogil=True)
def distinct_weight(tokens, flags, fixed):  # type: ignore[no-untyped-def]
    """Distinct tokens among those marked `fixed`, punctuation half: what a fixed text says, repeats left out."""
    chosen = np.empty(2 * len(tokens), np.uint64)
    puncts = chosen[len(tokens) :]
    n, n_puncts = 0, 0
    for t in range(len(tokens)):
        if fixed[t]:
            chosen[n] = tokens[t]
            n += 1
            if flags[t] & 4:
                puncts[n_puncts] = tokens[t]
                n_puncts += 1
    return distinct_of(chosen[:n]) - 0.5 * distinct_of(puncts[:n_puncts])


@njit(cache=True, nogil=True)
def words_key(tokens, flags, fixed):  # type: ignore[no-untyped-def]
    """A number that texts of the same words share, whatever their marks: of the distinct words marked `fixed`."""
    chosen = np.empty(len(tokens), np.uint64)
    n = 0
    for t in range(len(tokens)):
        if fixed[t] and not flags[t] & 4:
            chosen[n] = tokens[t]
            n += 1
    put_in_order(chosen[:n])
    key = np.uint64(0)
    for i in range(n):
        if i == 0 or chosen[i] != chosen[i - 1]:
            key += mixed(chosen[i])
    return key


@njit(cache=True, nogil=True)
def closed_edges(flags, middle, fixed):  # type: ignore[no-untyped-def]
    """1: the fixed text that a part of a prompt begins with goes on to a mark or a line's end, 2: what one ends with
    comes after a mark or begins a line, 3: both. Sentences begin and end with the same few words; forms have limits.
    """
    edges = 0
    for lo, hi in ((0, middle), (middle, len(flags))):
        t = lo
        limit = False
        while t < hi and fixed[t]:
            limit |= flags[t] & 2 > 0
            t += 1
        if t > lo and (limit or flags[t - 1] & 4):
            edges |= 1
        t = hi
        limit = False
        while t > lo and fixed[t - 1]:
            t -= 1
            limit |= flags[t] & 1 > 0
        if t < hi and (limit or flags[t - 1] & 4):
            edges |= 2
    return edges


@njit(cache=True, nogil=True)
def _sketch(tokens, flags, bounds, k, anchored, bits, longest):  # type: ignore[no-untyped-def]
    """Saturating counts of shingles by hash."""
    counts = np.zeros(1 << bits, np.uint8)
    shift = np.uint64(64 - bits)
    hashes = np.empty(4 * longest + 4, np.uint64)
    places = np.empty(4 * longest + 4, np.int64)
    kinds = np.empty(4 * longest + 4, np.uint8)
    for part in range(len(bounds) - 1):
        n = shingles_of(tokens, flags, bounds[part], bounds[part + 1], k, anchored, hashes, places, kinds)
        for j in range(n):
            cell = hashes[j] >> shift
            if counts[cell] < 255:
                counts[cell] += 1
    return counts


@njit(cache=True, nogil=True)
def _add(counts, more):  # type: ignore[no-untyped-def]
    """Add saturating counts to others."""
    for cell in range(len(counts)):
        counts[cell] = min(np.uint16(255), np.uint16(counts[cell]) + np.uint16(more[cell]))


@njit(cache=True, nogil=True)
def _candidates(tokens, flags, bounds, k, anchored, bits, counts, support, longest):  # type: ignore[no-untyped-def]
    """Occurrences of shingles whose cell holds enough: hash, place and kind; and how many each prompt has."""
    room = 4 * (bounds[-1] - bounds[0]) + 4
    hash_of, place, kind = np.empty(room, np.uint64), np.empty(room, np.int32), np.empty(room, np.uint8)
    found = np.zeros((len(bounds) - 1) // 2, np.int64)
    shift = np.uint64(64 - bits)
    hashes = np.empty(4 * longest + 4, np.uint64)
    places = np.empty(4 * longest + 4, np.int64)
    kinds = np.empty(4 * longest + 4, np.uint8)
    filled = 0
    for part in range(len(bounds) - 1):
        prompt, before = part // 2, filled
        n = shingles_of(tokens, flags, bounds[part], bounds[part + 1], k, anchored, hashes, places, kinds)
        for j in range(n):  # no branch: the cells, far apart in memory, are fetched side by side
            hash_of[filled], place[filled], kind[filled] = hashes[j], places[j] - bounds[2 * prompt], kinds[j]
            filled += counts[hashes[j] >> shift] >= support
        found[prompt] += filled - before
    return hash_of[:filled], place[:filled], kind[:filled], found


@njit(cache=True, nogil=True)
def _number(hash_of, kind_of, table, known, known_kind, n_known, out):  # type: ignore[no-untyped-def]
    """Write the number of each occurrence's shingle, by first appearance; returns how many are known then.

    -1 if the table, in which a hash has its number beside it, would be more than half full.
    """
    mask = np.uint64(len(table) - 1)
    for j in range(len(hash_of)):
        h = hash_of[j]
        slot = h & mask
        while table[slot, 1] > 0 and table[slot, 0] != h:
            slot = (slot + np.uint64(1)) & mask
        if table[slot, 1] == 0:
            if n_known >= len(known):
                return -1
            known[n_known], known_kind[n_known] = h, kind_of[j]
            n_known += 1
            table[slot, 0], table[slot, 1] = h, n_known
        out[j] = table[slot, 1] - np.uint64(1)
    return n_known


@njit(cache=True, nogil=True)
def _postings(shingle, place, of_prompt, n_shingles, support):  # type: ignore[no-untyped-def]
    """Exact prompts of each shingle that stands in `support` prompts, which these are, and which occurrences are fresh.

    The occurrences of the others are taken out, in place, and their shingles renumbered; how many are left comes last.
    """
    seen = np.zeros((n_shingles, 2), np.int32)  # in how many prompts; beside it in memory the last of them, from 1 on
    fresh = np.empty(len(shingle), np.bool_)
    for prompt in range(len(of_prompt) - 1):
        for j in range(of_prompt[prompt], of_prompt[prompt + 1]):
            s = shingle[j]
            fresh[j] = seen[s, 1] != prompt + 1
            seen[s, 0] += fresh[j]
            seen[s, 1] = prompt + 1
    number = np.full((n_shingles, 2), -1, np.int64)  # and, beside it in memory, where its next prompt goes
    kept, total = 0, 0
    for s in range(n_shingles):
        if seen[s, 0] >= support:
            number[s, 0], number[s, 1] = kept, total
            kept, total = kept + 1, total + seen[s, 0]
    of_shingle = np.empty(kept + 1, np.int64)
    of_shingle[kept] = total
    for s in range(n_shingles):
        if number[s, 0] >= 0:
            of_shingle[number[s, 0]] = number[s, 1]
    posting = np.empty(total, np.int32)
    filled, first = 0, 0
    for prompt in range(len(of_prompt) - 1):
        last_of = of_prompt[prompt + 1]
        for j in range(first, last_of):
            s = shingle[j]
            if number[s, 0] < 0:
                continue
            if fresh[j]:
                posting[number[s, 1]] = prompt
                number[s, 1] += 1
            shingle[filled], place[filled], fresh[filled] = number[s, 0], place[j], fresh[j]
            filled += 1
        first = last_of
        of_prompt[prompt + 1] = filled
    return number[:, 0] >= 0, of_shingle, posting, fresh[:filled], filled


@njit(cache=True, nogil=True)
def _keep(shingle, place, fresh, of_prompt, renumbered, out_shingle, out_place, out_fresh, out_of):  # type: ignore[no-untyped-def]
    """Write the occurrences of the shingles that stay, under their new numbers; returns how many."""
    filled = 0
    for prompt in range(len(of_prompt) - 1):
        for j in range(of_prompt[prompt], of_prompt[prompt + 1]):
            r = renumbered[shingle[j]]
            if r >= 0:
                out_shingle[filled] = r
                out_place[filled] = place[j]
                out_fresh[filled] = fresh[j]
                filled += 1
        out_of[prompt + 1] = filled
    return filled


def repeats(corpus: Corpus, k: int, anchored: int, support: int) -> Repeats:
    """Every shingle that stands in at least `support` prompts, with its occurrences."""
    shingle, place, of_prompt, known, kinds = _frequent(corpus, k, anchored, support)
    kept, of_shingle, posting, fresh, filled = _postings(shingle, place, of_prompt, len(known), support)
    return Repeats(shingle[:filled], place[:filled], fresh, of_prompt, known[kept], kinds[kept], posting, of_shingle)


def _frequent(corpus: Corpus, k: int, anchored: int, support: int) -> tuple[Int32s, Int32s, Int64s, UInt64s, UInt8s]:
    """Occurrences of what may stand in `support` prompts, with their places; which are whose; hashes and kinds."""
    longest = int(np.diff(corpus.bounds).max(initial=0))
    bits = int(np.clip(np.ceil(np.log2(max(4 * len(corpus.tokens), 1024))), 10, np.log2(LARGEST_SKETCH)))
    counts, *others = in_spans(
        lambda lo, hi: _sketch(corpus.tokens, corpus.flags, corpus.bounds[lo : hi + 1], k, anchored, bits, longest),
        corpus.bounds,
    )
    for more in others:
        _add(counts, more)
    slots = 1 << int(np.ceil(np.log2(3 * np.count_nonzero(counts >= support) + 1024)))

    def some(span: tuple[int, int]) -> _Candidates:
        bounds = corpus.bounds[2 * span[0] : 2 * span[1] + 1]
        found: _Candidates = _candidates(
            corpus.tokens, corpus.flags, bounds, k, anchored, bits, counts, support, longest
        )
        return found

    while True:
        numbered = _numbered(mapped(some, _blocks(corpus)), 4 * len(corpus.tokens), slots)
        if numbered is not None:
            return numbered
        slots *= 2


def _blocks(corpus: Corpus) -> Iterator[tuple[int, int]]:
    """Prompts in blocks of about BLOCK tokens, which fit the processor's memory with what is found in them."""
    of = corpus.bounds[::2]
    inner = np.searchsorted(of, np.arange(BLOCK, int(of[-1]), BLOCK))
    return pairwise([0, *inner.tolist(), len(corpus)])


def _numbered(
    parts: Iterable[_Candidates], room: int, slots: int
) -> tuple[Int32s, Int32s, Int64s, UInt64s, UInt8s] | None:
    """The candidates with the shingles numbered: see `_frequent`. None if there are too many shingles for `slots`.

    They are numbered one by one, while the next ones are sought.
    """
    shingle, place = np.empty(room, np.int32), np.empty(room, np.int32)
    table = np.zeros((slots, 2), np.uint64)
    known, known_kind = np.empty(slots // 2, np.uint64), np.empty(slots // 2, np.uint8)
    n_known, filled, counts = 0, 0, [np.zeros(1, np.int64)]
    for hashes, places, kinds, found in parts:
        n_known = _number(hashes, kinds, table, known, known_kind, n_known, shingle[filled:])
        if n_known < 0:
            return None
        place[filled : filled + len(places)] = places
        filled += len(places)
        counts.append(found)
    of_prompt = np.cumsum(np.concatenate(counts))
    return shingle[:filled], place[:filled], of_prompt, known[:n_known], known_kind[:n_known]


def drop(repeats: Repeats, keep: np.ndarray) -> Repeats:
    """The same without the shingles that are not in `keep`."""
    renumbered = np.where(keep, np.cumsum(keep) - 1, -1).astype(np.int32)
    shingle, place, fresh = np.empty_like(repeats.shingle), np.empty_like(repeats.place), np.empty_like(repeats.fresh)
    of_prompt = np.zeros_like(repeats.of_prompt)
    filled = _keep(
        repeats.shingle, repeats.place, repeats.fresh, repeats.of_prompt, renumbered, shingle, place, fresh, of_prompt
    )
    sizes = repeats.df()
    posting = repeats.posting[np.repeat(keep, sizes)]
    of_shingle = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes[keep])])
    return Repeats(
        shingle[:filled], place[:filled], fresh[:filled], of_prompt, repeats.hashes[keep], repeats.kinds[keep],
        posting, of_shingle,
    )  # fmt: skip
