"""rows of a segment → FAISS inverted lists of one-bit codes in files → candidate rows for a query.

A segment's index is `RR,IVF{lists},RaBitQ`: a random rotation, a k-means of the space, and one bit for each dimension
of what is left (40 bytes a row of 256 dimensions, and 8 for its number). Codes only choose candidates; the stored
vectors score them. Against product quantisation it needs no training beyond the k-means, scans faster and finds more.

Templates make crowds: of 14 million prompts in 4,096 lists two fifths lay in lists of more than 20,000, and those are
where queries fall. So there are few lists at first, and each crowded one is split by a k-means of its own, for which
only its rows are looked at: the same neighbours are found among a third fewer codes, in a third of the time to build.

Two files hold it: NAME.faiss (rotation, centroids: read) and NAME.lists (codes and numbers, list after list: mapped).
FAISS's own mapped format would do, but its lists grow by moving; here each row's place is known before it is written,
so building streams, and each list's bytes can be checked before they are scanned. FAISS makes the codes and finds the
lists of a query; `scan` reads them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numba import njit

from promptsim.errors import DamagedError
from promptsim.index.rows import Halves
from promptsim.index.scan import FACTORS, LANES, WORD, scan
from promptsim.index.seal import Seal, SealedFile, seal
from promptsim.index.threads import both
from promptsim.order import order_of
from promptsim.pages import in_order, let_go
from promptsim.progress import Stage
from promptsim.records import Bools, Floats, Int32s, Int64s, UInt8s

SEED = 20261123
NUMBER_BYTES = 8
PIECE = 4  # bytes of a code that stay together: half a word, or a factor
MOST_LISTS = 1024  # before crowded ones are split: twice as many cost twice as long to build
CROWDED, PART = 4_000, 2_000  # rows of a list that is split, and of each part
THREADS = 2
MANY_ROWS, MANY_QUERIES = 50_000, 16  # from here on a second thread gains more than its start costs …
MUCH_SCANNED = 300_000  # … and from so many codes for one query
BLOCK_ROWS = 1 << 15
QUANTISER, SIZES, LISTS = ".faiss", ".sizes", ".lists"
Part = tuple[Floats, Int64s]  # estimated cosines and prompt numbers


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a segment is built: about 4 √n lists, a k-means over a seeded sample of `sample` rows a list; lists of more
    than `crowded` rows are split into some of about `part`.
    """

    most_lists: int = MOST_LISTS
    crowded: int = CROWDED
    part: int = PART
    sample: int = 32
    rounds: int = 8
    seed: int = SEED

    def lists_for(self, rows: int) -> int:
        """At least 16 lists, and at least 8 rows for each."""
        return int(max(16, min(4 * max(1, rows) ** 0.5, rows / 8, self.most_lists)))


def build(name: Path, vectors: Halves, start: int, stop: int, tuning: Tuning, stage: Stage) -> dict[str, Seal]:
    """Write the lists of rows [start, stop) beside `name`; the seals of its files. Rows of zeros are left out."""
    _use_threads(stop - start >= MANY_ROWS)
    in_order(vectors)
    index = _trained(vectors, start, stop, tuning)
    places = _assign(index, vectors, start, stop, stage)
    places = _split(index, vectors, start, places, tuning, stage)
    ivf = _ivf(index)
    sizes = np.bincount(places[places >= 0], minlength=ivf.nlist).astype(np.int64)
    _write_lists(_beside(name, LISTS), index, vectors, start, places, sizes, stage)
    _beside(name, QUANTISER).write_bytes(faiss.serialize_index(index).tobytes())
    _beside(name, SIZES).write_bytes(sizes.astype("<i8").tobytes())
    return _sealed(name)


