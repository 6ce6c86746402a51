"""Groups → families as people read them: templates from member texts, wordings joined, skeletons for new prompts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from promptsim.families import commonplace
from promptsim.families.consensus import Cores, grouped
from promptsim.families.everyone import DocumentsOf
from promptsim.families.groups import EXACT, PARAPHRASE, TEMPLATE, Groups
from promptsim.families.options import MineOptions
from promptsim.families.spread import Spread
from promptsim.families.template import SAMPLE, Template, extract, joined, verbatim
from promptsim.families.wordings import Grouping, group_wordings
from promptsim.order import order_of
from promptsim.progress import Progress, Stage
from promptsim.records import (
    RELATIONS,
    Evidence,
    Family,
    Floats,
    Int32s,
    Int64s,
    Members,
    Skeleton,
    Wording,
)

Texts = list[tuple[str, str]]
WORDINGS = "wordings"
UNREAD = "members_not_read_for_templates"  # the cap, as it is counted
EVIDENCE = frozenset({WORDINGS})  # names of a family's evidence from here, besides what `commonplace` gives


@dataclass(frozen=True, slots=True)
class Described:
    """Families, and for each group its family and its place among that family's wordings."""

    families: tuple[Family, ...]
    skeletons: tuple[Skeleton, ...]
    family: Int32s
    wording: Int32s
    joins: int
    cuts: dict[str, int]


def identity(prefix: str, key: bytes) -> str:
    """An opaque id that follows from content."""
    return prefix + blake2b(key, digest_size=8).hexdigest()


