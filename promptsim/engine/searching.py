"""A prompt → who else sent it, or what is like it.

    fingerprint ─► the exact copy ─┐
    tokens ─► shared long runs ────┼─► candidates ─► relation, similarity ─► senders ─► hits
    vector ─► nearest neighbours ──┘

Three ways in, because each sees what the others cannot: a fixed instruction in a long payload is invisible to
whole-text vectors, and a rewording shares no run of tokens.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from promptsim.encode.encoder import Encoder
from promptsim.engine.comparing import Comparison
from promptsim.index.index import Index
from promptsim.index.rows import cosines
from promptsim.index.spans import SpanHits
from promptsim.records import Bools, Floats, Hit, Int64s, whole_text
from promptsim.store.filters import Filters
from promptsim.store.store import Store
from promptsim.text.fingerprint import fingerprint

RELATIONS = ("exact", "near-duplicate", "template", "paraphrase", "similar")
NEAR_DUPLICATE = 0.85  # share of tokens in common (Indel) from which two texts are copies with small changes
FIXED_RUN = 10  # tokens shared in one run: a fixed part, whatever the payload (the index is sure to see 13 or more)
PARAPHRASE = 0.75  # cosine from which two texts without such a run are taken to say the same
ROUNDS = 8  # looks for one question, each at the prompts that others than the accounts found so far have sent
Best = dict[int, tuple[int, Hit]]  # account or prompt → place among the candidates, hit
SPARE = 2  # accounts verified for each one wanted: the relation may change their order


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for: a canonical prompt."""

    system: str
    user: str

    @property
    def text(self) -> str:
        """Both roles as one text."""
        return whole_text(self.system, self.user)


@dataclass(frozen=True, slots=True)
class Found:
    """Hits, best first; `notes` say what was cut, if anything was."""

    hits: tuple[Hit, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidates:
    """Prompts worth a look, best first, one entry each: cosine, whether a fixed part is shared, and its weight."""

    prompt_no: Int64s
    cosine: Floats
    fixed: Bools
    weight: Floats
    exact: int  # the prompt that is the query itself, or -1
    floor: float  # the cosine below which nothing was looked at; -inf: a deeper look could find no more

    @staticmethod
    def none(exact: int) -> Candidates:
        """Before any look."""
        real = np.zeros(0, np.float32)
        return Candidates(np.zeros(0, np.int64), real, np.zeros(0, np.bool_), real, exact, 1.0)

    def followed_by(self, more: Candidates) -> Candidates:
        """Both, these first."""
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(self, name), getattr(more, name)])
            for name in ("prompt_no", "cosine", "fixed", "weight")
        }
        return replace(self, **columns, floor=more.floor)


def search(
    store: Store,
    index: Index,
    encoder: Encoder,
    query: Query,
    *,
    k: int,
    by: str,
    filters: Filters,
    min_similarity: float | None,
) -> Found:
    """The k closest accounts, or prompts, that pass the filters."""
    vector = encoder.encode([query.text])
    allowed = store.allowed(filters)
    exact = int(store.lookup([fingerprint(query.system, query.user, store.key)])[0])
    texts = Comparison(store, query.text, FIXED_RUN)
    found = Candidates.none(exact)
    best: Best = {}
    first: SpanHits | None = None
    for _ in range(ROUNDS):
        spans = index.sharing(query.system, query.user, max(8 * k, 100), allowed)
        nearest = index.nearest(vector, max(8 * k, 100), allowed)
        itself = exact if allowed is None or allowed[exact] else -1
        shared = _with_fixed_part(texts, spans, SPARE * k)
        more = _candidates(store, vector[0], (nearest[0][0], nearest[1][0]), shared, itself)
        exhausted = more.floor < (-1.0 if min_similarity is None else min_similarity)
        first = first or spans
        seen = len(found.prompt_no)
        found = found.followed_by(_at_least(more, min_similarity))
        _group(store, found, seen, filters, by, SPARE * k, best)
        if len(best) >= k or exhausted:
            break
        allowed = _unseen(store, allowed, found, best if by == "account" else ())
    verified = sorted(_verified(texts, list(best.values())[: SPARE * k], found), key=_order)[:k]
    named = _with_families(store, [(hit, number) for hit, _, number in verified])
    stopped = 0 if len(best) >= k or exhausted else len(found.prompt_no)
    return Found(tuple(named), tuple(_notes(first or spans, stopped)))


def _unseen(store: Store, allowed: Bools | None, found: Candidates, accounts: Collection[int]) -> Bools:
    """The prompts to look at next: those that others than these accounts sent, and that were not looked at yet."""
    others = store.sent_by_others(accounts)
    if allowed is not None:
        others[: len(allowed)] &= allowed
        others[len(allowed) :] = False
    others[found.prompt_no] = False
    return others


def _candidates(
    store: Store, vector: Floats, nearest: tuple[Floats, Int64s], shared: Mapping[int, float], exact: int
) -> Candidates:
    """Both ways in as one list: the copy, then shared fixed parts by weight, then neighbours by cosine."""
    scores, near = (column[nearest[1] >= 0] for column in nearest)
    others = np.setdiff1d(np.array([*shared, *([exact] if exact >= 0 else [])], np.int64), near)
    numbers = np.concatenate([near, others])
    cosine = np.concatenate([scores, cosines(store.vectors(), others, vector[None])[0]])
    cosine[np.isneginf(cosine)] = 0.0  # a text without content
    weight = np.array([shared.get(number, 0.0) for number in numbers.tolist()], np.float32)
    order = np.lexsort((numbers, -cosine, -weight, numbers != exact))
    floor = float(scores[-1]) if len(near) == len(nearest[1]) else -np.inf
    return Candidates(numbers[order], cosine[order], weight[order] > 0, weight[order], exact, floor)


