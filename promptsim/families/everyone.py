"""Documents → every prompt with its skeleton, whatever their number: a bounded sample is mined, the rest is assigned.

    all ─► sample by content ─► discovery ─► the others assigned ─► a sample of what is left ─► discovery ─► assigned

Skeletons change little with the size of the sample, so the work of mining stays bounded and only reading grows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from promptsim.families.consensus import Cores, joined_cores
from promptsim.families.corpus import Corpus, Wanted, chunks, read
from promptsim.families.discovery import Discovery, discover
from promptsim.families.fillings import fillings
from promptsim.families.options import MineOptions
from promptsim.families.postings import Postings, assign
from promptsim.families.repair import repair
from promptsim.records import Bools, DocumentBatch, Int32s, Int64s, UInt8s, UInt64s

Documents = Callable[[], Iterator[DocumentBatch]]
NUMBERS = 2.0**64


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


def label_everyone(documents: Documents, total: int, options: MineOptions) -> Everyone:
    """Mine all prompts if there are at most `max_prompts`; else a sample, twice."""
    if total <= options.max_prompts:
        corpus = read(documents, options.max_tokens)
        found = discover(corpus, options)
        return Everyone(labelled_by(corpus, found, options), found.cores, corpus, _cuts([corpus], [found]))
    sampled = below(options.max_prompts / total)
    corpus = read(documents, options.max_tokens, sampled)
    found = discover(corpus, options)
    parts = [labelled_by(corpus, found, options)]
    parts += assigned(documents, lambda digest: ~sampled(digest), found, options)
    everyone = _sorted(parts)
    left = everyone.digest[everyone.label < 0]
    second_sample = below(min(options.max_prompts / max(len(left), 1), 1.0), turn=True)
    second = read(documents, options.max_tokens, lambda digest: _among(digest, left) & second_sample(digest))
    again = discover(second, options)
    cuts = _cuts([corpus, second], [found, again]) | {"prompts_left_unmined": max(len(left) - len(second), 0)}
    parts = [labelled_by(second, again, options)]
    if len(second) < len(left):
        parts += assigned(documents, lambda digest: _among(digest, left) & ~second_sample(digest), again, options)
    late = _sorted(parts)
    return Everyone(_updated(everyone, late, len(found.cores)), joined_cores(found.cores, again.cores), second, cuts)


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


def assigned(documents: Documents, wanted: Wanted, found: Discovery, options: MineOptions) -> list[Labelled]:
    """The wanted documents, each assigned to the skeletons that were found, in bounded memory."""
    out: list[Labelled] = []
    for chunk in chunks(documents, options.max_tokens, wanted):
        seen = assign(
            found.postings, chunk.tokens, chunk.flags, chunk.bounds, options.shingle, options.anchored, options.accept
        )
        label = np.where(np.append(found.stands, False)[seen.best], seen.best, np.int32(-1)).astype(np.int32)
        label, _ = repair(chunk, found.cores, seen, label, found.stands, options)
        out.append(_labelled(chunk, label, found.postings, options))
    return out


def _sorted(parts: list[Labelled]) -> Labelled:
    digest = np.concatenate([part.digest for part in parts])
    order = np.argsort(digest, kind="stable")
    return Labelled(
        np.concatenate([part.prompt_no for part in parts])[order],
        digest[order],
        np.concatenate([part.label for part in parts])[order],
        np.concatenate([part.filling for part in parts])[order],
        np.concatenate([part.place for part in parts])[order],
        np.concatenate([part.length for part in parts])[order],
    )


def _among(digest: UInt64s, ascending: UInt64s) -> Bools:
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
        "classes_of_one_prompt": sum(found.cut_classes for found in discoveries),
        "skeletons_of_one_shingle": sum(found.postings.cut for found in discoveries),
    }
