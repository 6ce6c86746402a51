"""An event → why it is in its families: the spans of fixed text that it has, and what was undone to see them."""

from __future__ import annotations

from dataclasses import dataclass

from promptsim.families.difference import Difference, compare_with_template
from promptsim.records import Event, Relation, whole_text
from promptsim.store.store import Store
from promptsim.text.fingerprint import fingerprint


@dataclass(frozen=True, slots=True)
class Reason:
    """One family of the event: how it belongs, and its text laid beside the wording's template."""

    family_id: str
    wording_id: str
    relation: Relation
    template: str
    difference: Difference


@dataclass(frozen=True, slots=True)
class Explanation:
    """An event with a reason for each of its families, the main one first; none if it is in no family."""

    event: Event
    text: str
    reasons: tuple[Reason, ...]


def explain(store: Store, event_id: str) -> Explanation:
    """Why an event is where the last run put it; NotFoundError if there is no such event."""
    with store.snapshot():
        event = store.event(event_id)
        number = int(store.lookup([fingerprint(event.system, event.user, store.key)])[0])
        memberships = store.families_of([number]).get(number, ())
        families = {membership.family_id: store.family(membership.family_id) for membership in memberships}
    text = whole_text(event.system, event.user)
    reasons = []
    for one in memberships:
        family = families[one.family_id]
        wording = next((w for w in family.wordings if w.wording_id == one.wording_id), None)
        template = wording.template if wording else family.template
        difference = compare_with_template(template, text)
        reasons.append(Reason(one.family_id, one.wording_id, one.relation, template, difference))
    return Explanation(event, text, tuple(reasons))
