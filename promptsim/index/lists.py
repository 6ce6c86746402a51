"""rows of a segment → FAISS inverted lists of one-bit codes in files → candidate rows for a query.

A segment's index is `RR,IVF{lists},RaBitQ`: a random rotation, a k-means of the space, and one bit for each dimension
of what is left (40 bytes a row of 256 dimensions, and 8 for its number). Codes only choose candidates; the stored
vectors score them. Against product quantisation it needs no training beyond the k-means, scans faster and finds more.

Two files hold it: NAME.faiss (rotation, centroids: read) and NAME.lists (codes and numbers, list after list: mapped).
FAISS's own mapped format would do, but its lists grow by moving; here each row's place is known before it is written,
so building streams, and each list's bytes can be checked before they are scanned.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from promptsim.errors import DamagedError
from promptsim.index.rows import Halves, let_go
from promptsim.index.seal import Seal, SealedFile, seal
from promptsim.progress import Stage
from promptsim.records import Bools, Floats, Int32s, Int64s, UInt8s

SEED = 20261123
NUMBER_BYTES = 8
MOST_LISTS = 4096  # twice as many cost twice as long to build, and find no more
THREADS = 2
MANY_ROWS, MANY_QUERIES = 50_000, 16  # from here on a second thread gains more than its start costs …
MUCH_SCANNED = 100_000  # … and from so many codes for one query
BLOCK_ROWS = 1 << 15
QUANTISER, SIZES, LISTS = ".faiss", ".sizes", ".lists"


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a segment is built: about 4 √n lists, a k-means over a seeded sample of `sample` rows a list."""

    most_lists: int = MOST_LISTS
    sample: int = 32
    rounds: int = 8
    seed: int = SEED

    def lists_for(self, rows: int) -> int:
        """At least 16 lists, and at least 8 rows for each."""
        return int(max(16, min(4 * max(1, rows) ** 0.5, rows / 8, self.most_lists)))


def build(name: Path, vectors: Halves, start: int, stop: int, tuning: Tuning, stage: Stage) -> dict[str, Seal]:
    """Write the lists of rows [start, stop) beside `name`; the seals of its files. Rows of zeros are left out."""
    _use_threads(stop - start >= MANY_ROWS)
    index = _trained(vectors, start, stop, tuning)
    ivf = _ivf(index)
    places = _assign(index, vectors, start, stop, stage)
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
            stays = alive[numbers]
            sizes[i] = np.count_nonzero(stays)
            codes = data[: size * width].reshape(size, width)[stays]
            spare = int(_capacity(sizes[i]) - sizes[i])
            out.write(codes.tobytes() + bytes(spare * width) + numbers[stays].tobytes() + bytes(spare * NUMBER_BYTES))
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
        self._ivf = _ivf(self._index)
        self.rows = int(self.sizes.sum())
        self.count, self.code_size = self._ivf.nlist, self._ivf.code_size
        self.starts = _list_starts(self.sizes, self._ivf.code_size)
        if self.sizes.size != self.count or self.starts[-1] != self.file.bytes.size:
            raise DamagedError(f"{self.file.path}: its size does not fit the sizes of its lists")
        self._attach()

    def candidates(self, queries: Floats, k: int, probes: int, selector: Any = None) -> Int64s:
        """Prompt numbers [queries, k] that are likely the closest, from the `probes` nearest lists; -1 pads."""
        probes = min(probes, self.count)
        many, much = len(queries) >= MANY_QUERIES, probes * self.rows >= MUCH_SCANNED * self.count
        _use_threads(many or much)
        self._ivf.parallel_mode = int(not many)  # two threads share the queries, or the lists of one
        turned = _turned(self._index, queries)
        near, chosen = self._ivf.quantizer.search(turned, probes)
        self._check(chosen)
        params = faiss.IVFRaBitQSearchParameters()
        params.nprobe = probes
        if selector is not None:
            params.sel = selector
        scores, found = np.empty((len(queries), k), np.float32), np.empty((len(queries), k), np.int64)
        ptr = faiss.swig_ptr
        self._ivf.search_preassigned_c(
            len(queries), ptr(turned), k, ptr(chosen), ptr(near), ptr(scores), ptr(found), False, params
        )
        return found

    def _check(self, chosen: Int64s) -> None:
        used = np.unique(chosen[chosen >= 0])
        self.file.check(self.starts[used], self.starts[used + 1])

    def _attach(self) -> None:
        """Let FAISS scan our file in place. One list is (size, capacity, offset), three machine words."""
        held: Any = faiss.OnDiskInvertedLists(self.count, self._ivf.code_size, str(self.file.path))
        table = np.stack((self.sizes, _capacity(self.sizes), self.starts[:-1]), axis=1).astype(np.uint64)
        table = np.ascontiguousarray(table)
        faiss.memcpy(held.lists.data(), faiss.swig_ptr(table), table.nbytes)
        held.totsize, held.read_only, held.prefetch_nthread = int(self.starts[-1]), True, 0
        if held.totsize:
            held.do_mmap()
        held.this.disown()
        self._ivf.replace_invlists(held, True)
        self._ivf.ntotal = self._index.ntotal = self.rows