def texts_read(groups: int, options: MineOptions) -> int:
    """Members of each of so many groups whose text is read for its template."""
    return max(SAMPLE, min(options.inspected, options.read // max(groups, 1)))


def texts_of(documents_of: DocumentsOf, prompt_no: Int64s, label: Int32s, n: int, most: int) -> tuple[list[Texts], int]:
    """At most `most` texts of each label 0…n-1, those of the first rows, and how many rows were not read."""
    members, of = grouped(label, n)
    place = np.arange(len(members)) - np.repeat(of[:-1], np.diff(of))
    chosen = members[place < most]
    number, owner = prompt_no[chosen], label[chosen]
    order = np.argsort(number)
    number, owner = number[order], owner[order]
    texts: list[Texts] = [[] for _ in range(n)]
    for batch in documents_of(number) if len(number) else ():
        at = np.searchsorted(number, batch.prompt_no)
        for i in np.flatnonzero(number[np.minimum(at, len(number) - 1)] == batch.prompt_no).tolist():
            texts[owner[at[i]]].append((batch.system[i], batch.user[i]))
    for some in texts:
        some.sort(key=lambda pair: joined(*pair))
    return texts, len(members) - len(chosen)


def describe(
    documents_of: DocumentsOf,
    groups: Groups,
    cores: Cores,
    wide: Spread,
    encode: Callable[[Sequence[str]], Floats] | None,
    options: MineOptions,
    progress: Progress,
) -> Described:
    """Every group with its template; groups that say the same in other words become one family."""
    most = texts_read(len(groups), options)
    with progress.stage("reading templates", len(groups)) as stage:
        texts, unread = texts_of(documents_of, groups.prompt_no, groups.label, len(groups), most)
        templates = [_template(some, kind, stage) for some, kind in zip(texts, groups.kind.tolist(), strict=True)]
        del texts
    plain = [
        commonplace.commonplace(float(groups.weight[g]), int(wide.events[g]), len(wide.senders(g)))
        for g in range(len(groups))
    ]
    with progress.stage("comparing templates"):
        grouping = group_wordings(
            [template.text for template in templates],
            [wide.senders(g) for g in range(len(groups))],
            encode=encode,
            varied=[bool(kind == TEMPLATE) for kind in groups.kind],
            commonplace=[value >= options.commonplace for value in plain],
        )
    family, wording, order = _numbered(grouping, wide)
    families = tuple(_family(parts, groups, templates, wide, grouping) for parts in order)
    ids = [found.family_id for found in families]
    skeletons = tuple(
        _skeleton(cores, groups, g, ids[family[g]], templates[g].text)
        for g in np.flatnonzero(groups.skeleton >= 0).tolist()
    )
    cuts = dict(grouping.cuts) | ({UNREAD: unread} if unread else {})
    return Described(families, skeletons, family, wording, len(grouping.joins), cuts)


def _template(texts: Texts, kind: int, stage: Stage) -> Template:
    stage.advance(1)
    return verbatim(*texts[0]) if kind == EXACT else extract(texts)


def _numbered(grouping: Grouping, wide: Spread) -> tuple[Int32s, Int32s, list[list[int]]]:
    """Family and wording number of each group, and the groups of each family, the one with most events first."""
    heads, family = np.unique(grouping.group, return_inverse=True)
    order: list[list[int]] = [[] for _ in heads]
    for g in np.lexsort((np.arange(len(family)), -wide.events)).tolist():
        order[family[g]].append(g)
    wording = np.zeros(len(family), np.int32)
    for parts in order:
        wording[parts] = np.arange(len(parts))
    return family.astype(np.int32), wording, order


def _skeleton(cores: Cores, groups: Groups, g: int, family_id: str, text: str) -> Skeleton:
    at = groups.skeleton[g]
    part = slice(cores.of[at], cores.of[at + 1])
    wording_id = identity("w_", groups.key[g])
    return Skeleton(wording_id, family_id, cores.hashes[part], cores.weights[part], text, float(cores.worth[at]))


def _family(parts: list[int], groups: Groups, templates: list[Template], wide: Spread, grouping: Grouping) -> Family:
    """One family of one or several groups; the first is its main wording and names it."""
    main = parts[0]
    accounts = len(np.unique(np.concatenate([wide.senders(g) for g in parts])))
    events = int(wide.events[parts].sum())
    weight = float(groups.weight[parts].max())
    roles = {templates[g].role for g in parts}
    return Family(
        family_id=identity("f_", groups.key[main]),
        kind=RELATIONS[groups.kind[main] if len(parts) == 1 else PARAPHRASE],
        role=roles.pop() if len(roles) == 1 else "both",
        template=templates[main].text,
        slots=templates[main].slots,
        wordings=tuple(
            Wording(
                identity("w_", groups.key[g]), templates[g].text, int(wide.events[g]), len(wide.senders(g)),
                templates[g].slots,
            )
            for g in parts
        ),
        event_count=events,
        prompt_count=int(wide.prompts[parts].sum()),
        account_count=accounts,
        first_seen=int(wide.first_seen[parts].min()),
        last_seen=int(wide.last_seen[parts].max()),
        commonplace=commonplace.commonplace(weight, events, accounts),
        evidence=commonplace.evidence(weight, events, accounts) + _joined(parts, grouping),
    )  # fmt: skip


def _joined(parts: list[int], grouping: Grouping) -> tuple[Evidence, ...]:
    """Why several wordings are one family."""
    if len(parts) == 1:
        return ()
    inside = set(parts)
    joins = [join for join in grouping.joins if join.first in inside]
    likeness = min((join.likeness for join in joins), default=1.0)
    together = sum(join.reason != "text" for join in joins)
    return (
        Evidence(
            WORDINGS,
            len(parts),
            f"{len(parts)} wordings say the same (likeness {likeness:.2f} and more); "
            f"{together} of {len(joins)} joins rest on accounts that use both.",
        ),
    )


def members(groups: Groups, described: Described) -> Members:
    """The rows of `Members`, by prompt number."""
    inside = np.flatnonzero(groups.label >= 0)
    inside = inside[order_of(groups.prompt_no[inside])]
    label: Int64s = groups.label[inside].astype(np.int64)
    return Members(
        groups.prompt_no[inside],
        described.family[label] if len(described.family) else np.empty(0, np.int32),
        described.wording[label] if len(described.family) else np.empty(0, np.int32),
        groups.relation[inside],
        groups.filling[inside],
        groups.place[inside],
    )
