"""Documents → every prompt with its skeleton, whatever their number: a bounded sample is mined, the rest is assigned.

    all ─► sample by content ─► discovery ─► the others assigned ─► a sample of what is left ─► discovery ─► assigned

Skeletons change little with the size of the sample, so the work of mining stays bounded and only reading grows.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from promptsim.families.consensus import Cores, joined_cores
from promptsim.families.corpus import Corpus, Digests, Piece, Wanted, chunk, pieces, read
from promptsim.families.discovery import Discovery, discover
from promptsim.families.fillings import fillings
from promptsim.families.options import MineOptions
from promptsim.families.postings import Postings, assign
from promptsim.families.repair import repair
from promptsim.families.shingles import texts_of_many_names
from promptsim.lookahead import mapped
from promptsim.progress import Progress, Stage
from promptsim.records import Bools, DocumentBatch, Int32s, Int64s, UInt8s, UInt64s

Documents = Callable[[], Iterator[DocumentBatch]]
DocumentsOf = Callable[[Int64s], Iterator[DocumentBatch]]  # reads at least the prompts of these ascending numbers
NUMBERS = 2.0**64
STEPS = 4  # of the sample's share, for each halving


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


def label_everyone(
    documents: Documents, documents_of: DocumentsOf, total: int, options: MineOptions, progress: Progress
) -> Everyone:
    """Mine all prompts if there are at most `max_prompts`; else a sample, twice."""
    if total <= options.max_prompts:
        with progress.stage("reading prompts", total) as stage:
            corpus = read(counted(documents, stage), options.max_tokens)
        with progress.stage("finding shared text"):
            found = discover(corpus, options)
        return Everyone(labelled_by(corpus, found, options), found.cores, corpus, _cuts([corpus], [found]))
    sampled, seen = below(sample_share(options.max_prompts, total)), Digests()
    with progress.stage("reading a sample", total) as stage:
        corpus = read(counted(documents, stage), options.max_tokens, sampled, seen)
    with progress.stage("finding shared text"):
        found = discover(corpus, options)
    first_cuts = _cuts([corpus], [found])
    parts = [labelled_by(corpus, found, options)]
    del corpus
    with progress.stage("assigning the others", total) as stage:
        parts += assigned(pieces(counted(documents, stage), seen, lambda digest: ~sampled(digest)), found, options)
    everyone = in_order(parts)
    left = np.flatnonzero(everyone.label < 0)
    sampled_again = below(sample_share(options.max_prompts, len(left)), turn=True)(everyone.digest[left])
    chosen, others = everyone.digest[left[sampled_again]], everyone.digest[left[~sampled_again]]
    numbers = np.sort(everyone.prompt_no[left[sampled_again]])
    with progress.stage("reading what is left", len(numbers)) as stage:
        some = counted(lambda: documents_of(numbers), stage)
        second = read(some, options.max_tokens, lambda digest: among(digest, chosen), seen)
    with progress.stage("finding shared text in it"):
        again = discover(second, options)
    cuts = summed(first_cuts, _cuts([second], [again]), {"prompts_left_unmined": len(others)})
    parts = [labelled_by(second, again, options)]
    if len(others):
        with progress.stage("assigning the rest", total) as stage:
            rest = pieces(counted(documents, stage), seen, lambda digest: among(digest, others))
            parts += assigned(rest, again, options)
    late = in_order(parts)
    return Everyone(_updated(everyone, late, len(found.cores)), joined_cores(found.cores, again.cores), second, cuts)


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


def below(share: float, *, turn: bool = False) -> Wanted:
    """A sample of about `share` of all digests; `turn` takes another one than without."""
    limit = np.uint64(min(share * NUMBERS, NUMBERS - 2048))
    if share >= 1:
        return lambda digest: np.ones(len(digest), np.bool_)
    if turn:
        return lambda digest: (digest << np.uint64(32) | digest >> np.uint64(32)) < limit
    return lambda digest: digest < limit


def labelled_by(corpus: Corpus, found: Discovery, options: MineOptions) -> Labelled:
    """A mined corpus with its labels."""
    return _labelled(corpus, found.label, found.postings, options)


def _labelled(corpus: Corpus, label: Int32s, postings: Postings, options: MineOptions) -> Labelled:
    filling, place = fillings(corpus, postings, label, options)
    length = (corpus.bounds[2::2] - corpus.bounds[:-1:2]).astype(np.int32)
    return Labelled(corpus.prompt_no, corpus.digest, label, filling, place, length)


def assigned(some: Iterable[Piece], found: Known, options: MineOptions) -> list[Labelled]:
    """The pieces, each assigned to the skeletons that were found, in bounded memory."""
    stands = np.append(found.stands, False)

    def label(piece: Piece) -> Labelled:
        part = chunk(piece, options.max_tokens)
        seen = assign(
            found.postings, part.tokens, part.flags, part.bounds, options.shingle, options.anchored, options.accept
        )
        best = np.where(stands[seen.best], seen.best, np.int32(-1)).astype(np.int32)  # -1 is the last
        best, _ = repair(part, found.cores, seen, best, found.stands, options)
        return _labelled(part, best, found.postings, options)

    return [part for part in mapped(label, some) if len(part)]


def in_order(parts: list[Labelled]) -> Labelled:
    """Several parts as one, sorted by content."""
    digest = np.concatenate([np.empty(0, np.uint64), *(part.digest for part in parts)])
    order = np.argsort(digest, kind="stable")
    return Labelled(
        np.concatenate([np.empty(0, np.int64), *(part.prompt_no for part in parts)])[order],
        digest[order],
        np.concatenate([np.empty(0, np.int32), *(part.label for part in parts)])[order],
        np.concatenate([np.empty(0, np.uint64), *(part.filling for part in parts)])[order],
        np.concatenate([np.empty(0, np.uint8), *(part.place for part in parts)])[order],
        np.concatenate([np.empty(0, np.int32), *(part.length for part in parts)])[order],
    )


def among(digest: UInt64s, ascending: UInt64s) -> Bools:
    """Which of `digest` are in an ascending array."""
    if not len(ascending):
        return np.zeros(len(digest), np.bool_)
    found: Bools = ascending[np.searchsorted(ascending, digest).clip(0, len(ascending) - 1)] == digest
    return found


def _updated(everyone: Labelled, late: Labelled, first: int) -> Labelled:
    """Labels of the second round written over, their skeletons numbered from `first` on."""
    row = np.searchsorted(everyone.digest, late.digest)
    label, filling, place = everyone.label.copy(), everyone.filling.copy(), everyone.place.copy()
    label[row] = np.where(late.label >= 0, late.label + first, -1)
    filling[row], place[row] = late.filling, late.place
    return Labelled(everyone.prompt_no, everyone.digest, label, filling, place, everyone.length)


def _cuts(corpora: list[Corpus], discoveries: list[Discovery]) -> dict[str, int]:
    return {
        "tokens_of_long_prompts": sum(corpus.cut_tokens for corpus in corpora),
        "texts_of_many_names": sum(int(texts_of_many_names(c.tokens, c.flags, c.bounds)) for c in corpora),
        "classes_of_one_prompt": sum(found.cut_classes for found in discoveries),
        "pairs_of_splinters": sum(found.cut_pairs for found in discoveries),
        "skeletons_of_one_shingle": sum(found.postings.cut for found in discoveries),
    }


def summed(*cuts: Mapping[str, int]) -> dict[str, int]:
    """Counts of the same caps added up."""
    total: Counter[str] = Counter()
    for some in cuts:
        total.update(some)
    return dict(total)