def _with_fixed_part(texts: Comparison, spans: SpanHits, most: int) -> dict[int, float]:
    """Prompts that share a run of FIXED_RUN tokens, with their weight.

    The index tells runs from below only; the texts of the `most` likely ones in doubt are read.
    """
    fixed = spans.run >= FIXED_RUN
    doubtful = np.flatnonzero(~fixed)[:most]
    fixed[doubtful] = texts.share_a_run(spans.prompt_no[doubtful])
    return dict(zip(spans.prompt_no[fixed].tolist(), spans.weight[fixed].tolist(), strict=True))


def _at_least(found: Candidates, similarity: float | None) -> Candidates:
    if similarity is None:
        return found
    keep = found.cosine >= similarity
    return replace(
        found,
        prompt_no=found.prompt_no[keep],
        cosine=found.cosine[keep],
        fixed=found.fixed[keep],
        weight=found.weight[keep],
    )


def _group(
    store: Store,
    found: Candidates,
    start: int,
    filters: Filters,
    by: str,
    wanted: int,
    best: Best,
) -> None:
    """Add (place among the candidates, hit) of each account, or prompt, at its best one, until `wanted` are known.

    From `start` on. Senders are looked up for a few candidates at a time, since the first ones mostly are enough.
    """
    stop = start + 2 * wanted
    while start < len(found.prompt_no) and len(best) < wanted:
        _sent(store, found, slice(start, stop), filters, by, best)
        start, stop = stop, 2 * stop - start


def _sent(store: Store, found: Candidates, some: slice, filters: Filters, by: str, best: Best) -> None:
    """Add to `best` the accounts, or prompts, of some candidates."""
    senders = store.senders(found.prompt_no[some], filters)
    place = {number: some.start + i for i, number in enumerate(found.prompt_no[some].tolist())}
    names = dict(zip(senders.account_no.tolist(), store.accounts(senders.account_no), strict=True))
    rows = zip(*(column.tolist() for column in (senders.prompt_no, senders.account_no, senders.events,
               senders.first_seen, senders.last_seen)), strict=True)  # fmt: skip
    for prompt_no, account_no, events, first, last in sorted(rows, key=lambda row: (place[row[0]], row[3], row[1])):
        group = account_no if by == "account" else prompt_no
        if group not in best:
            hit = Hit(names[account_no], float(found.cosine[place[prompt_no]]), "", "", "", events, first, last, None)
            best[group] = (place[prompt_no], hit)
        elif by == "prompt":
            at, hit = best[group]
            seen = {"first_seen": min(hit.first_seen, first), "last_seen": max(hit.last_seen, last)}
            best[group] = (at, replace(hit, event_count=hit.event_count + events, **seen))


def _verified(texts: Comparison, hits: list[tuple[int, Hit]], found: Candidates) -> Iterator[tuple[Hit, float, int]]:
    """Each hit with its text and relation, the figure that orders hits of one relation, and the prompt's number."""
    texts.read(int(found.prompt_no[place]) for place, _ in hits)
    for place, hit in hits:
        number = int(found.prompt_no[place])
        prompt = texts.prompt(number)
        if prompt is None:  # erased between two looks
            continue
        relation, figure = _relation(found, place, texts.alike(number, NEAR_DUPLICATE))
        yield replace(hit, relation=relation, prompt_id=prompt.prompt_id, text=prompt.text), figure, number


def _with_families(store: Store, hits: list[tuple[Hit, int]]) -> Iterator[Hit]:
    """Each hit with the main family of its prompt, if it has one."""
    families = store.families_of([number for _, number in hits])
    for hit, number in hits:
        yield replace(hit, family_id=families[number][0].family_id) if number in families else hit


def _relation(found: Candidates, place: int, alike: float) -> tuple[str, float]:
    cosine = float(found.cosine[place])
    if found.prompt_no[place] == found.exact:
        return "exact", 1.0
    if alike >= NEAR_DUPLICATE:
        return "near-duplicate", alike
    if found.fixed[place]:
        return "template", float(found.weight[place])
    return ("paraphrase" if cosine >= PARAPHRASE else "similar"), cosine


def _order(verified: tuple[Hit, float, int]) -> tuple[int, float, float, str, str]:
    hit, figure, _ = verified
    return (RELATIONS.index(hit.relation), -figure, -hit.similarity, hit.account_id, hit.prompt_id)


def _notes(spans: SpanHits, stopped: int) -> Iterator[str]:
    if spans.capped:
        yield f"{spans.capped} passages of the text are so common that only a sample of the prompts with them was read"
    if spans.unread:
        yield f"the text is very long: {spans.unread} of its passages were not looked up"
    if spans.unsearched:
        yield f"{spans.unsearched:,} prompts are not indexed yet: run `promptsim reindex`"
    if stopped:
        yield f"stopped after {stopped:,} prompts: narrow the search with a filter to see more accounts"