def thin(held: Lists, alive: Bools, name: Path) -> dict[str, Seal]:
    """Write the lists again without erased prompts; the quantiser's file must lie beside `name` already."""
    width, starts = held.code_size, held.starts
    sizes = np.zeros(held.count, np.int64)
    with _beside(name, LISTS).open("wb") as out:
        for i, size in enumerate(held.sizes.tolist()):
            data = held.file.bytes[starts[i] : starts[i + 1]]
            numbers = data[int(_capacity(held.sizes[i])) * width :].view("<i8")[:size]
            stays = np.flatnonzero(alive[numbers])
            sizes[i] = len(stays)
            codes = np.zeros(int(_capacity(sizes[i])) * width // PIECE, "<u4")
            codes[_places(np.zeros_like(stays), np.arange(len(stays)), width)] = data.view("<u4")[
                _places(np.zeros_like(stays), stays, width)
            ]
            spare = int(_capacity(sizes[i]) - sizes[i])
            out.write(codes.tobytes() + numbers[stays].tobytes() + bytes(spare * NUMBER_BYTES))
    _beside(name, SIZES).write_bytes(sizes.astype("<i8").tobytes())
    return _sealed(name)


def _sealed(name: Path) -> dict[str, Seal]:
    files = seal(_beside(name, LISTS))
    for part in (QUANTISER, SIZES):
        files |= seal(_beside(name, part), whole_up_to=1 << 62)
    return files


def _beside(name: Path, part: str) -> Path:
    return name.with_name(name.name + part)


class Lists:
    """The inverted lists of one segment, mapped; searched only through bytes that were checked."""

    def __init__(self, name: Path, files: dict[str, Seal]) -> None:
        quantiser = SealedFile(_beside(name, QUANTISER), files)
        self.file = SealedFile(_beside(name, LISTS), files)
        self.sizes: Int64s = SealedFile(_beside(name, SIZES), files).array("<i8").astype(np.int64)
        self._index = faiss.deserialize_index(np.array(quantiser.bytes))
        self.rows = int(self.sizes.sum())
        self.count, self.code_size = _ivf(self._index).nlist, _ivf(self._index).code_size
        self.starts = _list_starts(self.sizes, self.code_size)
        if self.sizes.size != self.count or self.starts[-1] != self.file.bytes.size:
            raise DamagedError(f"{self.file.path}: its size does not fit the sizes of its lists")
        self._words = _ivf(self._index).d // WORD
        self._centroids = _ivf(self._index).quantizer.reconstruct_n(0, self.count)
        self._first = self.starts[:-1] // NUMBER_BYTES
        self._numbers = self._first + _capacity(self.sizes) * self.code_size // NUMBER_BYTES

    def candidates(self, queries: Floats, k: int, codes: int, mask: Bools | None = None) -> Int64s:
        """Prompt numbers [queries, k] that are likely the closest, among the `codes` nearest by list; -1 pads.

        A `mask` over prompt numbers leaves the others out (those beyond its end too).
        """
        _use_threads(len(queries) >= MANY_QUERIES)
        turned = _turned(self._index, queries)
        found = np.full((len(queries), k), -1, np.int64)
        for i, query in enumerate(turned):
            order = np.argsort(-_products(query, self._centroids), kind="stable")
            sizes = self.sizes[order]
            some = self._scan(query, k, order[np.cumsum(sizes) - sizes < codes], mask)
            found[i, : len(some)] = some
        return found

    def _scan(self, query: Floats, k: int, chosen: Int64s, mask: Bools | None) -> Int64s:
        """The numbers of the best k codes of the chosen lists."""
        self._check(chosen)
        data = self.file.bytes.view("<u8"), self._first, self._numbers, self.sizes
        allowed = np.zeros(0, np.bool_) if mask is None else mask

        much = int(self.sizes[chosen].sum()) >= MUCH_SCANNED
        held = -(-2 * k // 3) if much else k  # of many, hardly ever are more than two thirds in one half

        def part(lists: Int64s) -> Part:
            scores, found = scan(*data, lists, query, self._centroids, held, allowed, (0,) * self._words)
            return scores, found

        parts = both(part, chosen[::2], chosen[1::2]) if much else (part(chosen),)
        scores, found = np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
        return found if len(found) <= k else found[np.argpartition(-scores, k - 1)[:k]]

    def _check(self, chosen: Int64s) -> None:
        used = np.sort(chosen)
        self.file.check(self.starts[used], self.starts[used + 1])


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})  # type: ignore[untyped-decorator]
def _products(query: Any, centroids: Any) -> Any:
    """The product of a query with each centroid. A matrix library's threads would keep spinning beside the scan."""
    found = np.empty(len(centroids), np.float32)
    for i in range(len(centroids)):
        total = np.float32(0)
        for c in range(len(query)):
            total += query[c] * centroids[i, c]
        found[i] = total
    return found


def _use_threads(many: bool) -> None:
    faiss.omp_set_num_threads(THREADS if many else 1)


