"""Flagged families → one STIX 2.1 bundle for peers: templates and hashes, never a raw prompt, never an account.

    family ─► indicator (hashes of its fixed texts) ─► based on observed data ─► artifacts (the templates)

Ids follow from content: the same family in two exports is one object, and what was seen later is a later version of it.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from promptsim.enforcement.sharing import SharedText, shared_texts
from promptsim.errors import UsageError
from promptsim.records import Family

NAMESPACE = uuid.UUID("6d1c7f0e-5b0a-5c38-9a55-3a7f0d8f2c41")
MOST_OBSERVED = 999_999_999  # that STIX counts


def bundle(families: Iterable[Family]) -> str:
    """The bundle as JSON; only families that are flagged, whoever flagged them."""
    stix2 = _library()
    maker = stix2.v21.Identity(
        id=_id("identity", "promptsim"), name="promptsim", identity_class="system",
        created=datetime(2026, 1, 1, tzinfo=UTC), modified=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    objects = [maker]
    for family in families:
        if family.flagged:
            objects += _objects(stix2, family, maker.id)
    name = _id("bundle", "\n".join(f"{o.id}{o.get('modified', '')}" for o in objects))
    text: str = stix2.v21.Bundle(id=name, objects=objects).serialize(pretty=False)
    return text


def _objects(stix2: Any, family: Family, maker: str) -> list[Any]:
    texts = shared_texts(family)
    if not texts:  # its text was erased: there is nothing to tell
        return []
    first, last = _moment(family.first_seen), _moment(max(family.last_seen, family.first_seen))
    versions = {"created": first, "modified": last, "created_by_ref": maker}
    indicator = stix2.v21.Indicator(
        id=_id("indicator", texts[0].sha256), name=f"Prompt family {family.family_id}",
        description=f"{family.account_count} accounts sent {family.event_count} prompts of this family.",
        indicator_types=["anomalous-activity"], pattern_type="stix", pattern=_pattern(texts), valid_from=first,
        confidence=round(100 * min(max(family.score, 0.0), 1.0)), **versions,
    )  # fmt: skip
    artifacts = list({a.id: a for a in (_artifact(stix2, text) for text in texts if text.template)}.values())
    if not artifacts:
        return [indicator]
    observed = stix2.v21.ObservedData(
        id=_id("observed-data", texts[0].sha256), first_observed=first, last_observed=last,
        number_observed=min(max(family.event_count, 1), MOST_OBSERVED), object_refs=[a.id for a in artifacts],
        **versions,
    )  # fmt: skip
    tie = stix2.v21.Relationship(
        id=_id("relationship", texts[0].sha256), relationship_type="based-on", source_ref=indicator.id,
        target_ref=observed.id, **versions,
    )  # fmt: skip
    return [indicator, *artifacts, observed, tie]


def _artifact(stix2: Any, text: SharedText) -> Any:
    """A template, as the text that peers can match by."""
    assert text.template is not None
    return stix2.v21.Artifact(
        id=_id("artifact", text.sha256), mime_type="text/plain; charset=utf-8",
        payload_bin=base64.b64encode(text.template.encode()).decode(), hashes={"SHA-256": text.sha256},
    )  # fmt: skip


def _pattern(texts: Iterable[SharedText]) -> str:
    return "[" + " OR ".join(f"artifact:hashes.'SHA-256' = '{text.sha256}'" for text in texts) + "]"


def _id(kind: str, content: str) -> str:
    return f"{kind}--{uuid.uuid5(NAMESPACE, f'{kind}:{content}')}"


def _moment(time: int) -> datetime:
    return datetime.fromtimestamp(time / 1_000_000, UTC)


def _library() -> Any:
    try:
        import stix2
    except ImportError:
        raise UsageError("--format stix needs one more package: pip install 'promptsim[stix]'") from None
    return stix2
