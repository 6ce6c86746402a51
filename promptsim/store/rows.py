"""Records of a run ◄─► rows: each record round-trips exactly.

Nested parts are JSON text by name, so that a later release may add a field; figures that are sorted or filtered by are
columns. Numbers of numpy's types become Python's.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from promptsim.records import Evidence, Family, Finding, Lineage, Network, Run, Skeleton, Slot, Verdict, Wording

Row = tuple[Any, ...]
FAMILY_COLUMNS = (
    "family_id, kind, role, template, slots, wordings, event_count, prompt_count, account_count, first_seen, last_seen,"
    " commonplace, flagged, score, p_value, evidence, status, network_ids, lineage"
)
NETWORK_COLUMNS = (
    "network_id, account_ids, family_ids, first_seen, last_seen, flagged, score, p_value, evidence, status, membership"
)
FINDING_COLUMNS = "subject_id, flagged, score, p_value, evidence, network_ids"
_FAMILY = FAMILY_COLUMNS.split(", ")
RUN_COLUMNS = "run_id, state, started, finished, full, counts, seconds, changes, error"
VERDICT_COLUMNS = 'verdict_id, subject_id, verdict, reason, "by", time, state, confirms, accounts, events'


_encoder = msgspec.json.Encoder(enc_hook=lambda value: _plain(value))
_slots = msgspec.json.Decoder(tuple[Slot, ...])
_wordings = msgspec.json.Decoder(tuple[Wording, ...])
_evidence = msgspec.json.Decoder(tuple[Evidence, ...])
_lineage = msgspec.json.Decoder(Lineage)
_names = msgspec.json.Decoder(tuple[str, ...])
_anything = msgspec.json.Decoder()


def to_json(value: object) -> str:
    """Records become objects by their fields' names."""
    plain = msgspec.to_builtins(value, enc_hook=_plain)
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def _without_figures(value: object) -> str:
    """The same, faster: an infinite figure would be lost."""
    return _encoder.encode(value).decode() if value != () else "[]"  # of most families, in several columns


def _loaded(text: str, decoder: msgspec.json.Decoder[Any] = _anything) -> Any:
    if text == "[]":  # of most families, in several columns
        return ()
    try:
        return decoder.decode(text)
    except msgspec.DecodeError:  # an infinite figure, which JSON has not but Python writes
        return msgspec.convert(json.loads(text), decoder.type)


def _plain(value: Any) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} cannot be stored")


def _real(value: float | None) -> float | None:
    return None if value is None else float(value)


# ------------------------------------------------------------------ families
def family_to_row(family: Family, finding: Finding | None = None) -> Row:
    """The family with what the networks room says of it: its claim counts, its evidence comes after the family's."""
    counts = (family.event_count, family.prompt_count, family.account_count, family.first_seen, family.last_seen)
    claim: Family | Finding = finding or family
    evidence, network_ids = family.evidence, claim.network_ids or family.network_ids
    if finding is not None and finding.evidence:
        evidence += tuple(item for item in finding.evidence if item not in family.evidence)
    return (
        family.family_id,
        family.kind,
        family.role,
        family.template,
        _without_figures(family.slots),
        _without_figures(family.wordings),
        *map(int, counts),
        float(family.commonplace),
        int(claim.flagged),
        float(claim.score),
        _real(claim.p_value),
        evidence_to_json(evidence),
        family.status,
        _without_figures(network_ids),
        _without_figures(family.lineage),
    )


def family_from_row(row: Row) -> Family:
    values = dict(zip(_FAMILY, row, strict=True))
    values["slots"] = _loaded(values["slots"], _slots)
    values["wordings"] = _loaded(values["wordings"], _wordings)
    values["lineage"] = _loaded(values["lineage"], _lineage)
    return Family(**_claim(values))


def _claim(values: dict[str, Any]) -> dict[str, Any]:
    """The columns that families, networks and findings share, as their records have them."""
    values["flagged"] = bool(values["flagged"])
    values["evidence"] = evidence_from_json(values["evidence"])
    if "network_ids" in values:
        values["network_ids"] = _loaded(values["network_ids"], _names)
    return values


# ------------------------------------------------------------------ evidence, findings, networks
def evidence_to_json(evidence: Sequence[Evidence]) -> str:
    figures = [
        figure for item in evidence for figure in (item.value, item.p_value) if isinstance(figure, float | np.floating)
    ]
    return (_without_figures if all(map(math.isfinite, figures)) else to_json)(tuple(evidence))


def evidence_from_json(text: str) -> tuple[Evidence, ...]:
    found: tuple[Evidence, ...] = _loaded(text, _evidence)
    return found


def finding_to_row(finding: Finding) -> Row:
    claim = (int(finding.flagged), float(finding.score), _real(finding.p_value))
    return (finding.subject_id, *claim, evidence_to_json(finding.evidence), to_json(finding.network_ids))


def finding_from_row(row: Row) -> Finding:
    return Finding(**_claim(dict(zip(FINDING_COLUMNS.split(", "), row, strict=True))))


def network_to_row(network: Network) -> Row:
    return (
        network.network_id,
        to_json(network.account_ids),
        to_json(network.family_ids),
        int(network.first_seen),
        int(network.last_seen),
        int(network.flagged),
        float(network.score),
        _real(network.p_value),
        evidence_to_json(network.evidence),
        network.status,
        to_json(dict(network.membership)),
    )


def network_from_row(row: Row) -> Network:
    values = dict(zip(NETWORK_COLUMNS.split(", "), row, strict=True))
    for name in ("account_ids", "family_ids"):
        values[name] = _loaded(values[name], _names)
    values["membership"] = _loaded(values["membership"])
    return Network(**_claim(values))


# ------------------------------------------------------------------ skeletons, runs, verdicts
def skeleton_to_row(skeleton: Skeleton) -> Row:
    shingles = skeleton.shingles.astype("<u8", copy=False).tobytes()
    weights = skeleton.weights.astype("<f4", copy=False).tobytes()
    return (skeleton.wording_id, skeleton.family_id, shingles, weights, skeleton.text, skeleton.worth)


def skeleton_from_row(row: Row) -> Skeleton:
    return Skeleton(row[0], row[1], np.frombuffer(row[2], "<u8"), np.frombuffer(row[3], "<f4"), row[4], row[5])


def run_to_row(run: Run) -> Row:
    maps = (to_json(dict(run.counts)), to_json(dict(run.seconds)), to_json(dict(run.changes)))
    return (run.run_id, run.state, run.started, run.finished, int(run.full), *maps, run.error)


def run_from_row(row: Row) -> Run:
    values = dict(zip(RUN_COLUMNS.split(", "), row, strict=True))
    values["full"] = bool(values["full"])
    for name in ("counts", "seconds", "changes"):
        values[name] = _loaded(values[name])
    return Run(**values)


def verdict_to_row(verdict: Verdict) -> Row:
    return (
        verdict.verdict_id,
        verdict.subject_id,
        verdict.verdict,
        verdict.reason,
        verdict.by,
        int(verdict.time),
        verdict.state,
        verdict.confirms,
        int(verdict.accounts),
        int(verdict.events),
    )


def verdict_from_row(row: Row) -> Verdict:
    return Verdict(*row)
