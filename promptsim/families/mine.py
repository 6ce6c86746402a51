"""Documents and who sent them → FamilySet: the orchestration of the families room. Pure: opens nothing, prints nothing.

documents ─► corpus ─► discovery: skeletons ─► groups: templates, near-duplicates, exact copies
          ─► spread: accounts, times ─► description: template texts, wordings ─► lasting ids ─► FamilySet
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from promptsim.families.describe import describe, members
from promptsim.families.everyone import DocumentsOf, label_everyone
from promptsim.families.groups import group
from promptsim.families.lineage import with_lasting_ids
from promptsim.families.options import MineOptions
from promptsim.families.spread import spread_of
from promptsim.progress import Progress, Silent
from promptsim.records import DocumentBatch, FamilySet, Floats, Incidence

DEFAULTS = MineOptions()


def mine(
    documents: Callable[[], Iterator[DocumentBatch]],
    incidence: Incidence,
    *,
    options: MineOptions = DEFAULTS,
    encode: Callable[[Sequence[str]], Floats] | None = None,
    previous: FamilySet | None = None,
    documents_of: DocumentsOf | None = None,
    progress: Progress | None = None,
) -> FamilySet:
    """Find the families among all distinct prompts.

    `encode` embeds short texts; with it reworded instructions become one family. `previous` is the last run's result:
    families that go on keep its ids. `documents` is called more than once and must give the same prompts;
    `documents_of` reads some of them by number, if that is faster than reading all again.
    """
    total = int(np.count_nonzero(np.diff(incidence.prompt_no))) + 1 if len(incidence.prompt_no) else 0
    some = documents_of or (lambda _: documents())
    progress = progress or Silent()
    everyone = label_everyone(documents, some, total, options, progress)
    with progress.stage("finding near-duplicates"):
        groups, skipped = group(everyone, incidence, options)
        wide = spread_of(groups.prompt_no, groups.label, len(groups), incidence)
    described = describe(some, groups, everyone.cores, wide, encode, options, progress)
    cuts = everyone.cuts | {"long_pairs_not_compared": skipped} | described.cuts
    result = FamilySet(
        described.families, members(groups, described), described.skeletons, {k: v for k, v in cuts.items() if v}
    )
    return with_lasting_ids(previous, result)[0] if previous is not None else result