def _trained(vectors: Halves, start: int, stop: int, tuning: Tuning) -> Any:
    lists = tuning.lists_for(stop - start)
    wanted = min(stop - start, lists * tuning.sample)
    chosen = np.random.default_rng(tuning.seed).choice(stop - start, wanted, replace=False)
    sample = vectors[np.sort(chosen) + start].astype(np.float32)
    sample = sample[np.abs(sample).sum(axis=1) > 0]
    width = vectors.shape[1]
    whole = -(-width // WORD) * WORD  # the codes are read by words
    index = faiss.index_factory(width, f"RR{whole},IVF{lists},RaBitQ", faiss.METRIC_INNER_PRODUCT)
    if len(sample) < lists:  # nearly everything erased or empty: any centroids will do
        extra = np.random.default_rng(tuning.seed).standard_normal((lists, width)).astype(np.float32)
        sample = np.concatenate((sample, extra / np.linalg.norm(extra, axis=1, keepdims=True)))
    ivf = _ivf(index)
    ivf.cp.seed, ivf.cp.niter = tuning.seed, tuning.rounds
    ivf.cp.min_points_per_centroid, ivf.cp.max_points_per_centroid = 1, tuning.sample
    index.train(sample)
    return index


def _assign(index: Any, vectors: Halves, start: int, stop: int, stage: Stage) -> Int32s:
    """Each row's list, -1 for a row of zeros."""
    places = np.empty(stop - start, np.int32)
    quantiser = _ivf(index).quantizer
    for low in range(start, stop, BLOCK_ROWS):
        rows = vectors[low : min(stop, low + BLOCK_ROWS)].astype(np.float32)
        found = quantiser.search(_turned(index, rows), 1)[1][:, 0]
        found[~rows.any(axis=1)] = -1
        places[low - start : low - start + len(rows)] = found
        let_go(vectors)
        stage.advance(len(rows))
    return places


def _split(index: Any, vectors: Halves, start: int, places: Int32s, tuning: Tuning, stage: Stage) -> Int32s:
    """Split the crowded lists of `index`; each row's list among all, -1 for a row of zeros, written over `places`."""
    ivf = _ivf(index)
    sizes = np.bincount(places[places >= 0], minlength=ivf.nlist)
    parts = np.where(sizes > tuning.crowded, -(-sizes // tuning.part), 1)
    first = (np.cumsum(parts) - parts).astype(np.int64)
    centroids = np.repeat(ivf.quantizer.reconstruct_n(0, ivf.nlist), parts, axis=0)
    for crowd, rows in _samples(vectors, start, places, parts, tuning):
        means = faiss.Kmeans(
            ivf.d, int(parts[crowd]), niter=tuning.rounds, seed=tuning.seed, spherical=True,
            min_points_per_centroid=1, max_points_per_centroid=tuning.sample,
        )  # fmt: skip
        means.train(_turned(index, rows))
        centroids[first[crowd] : first[crowd] + parts[crowd]] = means.centroids
    if len(centroids) > ivf.nlist:
        ivf.quantizer.reset()
        ivf.quantizer.add(np.ascontiguousarray(centroids))
        ivf.nlist = len(centroids)
        empty: Any = faiss.ArrayInvertedLists(ivf.nlist, ivf.code_size)
        empty.this.disown()
        ivf.replace_invlists(empty, True)
    for low in range(0, places.size, BLOCK_ROWS):
        part = places[low : low + BLOCK_ROWS]
        inside = np.flatnonzero(part >= 0)
        crowded = inside[parts[part[inside]] > 1]
        turned = _turned(index, vectors[start + low + crowded].astype(np.float32))
        nearest = _nearest_part(turned, part[crowded], first, parts, centroids)
        part[inside] = first[part[inside]]
        part[crowded] += nearest
        let_go(vectors)
        stage.advance(len(part))
    return places


def _samples(
    vectors: Halves, start: int, places: Int32s, parts: Int64s, tuning: Tuning
) -> Iterator[tuple[int, Floats]]:
    """Of each list with several parts `sample` rows a part, drawn with the seed; read once, in the disk's order."""
    several = np.flatnonzero(places >= 0)
    several = several[parts[places[several]] > 1]
    several = np.random.default_rng(tuning.seed).permutation(several)
    several = several[order_of(places[several])]
    crowds, begin, size = np.unique(places[several], return_index=True, return_counts=True)
    wanted = np.minimum(size, tuning.sample * parts[crowds])
    chosen = np.concatenate([np.empty(0, np.int64), *(several[b : b + w] for b, w in zip(begin, wanted, strict=True))])
    order = order_of(chosen)
    rows = np.empty((chosen.size, vectors.shape[1]), vectors.dtype)
    rows[order] = vectors[start + chosen[order]]
    let_go(vectors)
    ends = np.cumsum(wanted)
    for crowd, end, count in zip(crowds.tolist(), ends.tolist(), wanted.tolist(), strict=True):
        yield crowd, rows[end - count : end].astype(np.float32)


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})  # type: ignore[untyped-decorator]
def _nearest_part(rows: Any, crowd: Any, first: Any, parts: Any, centroids: Any) -> Any:
    """For each row the nearest centroid among the parts of its crowd, counted from the first."""
    nearest = np.zeros(len(rows), np.int32)
    for i in range(len(rows)):
        best = np.float32(-np.inf)
        for p in range(parts[crowd[i]]):
            total = np.float32(0)
            for c in range(rows.shape[1]):
                total += rows[i, c] * centroids[first[crowd[i]] + p, c]
            if total > best:
                best, nearest[i] = total, p
    return nearest


def _write_lists(
    path: Path, index: Any, vectors: Halves, start: int, places: Int32s, sizes: Int64s, stage: Stage
) -> None:
    """Encode block by block and put every row's code and number where they belong, lists in ascending number."""
    ivf = _ivf(index)
    starts, width = _list_starts(sizes, ivf.code_size), ivf.code_size
    with path.open("wb") as file:
        if not starts[-1]:
            return
        if hasattr(os, "posix_fallocate"):  # a disk that is full says so now, not as a bus error
            os.posix_fallocate(file.fileno(), 0, int(starts[-1]))
        file.truncate(int(starts[-1]))
    data = np.memmap(path, "<u4", "r+")
    words = data.view("<i8")
    numbers_at = (starts[:-1] + _capacity(sizes) * width) // NUMBER_BYTES
    filled = np.zeros(sizes.size, np.int64)
    for low in range(0, places.size, BLOCK_ROWS):
        lists = places[low : low + BLOCK_ROWS].astype(np.int64)
        rows = np.flatnonzero(lists >= 0)
        rows = rows[order_of(lists[rows])]
        lists = lists[rows]
        codes = _codes(index, vectors[start + low + rows].astype(np.float32), lists)
        place = filled[lists] + np.arange(lists.size) - np.searchsorted(lists, lists)
        data[_places(starts[lists], place, width)] = codes.view("<u4")
        words[numbers_at[lists] + place] = start + low + rows
        filled += np.bincount(lists, minlength=sizes.size)
        let_go(vectors)
        stage.advance(min(BLOCK_ROWS, places.size - low))
    data.flush()


def _places(start: Int64s, place: Int64s, width: int) -> Int64s:
    """Where the pieces of codes stand that are `place`th in a list that starts at byte `start`: [codes, width / PIECE].

    In pieces from the file's first byte; groups are as `scan` reads them.
    """
    words = (width - FACTORS) // NUMBER_BYTES
    group = start // PIECE + place // LANES * (LANES * width // PIECE)
    lane = place % LANES
    halves = np.arange(2 * words)
    bits = halves // 2 * (2 * LANES) + halves % 2
    factors = 2 * words * LANES + np.array([0, LANES])
    return np.concatenate([(group + 2 * lane)[:, None] + bits, (group + lane)[:, None] + factors], axis=1)


def _codes(index: Any, rows: Floats, lists: Int64s) -> UInt8s:
    ivf = _ivf(index)
    turned = _turned(index, rows)
    codes = np.empty((len(rows), ivf.code_size), np.uint8)
    ivf.encode_vectors(len(rows), faiss.swig_ptr(turned), faiss.swig_ptr(lists), faiss.swig_ptr(codes))
    return codes


def _capacity(sizes: Int64s) -> Int64s:
    """Rows that a list has room for: whole groups, so that the numbers behind the codes stand aligned too."""
    return -(-sizes // LANES) * LANES


def _list_starts(sizes: Int64s, code_size: int) -> Int64s:
    """Where each list starts in its file, in bytes, and where the last one ends."""
    return np.concatenate(([0], np.cumsum(_capacity(sizes) * (code_size + NUMBER_BYTES)))).astype(np.int64)


def _ivf(index: Any) -> Any:
    return faiss.downcast_index(index.index)


def _turned(index: Any, rows: Floats) -> Floats:
    turned: Floats = index.chain.at(0).apply(np.ascontiguousarray(rows, np.float32))
    return turned