def _use_threads(many: bool) -> None:
    faiss.omp_set_num_threads(THREADS if many else 1)


def _trained(vectors: Halves, start: int, stop: int, tuning: Tuning) -> Any:
    lists = tuning.lists_for(stop - start)
    wanted = min(stop - start, lists * tuning.sample)
    chosen = np.random.default_rng(tuning.seed).choice(stop - start, wanted, replace=False)
    sample = vectors[np.sort(chosen) + start].astype(np.float32)
    sample = sample[np.abs(sample).sum(axis=1) > 0]
    width = vectors.shape[1]
    index = faiss.index_factory(width, f"RR{width},IVF{lists},RaBitQ", faiss.METRIC_INNER_PRODUCT)
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
    data = np.memmap(path, np.uint8, "r+")
    words = data.view("<i8")
    numbers_at = (starts[:-1] + _capacity(sizes) * width) // NUMBER_BYTES
    filled = np.zeros(sizes.size, np.int64)
    for low in range(0, places.size, BLOCK_ROWS):
        lists = places[low : low + BLOCK_ROWS].astype(np.int64)
        rows = np.flatnonzero(lists >= 0)
        rows = rows[np.argsort(lists[rows], kind="stable")]
        lists = lists[rows]
        codes = _codes(index, vectors[start + low + rows].astype(np.float32), lists)
        place = filled[lists] + np.arange(lists.size) - np.searchsorted(lists, lists)
        data[(starts[lists] + place * width)[:, None] + np.arange(width)] = codes
        words[numbers_at[lists] + place] = start + low + rows
        filled += np.bincount(lists, minlength=sizes.size)
        let_go(vectors)
        stage.advance(min(BLOCK_ROWS, places.size - low))
    data.flush()


def _codes(index: Any, rows: Floats, lists: Int64s) -> UInt8s:
    ivf = _ivf(index)
    turned = _turned(index, rows)
    codes = np.empty((len(rows), ivf.code_size), np.uint8)
    ivf.encode_vectors(len(rows), faiss.swig_ptr(turned), faiss.swig_ptr(lists), faiss.swig_ptr(codes))
    return codes


def _capacity(sizes: Int64s) -> Int64s:
    """Rows that a list has room for: a multiple of 8, so that the numbers behind the codes stand aligned."""
    return -(-sizes // 8) * 8


def _list_starts(sizes: Int64s, code_size: int) -> Int64s:
    """Where each list starts in its file, in bytes, and where the last one ends."""
    return np.concatenate(([0], np.cumsum(_capacity(sizes) * (code_size + NUMBER_BYTES)))).astype(np.int64)


def _ivf(index: Any) -> Any:
    return faiss.downcast_index(index.index)


def _turned(index: Any, rows: Floats) -> Floats:
    turned: Floats = index.chain.at(0).apply(np.ascontiguousarray(rows, np.float32))
    return turned
