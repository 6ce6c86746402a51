"""A prompt → who else sent it, or what is like it.

    fingerprint ─► the exact copy ─┐
    tokens ─► shared long runs ────┼─► candidates ─► relation, similarity ─► senders ─► hits
    vector ─► nearest neighbours ──┘

Three ways in, because each sees what the others cannot: a fixed instruction in a long payload is invisible to
whole-text vectors, and a rewording shares no run of tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from rapidfuzz.distance import Indel

from promptsim.encode.encoder import Encoder
from promptsim.index.index import Index
from promptsim.index.spans import SpanHits
from promptsim.records import Floats, Hit, Int64s, Prompt, whole_text
from promptsim.store.filters import Filters
from promptsim.store.store import Store
from promptsim.text.fingerprint import fingerprint
from promptsim.text.tokens import select, tokenise

RELATIONS = ("exact", "near-duplicate", "template", "paraphrase", "similar")
NEAR_DUPLICATE = 0.85  # share of tokens in common (Indel) from which two texts are copies with small changes
FIXED_RUN = 13  # tokens shared in one unbroken run: a fixed part, whatever the payload
PARAPHRASE = 0.75  # cosine from which two texts without such a run are taken to say the same
DEEPEST = 20_000  # prompts looked at for one question
SPARE = 3  # accounts verified for each one wanted: the relation may change their order


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
    """Prompts worth a look, best first, one entry each: cosine, shared weight and longest shared run in tokens."""

    prompt_no: Int64s
    cosine: Floats
    weight: Floats
    run: Int64s
    exact: int  # the prompt that is the query itself, or -1
    exhausted: bool  # whether a deeper look could find more


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
    depth = max(8 * k, 100)
    while True:
        spans = index.sharing(query.system, query.user, depth, allowed)
        numbers = index.nearest(vector, depth, allowed)[1][0]
        found = _candidates(store, vector[0], numbers, spans, exact if allowed is None or allowed[exact] else -1)
        found = _at_least(found, min_similarity)
        hits = _grouped(store, found, filters, by)
        if len(hits) >= SPARE * k or found.exhausted or depth >= DEEPEST:
            break
        depth = min(4 * depth, DEEPEST)
    verified = sorted(_verified(store, query, hits[: SPARE * k], found), key=_order)[:k]
    named = _with_families(store, [(hit, number) for hit, _, number in verified])
    return Found(tuple(named), tuple(_notes(spans, len(hits) < k and not found.exhausted)))


def _candidates(store: Store, vector: Floats, nearest: Int64s, spans: SpanHits, exact: int) -> Candidates:
    """Both ways in as one list: the copy, then shared fixed parts by weight, then neighbours by cosine."""
    shared = {int(n): i for i, n in enumerate(spans.prompt_no) if spans.run[i] >= FIXED_RUN}
    near = nearest[nearest >= 0]
    numbers = np.unique(np.concatenate([near, np.array([*shared, *([exact] if exact >= 0 else [])], dtype=np.int64)]))
    cosine = store.vectors()[numbers].astype(np.float32) @ vector
    weight, run = np.zeros(len(numbers), np.float32), np.zeros(len(numbers), np.int64)
    for place, number in enumerate(numbers.tolist()):
        if number in shared:
            weight[place], run[place] = spans.weight[shared[number]], spans.run[shared[number]]
    order = np.lexsort((numbers, -cosine, -weight, run == 0, numbers != exact))
    exhausted = len(near) < len(nearest)
    return Candidates(numbers[order], cosine[order], weight[order], run[order], exact, exhausted)


def _at_least(found: Candidates, similarity: float | None) -> Candidates:
    if similarity is None:
        return found
    keep = found.cosine >= similarity
    return replace(
        found,
        prompt_no=found.prompt_no[keep],
        cosine=found.cosine[keep],
        weight=found.weight[keep],
        run=found.run[keep],
        exhausted=found.exhausted or not keep.all(),
    )


def _grouped(store: Store, found: Candidates, filters: Filters, by: str) -> list[tuple[int, Hit]]:
    """(place among the candidates, hit) for each account, or each prompt, at its best candidate."""
    senders = store.senders(found.prompt_no, filters)
    place = {int(number): i for i, number in enumerate(found.prompt_no)}
    best: dict[int, tuple[int, Hit]] = {}
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
    return list(best.values())


def _verified(
    store: Store, query: Query, hits: list[tuple[int, Hit]], found: Candidates
) -> Iterator[tuple[Hit, float, int]]:
    """Each hit with its text and relation, the figure that orders hits of one relation, and the prompt's number."""
    numbers = sorted({int(found.prompt_no[place]) for place, _ in hits})
    prompts = {prompt.prompt_no: prompt for prompt in store.prompts(numbers)}
    alike = _token_similarity(query, list(prompts.values()))
    for place, hit in hits:
        number = int(found.prompt_no[place])
        if number not in prompts:  # erased between two looks
            continue
        relation, figure = _relation(found, place, alike[number])
        prompt = prompts[number]
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
    if found.run[place] >= FIXED_RUN:
        return "template", float(found.weight[place])
    return ("paraphrase" if cosine >= PARAPHRASE else "similar"), cosine


def _token_similarity(query: Query, prompts: list[Prompt]) -> dict[int, float]:
    """Indel similarity of folded tokens: of evaded copies too."""
    tokens = select(tokenise([query.text, *(prompt.text for prompt in prompts)]), newlines=False)
    lists = [tokens.hashes[a:b].tolist() for a, b in zip(tokens.offsets, tokens.offsets[1:], strict=False)]
    return {
        prompt.prompt_no: Indel.normalized_similarity(lists[0], each, score_cutoff=NEAR_DUPLICATE)
        for prompt, each in zip(prompts, lists[1:], strict=True)
    }


def _order(verified: tuple[Hit, float, int]) -> tuple[int, float, float, str, str]:
    hit, figure, _ = verified
    return (RELATIONS.index(hit.relation), -figure, -hit.similarity, hit.account_id, hit.prompt_id)


def _notes(spans: SpanHits, stopped: bool) -> Iterator[str]:
    if spans.capped:
        yield f"{spans.capped} passages of the text are so common that only a sample of the prompts with them was read"
    if spans.unread:
        yield f"the text is very long: {spans.unread} of its passages were not looked up"
    if spans.unsearched:
        yield f"{spans.unsearched:,} prompts are not indexed yet: run `promptsim reindex`"
    if stopped:
        yield f"stopped after {DEEPEST:,} prompts: narrow the search with a filter to see more accounts"
