"""A prompt → the known family it belongs to, if any. For a request path: nothing is stored, nothing is embedded.

fingerprint ─► a stored prompt with a family ─► exact
shingles ─► known skeletons by hash; in doubt, the fixed text is aligned ─► template
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promptsim.engine.judgement import judged
from promptsim.engine.known import Known
from promptsim.errors import NotFoundError, UsageError
from promptsim.intake.event import parse_prompt
from promptsim.intake.problems import BadEvent
from promptsim.records import Family, Relation
from promptsim.store.store import Store
from promptsim.text.fingerprint import fingerprint


@dataclass(frozen=True, slots=True)
class Match:
    """The family of a prompt, how it was known, and how much of the family's fixed text is there."""

    family: Family
    wording_id: str
    relation: Relation
    share: float
    aligned: bool = False  # it took alignment to see: words were changed or put in between


def match(
    store: Store, known: Known, text: str | None, messages: Sequence[Mapping[str, object]] | None
) -> Match | None:
    """Is this a prompt of a known family? UsageError where it is no prompt at all."""
    try:
        system, user = parse_prompt(text, messages)
    except BadEvent as problem:
        raise UsageError(f"the prompt cannot be matched: {problem.reason}") from None
    number = int(store.lookup([fingerprint(system, user, store.key)])[0])
    if number >= 0:
        for member in store.families_of([number]).get(number, ())[:1]:
            family = _family(store, member.family_id)
            return None if family is None else Match(family, member.wording_id, "exact", 1.0)
    found = known.index.assign([(system, user)])
    place = int(found.skeleton[0])
    if place < 0:
        return None
    skeleton = known.index.skeletons[place]
    family = _family(store, skeleton.family_id)
    if family is None:
        return None
    share = min(1.0, float(found.share[0]))
    return Match(family, skeleton.wording_id, "template", share, bool(found.aligned[0]))


def _family(store: Store, family_id: str) -> Family | None:
    """The family with its verdict; None where a run has just replaced it: the next request sees the new ones."""
    try:
        family = store.family(family_id)
    except NotFoundError:
        return None
    return judged(family, store.latest_verdicts().get(family_id))
