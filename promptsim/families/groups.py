"""Labels of every stage → Groups: which prompt is in which family-to-be, and how it got there.

skeletons (template) ─► near-duplicates of what they leave ─► exact copies of what those leave
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptsim.families.commonplace import commonplace
from promptsim.families.discovery import compact
from promptsim.families.everyone import Everyone, Labelled
from promptsim.families.neighbours import near_duplicates
from promptsim.families.options import MineOptions
from promptsim.families.spread import spread_of
from promptsim.records import RELATIONS, Bools, Floats, Incidence, Int32s, Int64s, UInt8s, UInt64s

EXACT, NEAR, TEMPLATE, PARAPHRASE = (RELATIONS.index(r) for r in ("exact", "near-duplicate", "template", "paraphrase"))


@dataclass(frozen=True, slots=True)
class Groups:
    """Prompt `prompt_no[i]` is in group `label[i]` (-1: none), by `relation[i]`.

    Of each group: its `kind`, its `weight` in fixed tokens, the `key` that its id is made from, and the `skeleton` of
    the discovery that it grew from (-1: none). `filling` and `place` are as in `records.Members`.
    """

    prompt_no: Int64s
    digest: UInt64s
    label: Int32s
    relation: UInt8s
    filling: UInt64s
    place: UInt8s
    kind: UInt8s
    weight: Floats
    key: tuple[bytes, ...]
    skeleton: Int32s

    def __len__(self) -> int:
        return len(self.key)


def group(everyone: Everyone, incidence: Incidence, options: MineOptions) -> tuple[Groups, int]:
    """All groups, and how many pairs were too long to compare."""
    labelled, cores, corpus = everyone.labelled, everyone.cores, everyone.corpus
    label, _ = compact(labelled.label)
    used = np.unique(labelled.label[labelled.label >= 0]).astype(np.int32)
    row = np.searchsorted(labelled.digest, corpus.digest)
    left = np.flatnonzero(label[row] < 0)
    near, skipped = near_duplicates(corpus, left, options)
    alone = np.setdiff1d(np.flatnonzero(label < 0), row[left[near >= 0]])
    plain = _commonplace(labelled.prompt_no, label, cores.tokens[used], incidence, options)
    inside = _copies(labelled, np.flatnonzero(plain[label]), incidence, options.exact_accounts)
    label[inside] = -1
    used = used[np.unique(label[label >= 0])]  # a family of copies alone is none any more
    label, n = compact(label)
    copied = np.union1d(_copies(labelled, alone, incidence, options.exact_accounts), inside)
    keys = [np.sort(cores.hashes[cores.of[s] : cores.of[s + 1]]).tobytes() for s in used]
    relation = np.full(len(label), TEMPLATE, np.uint8)
    weights, kinds = [cores.tokens[used]], [np.full(n, TEMPLATE, np.uint8)]
    for kind, members, own in (
        (NEAR, row[left[near >= 0]], near[near >= 0]),
        (EXACT, copied, np.arange(len(copied), dtype=np.int32)),
    ):
        count = int(own.max(initial=-1)) + 1
        label[members] = own + len(keys)
        relation[members] = kind
        first = np.zeros(count, np.int64)
        first[own[::-1]] = members[::-1]
        keys += [labelled.digest[m].tobytes() for m in first]
        weights.append(labelled.length[first].astype(np.float32))
        kinds.append(np.full(count, kind, np.uint8))
    skeleton = np.full(len(keys), -1, np.int32)
    skeleton[:n] = used
    groups = Groups(
        labelled.prompt_no, labelled.digest, label, relation, labelled.filling, labelled.place, np.concatenate(kinds),
        np.concatenate(weights), tuple(keys), skeleton,
    )  # fmt: skip
    return groups, skipped


def _copies(labelled: Labelled, some: Int64s, incidence: Incidence, least: int) -> Int64s:
    """Those of some prompts that at least so many accounts sent."""
    numbers = labelled.prompt_no[some]
    accounts = np.searchsorted(incidence.prompt_no, numbers, "right") - np.searchsorted(incidence.prompt_no, numbers)
    return some[accounts >= least]


def _commonplace(prompt_no: Int64s, label: Int32s, weight: Floats, incidence: Incidence, options: MineOptions) -> Bools:
    """Which labels are of a fixed text that anyone writes; the last, for label -1, is not."""
    wide = spread_of(prompt_no, label, len(weight), incidence)
    senders = np.diff(wide.of)
    values = [commonplace(*of) for of in zip(weight.tolist(), wide.events.tolist(), senders.tolist(), strict=True)]
    return np.append(np.array(values) >= options.swallows, False)
