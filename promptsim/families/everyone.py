"""Documents → every prompt with its skeleton, whatever their number: at most so many are mined at once.

    all ─► a sample ─► discovery ─► the others assigned
           a part of what was assigned ─► discovery ─► texts that are not known ─► all of it assigned again
           what is left, in parts ─► of each: what is known by now assigned ─► discovery ─► … ─► what was left assigned

The sample shows the large families. Among the prompts that are assigned to one there may be a small sibling of it: a
part of them is mined too. What is left is mined part by part, so that none of it is passed over: a small family is
found where one part has a handful of its prompts. Memory stays bounded.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import numpy as np

from promptsim.families.consensus import Cores, joined_cores, some_cores
from promptsim.families.corpus import Corpus, Digests, Piece, Wanted, chunk, joined, pieces, read, rows_of
from promptsim.families.discovery import Discovery, discover
from promptsim.families.fillings import fillings
from promptsim.families.options import MineOptions
from promptsim.families.postings import Postings, assign, build
from promptsim.families.repair import repair
from promptsim.families.shingles import texts_of_many_names
from promptsim.lookahead import mapped
from promptsim.progress import Progress, Stage
from promptsim.records import Bools, DocumentBatch, Int32s, Int64s, UInt8s, UInt64s

Documents = Callable[[], Iterator[DocumentBatch]]
DocumentsOf = Callable[[Int64s], Iterator[DocumentBatch]]  # reads at least the prompts of these ascending numbers
NUMBERS = 2.0**64
STEPS = 4  # of the sample's share, for each halving
SHARED = 0.1  # of a skeleton's prompts have a known one: the two are compared …
SAME = 0.8  # … and are the same if they share so much of both


@dataclass(frozen=True, slots=True)
class Labelled:
    """Prompts by content: skeleton (-1: none), filling and place as in `records.Members`, and length in tokens."""

    prompt_no: Int64s
    digest: UInt64s
    label: Int32s
    filling: UInt64s
    place: UInt8s
    length: Int32s

    def __len__(self) -> int:
        return len(self.prompt_no)


NOBODY = Labelled(
    np.empty(0, np.int64), np.empty(0, np.uint64), np.empty(0, np.int32), np.empty(0, np.uint64),
    np.empty(0, np.uint8), np.empty(0, np.int32),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Everyone:
    """All prompts labelled, the skeletons, and the corpus in which near-duplicates of what is left can be sought."""

    labelled: Labelled
    cores: Cores
    corpus: Corpus
    cuts: dict[str, int]


class Known(Protocol):
    """Skeletons to assign prompts to; those that do not `stands` have too few members."""

    @property
    def cores(self) -> Cores: ...
    @property
    def postings(self) -> Postings: ...
    @property
    def stands(self) -> Bools: ...


@dataclass(frozen=True, slots=True)
class Source:
    """All documents, some of them by number, and the digests of those that were read."""

    documents: Documents
    documents_of: DocumentsOf
    total: int
    seen: Digests


@dataclass(frozen=True, slots=True)
class Skeletons:
    """Those that were found in several corpora, one after the other."""

    cores: Cores
    postings: Postings
    stands: Bools

    @staticmethod
    def joined(known: Known, found: Known, chosen: Int64s) -> Known:
        """The known ones, then those chosen of the found ones."""
        cores = joined_cores(known.cores, some_cores(found.cores, chosen))
        return Skeletons(cores, build(cores), np.concatenate([known.stands, found.stands[chosen]]))


def label_everyone(
    documents: Documents, documents_of: DocumentsOf, total: int, options: MineOptions, progress: Progress
) -> Everyone:
    """Mine all prompts if at most `max_prompts`; else a sample, some of what is assigned to it, all that is left."""
    if total <= options.max_prompts:
        with progress.stage("reading prompts", total) as stage:
            corpus = read(counted(documents, stage), options.max_tokens)
        with progress.stage("finding shared text"):
            found = discover(corpus, options)
        return Everyone(labelled_by(corpus, found, options), found.cores, corpus, _cuts(corpus, found))
    source = Source(documents, documents_of, total, Digests())
    labelled, found, cuts = _by_a_sample(source, options, progress)
    labelled, first, more = _with_siblings(source, labelled, found, options, progress)
    return _with_the_rest(source, labelled, first, summed(cuts, more), options, progress)


def _by_a_sample(
    source: Source, options: MineOptions, progress: Progress
) -> tuple[Labelled, Discovery, dict[str, int]]:
    """All prompts by what a sample of them shows, what that is, and what was cut."""
    sampled = below(sample_share(options.max_prompts, source.total))
    with progress.stage("reading a sample", source.total) as stage:
        corpus = read(counted(source.documents, stage), options.max_tokens, sampled, source.seen)
    with progress.stage("finding shared text"):
        found = discover(corpus, options)
    cuts, mined = _cuts(corpus, found), labelled_by(corpus, found, options)
    del corpus
    with progress.stage("assigning the others", source.total) as stage:
        others = pieces(counted(source.documents, stage), source.seen, lambda digest: ~sampled(digest))
        parts, cut_tokens = assigned(others, found, options)
    cuts["tokens_of_long_prompts"] += cut_tokens
    return in_order([mined, *parts]), found, cuts


def _with_siblings(
    source: Source, labelled: Labelled, found: Discovery, options: MineOptions, progress: Progress
) -> tuple[Labelled, Cores, dict[str, int]]:
    """Prompts that were only assigned, as many of them mined as at once: some are made from a small sibling of a text,
    which the sample does not show. The labels with it, all skeletons by now, and what was cut.
    """
    sampled = below(sample_share(options.max_prompts, source.total))(labelled.digest)
    explained = np.flatnonzero(labelled.label >= 0)
    only_assigned = explained[~sampled[explained]]
    rows = only_assigned[parts_of(labelled.digest[only_assigned], options.max_prompts)[-1]]
    with progress.stage("mining what was assigned", len(rows)) as stage:
        _, corpus = _read_again(source, labelled, rows, None, options)
        stage.advance(len(rows))
        here = discover(corpus, options)
    same = _known_already(here, labelled.label[np.searchsorted(labelled.digest, corpus.digest)], found.cores)
    fresh = np.flatnonzero(here.stands & ~same)
    cuts = _cuts(corpus, here) | {"assigned_prompts_not_mined": len(only_assigned) - len(rows)}
    if not len(fresh):
        return labelled, found.cores, cuts
    known, chosen = Skeletons.joined(found, here, fresh), labelled.digest[explained]
    with progress.stage("assigning it again", source.total) as stage:
        again = pieces(counted(source.documents, stage), source.seen, lambda digest: among(digest, chosen))
        labelled = _updated(labelled, in_order(assigned(again, known, options)[0]), 0)
    return labelled, known.cores, cuts


def _known_already(found: Discovery, label: Int32s, known: Cores) -> Bools:
    """Which found skeletons are a known one: it is the `label` of some of their prompts, and the texts are alike."""
    result = np.zeros(len(found.cores), np.bool_)
    both = np.flatnonzero((found.label >= 0) & (label >= 0))
    pair, count = np.unique(found.label[both].astype(np.int64) << 32 | label[both], return_counts=True)
    own, other = pair >> 32, pair & 0xFFFFFFFF
    total = np.bincount(own, weights=count, minlength=len(found.cores))
    likely = np.flatnonzero(count >= SHARED * total[own])
    own, other = own[likely], other[likely]
    one, two = some_cores(found.cores, own), some_cores(known, other)
    of_pair = np.arange(len(own))
    held = np.sort(_of_pair(two.hashes, np.repeat(of_pair, np.diff(two.of))))
    pairs = np.repeat(of_pair, np.diff(one.of))
    shared = np.bincount(pairs, weights=among(_of_pair(one.hashes, pairs), held), minlength=len(own))
    same = shared >= SAME * np.maximum(np.diff(one.of), np.diff(two.of))
    result[own[same]] = True
    return result


def _of_pair(hashes: UInt64s, pair: Int64s) -> UInt64s:
    """A number for a shingle of one pair of skeletons."""
    mixed: UInt64s = hashes * np.uint64(0x9E3779B97F4A7C15) + pair.astype(np.uint64) * np.uint64(0xD6E8FEB86659FD93)
    return mixed


def _with_the_rest(
    source: Source, labelled: Labelled, first: Cores, cuts: dict[str, int], options: MineOptions, progress: Progress
) -> Everyone:
    """What the sample leaves, mined in parts; the corpus is what is left of the last part, a full one."""
    left = np.flatnonzero(labelled.label < 0)
    known: Known | None = None
    told: list[Labelled] = []
    with progress.stage("mining what is left", len(left)) as stage:
        for part in parts_of(labelled.digest[left], options.max_prompts):
            rows = left[part]
            mine, corpus = _read_again(source, labelled, rows, known, options)
            found = discover(corpus, options)
            told += *mine, _numbered_from(len(known.cores) if known else 0, labelled_by(corpus, found, options))
            known = Skeletons.joined(known, found, np.arange(len(found.cores))) if known else found
            cuts = summed(cuts, _cuts(corpus, found))
            stage.advance(len(rows))
    assert known is not None  # there is a part at least
    labelled = _updated(labelled, in_order(told), len(first))
    others = np.setdiff1d(labelled.digest[left[labelled.label[left] < 0]], corpus.digest, assume_unique=True)
    if len(others):
        with progress.stage("assigning what earlier parts left", source.total) as stage:
            rest = pieces(counted(source.documents, stage), source.seen, lambda digest: among(digest, others))
            labelled = _updated(labelled, in_order(assigned(rest, known, options)[0]), len(first))
    return Everyone(labelled, joined_cores(first, known.cores), corpus, cuts)


def _read_again(
    source: Source, labelled: Labelled, rows: Int64s, known: Known | None, options: MineOptions
) -> tuple[list[Labelled], Corpus]:
    """Some prompts: those that are made from known skeletons, and the others as a corpus.

    It was read before, so it counts no tokens as cut.
    """
    numbers, wanted = np.sort(labelled.prompt_no[rows]), labelled.digest[rows]
    some = pieces(lambda: source.documents_of(numbers), source.seen, lambda digest: among(digest, wanted))

    def split(piece: Piece) -> tuple[Labelled, Corpus]:
        part = chunk(piece, options.max_tokens)
        if known is None:
            return NOBODY, replace(part, cut_tokens=0)
        label = _assigned(part, known, options)
        explained, others = np.flatnonzero(label >= 0), np.flatnonzero(label < 0)
        return _labelled(rows_of(part, explained), label[explained], known.postings, options), rows_of(part, others)

    explained: list[Labelled] = []
    others: list[Corpus] = []
    for mine, left in mapped(split, some):
        explained.append(mine)
        others.append(left)
    return explained, joined(others)


def counted(documents: Documents, stage: Stage) -> Documents:
    """The same documents, told of as they are read."""

    def told() -> Iterator[DocumentBatch]:
        for batch in documents():
            stage.advance(len(batch.prompt_no))
            yield batch

    return told


def sample_share(most: int, total: int) -> float:
    """Of `total` prompts the share that is mined: at most `most`, in steps of a fifth.

    In steps, so that a few new prompts do not change which of the others are mined, and families stay what they were.
    """
    steps = math.ceil(STEPS * math.log2(total / most)) if total > most else 0
    return float(2.0 ** (-steps / STEPS))


def below(share: float) -> Wanted:
    """A sample of about `share` of all digests."""
    limit = np.uint64(min(share * NUMBERS, NUMBERS - 2048))
    return lambda digest: digest < limit


def parts_of(digest: UInt64s, most: int) -> list[Int64s]:
    """Rows of prompts, in parts by content: all but the first, which may be smaller, of the share that a sample has.

    By other bits than `below` looks at: some of the prompts were in the sample, and a part has as many of those as any.
    """
    share = sample_share(most, len(digest))
    count = math.ceil(1 / share)
    turned = digest << np.uint64(32) | digest >> np.uint64(32)
    part = np.minimum(turned / (share * NUMBERS), count - 1).astype(np.int64)
    return [np.flatnonzero(part == number) for number in reversed(range(count))]


def labelled_by(corpus: Corpus, found: Discovery, options: MineOptions) -> Labelled:
    """A mined corpus with its labels."""
    return _labelled(corpus, found.label, found.postings, options)


def _labelled(corpus: Corpus, label: Int32s, postings: Postings, options: MineOptions) -> Labelled:
    filling, place = fillings(corpus, postings, label, options)
    length = (corpus.bounds[2::2] - corpus.bounds[:-1:2]).astype(np.int32)
    return Labelled(corpus.prompt_no, corpus.digest, label, filling, place, length)


def assigned(some: Iterable[Piece], found: Known, options: MineOptions) -> tuple[list[Labelled], int]:
    """The pieces, each assigned to the skeletons that were found, in bounded memory; tokens that were not looked at."""

    def label(piece: Piece) -> tuple[Labelled, int]:
        part = chunk(piece, options.max_tokens)
        return _labelled(part, _assigned(part, found, options), found.postings, options), part.cut_tokens

    parts = list(mapped(label, some))
    return [part for part, _ in parts if len(part)], sum(cut for _, cut in parts)


def _assigned(part: Corpus, found: Known, options: MineOptions) -> Int32s:
    """The skeleton of each prompt, -1 for none."""
    stands = np.append(found.stands, False)
    seen = assign(
        found.postings, part.tokens, part.flags, part.bounds, options.shingle, options.anchored, options.accept
    )
    best = np.where(stands[seen.best], seen.best, np.int32(-1)).astype(np.int32)  # -1 is the last
    return repair(part, found.cores, seen, best, found.stands, options)[0]


def in_order(parts: list[Labelled]) -> Labelled:
    """Several parts as one, sorted by content."""
    columns: dict[str, Any] = {
        field.name: np.concatenate([getattr(part, field.name) for part in (NOBODY, *parts)])
        for field in fields(Labelled)
    }
    order = np.argsort(columns["digest"], kind="stable")
    return Labelled(**{name: column[order] for name, column in columns.items()})


def among(digest: UInt64s, ascending: UInt64s) -> Bools:
    """Which of `digest` are in an ascending array."""
    if not len(ascending):
        return np.zeros(len(digest), np.bool_)
    found: Bools = ascending[np.searchsorted(ascending, digest).clip(0, len(ascending) - 1)] == digest
    return found


def _updated(everyone: Labelled, late: Labelled, first: int) -> Labelled:
    """Later labels written over, their skeletons numbered from `first` on."""
    row, late = np.searchsorted(everyone.digest, late.digest), _numbered_from(first, late)
    label, filling, place = everyone.label.copy(), everyone.filling.copy(), everyone.place.copy()
    label[row], filling[row], place[row] = late.label, late.filling, late.place
    return replace(everyone, label=label, filling=filling, place=place)


def _numbered_from(first: int, labelled: Labelled) -> Labelled:
    """The same, skeleton 0 as number `first`."""
    label = np.where(labelled.label >= 0, labelled.label + np.int32(first), np.int32(-1)).astype(np.int32)
    return replace(labelled, label=label)


def _cuts(corpus: Corpus, found: Discovery) -> dict[str, int]:
    return {
        "tokens_of_long_prompts": corpus.cut_tokens,
        "texts_of_many_names": int(texts_of_many_names(corpus.tokens, corpus.flags, corpus.bounds)),
        "classes_of_one_prompt": found.cut_classes,
        "pairs_of_splinters": found.cut_pairs,
        "skeletons_of_one_shingle": found.postings.cut,
    }


def summed(*cuts: Mapping[str, int]) -> dict[str, int]:
    """Counts of the same caps added up."""
    total: Counter[str] = Counter()
    for some in cuts:
        total.update(some)
    return dict(total)
