"""Families and networks → OCSF Detection Findings (class 2004), one JSON object each: for a SIEM."""

from __future__ import annotations

from collections.abc import Sequence

from promptsim.contract import Row
from promptsim.enforcement.sharing import shared_texts
from promptsim.records import Evidence, Family, Network

SCHEMA = "1.5.0"
CREATE = 1
STATUS = {
    "open": (1, "New"),
    "unsure": (2, "In Progress"),
    "coordinated": (2, "In Progress"),
    "benign": (3, "Suppressed"),
}
VERDICT = {"coordinated": (2, "True Positive"), "benign": (5, "Benign"), "unsure": (7, "Insufficient Data")}
INFORMATIONAL, MEDIUM, HIGH = (1, "Informational"), (3, "Medium"), (4, "High")
MOST_ACCOUNTS = 10_000  # listed in one finding; the rest are counted


def family_finding(family: Family) -> Row:
    """One family: its template and hashes, never a raw prompt."""
    texts = [{"template": text.template, "sha256": text.sha256} for text in shared_texts(family)]
    about = f"{family.account_count} accounts sent {family.event_count} prompts of one {family.kind} family"
    more: Row = {
        "account_count": family.account_count,
        "prompt_count": family.prompt_count,
        "texts": texts,
        "network_ids": list(family.network_ids),
    }
    found = _finding(family, family.family_id, "Prompt family", about, more)
    return found | {"count": family.event_count}


def network_finding(network: Network, held: Sequence[str] = ()) -> Row:
    """One network. Accounts that a person has to look at first are counted, not named."""
    named = [account for account in network.account_ids if account not in set(held)]
    about = f"{len(network.account_ids)} accounts act together through {len(network.family_ids)} families"
    more: Row = {
        "family_ids": list(network.family_ids),
        "accounts_held_for_review": len(network.account_ids) - len(named),
        "accounts_left_out": max(0, len(named) - MOST_ACCOUNTS),
    }
    users = [{"actor": {"user": {"uid": account}}} for account in named[:MOST_ACCOUNTS]]
    return _finding(network, network.network_id, "Account network", about, more) | {"evidences": users}


def _finding(subject: Family | Network, uid: str, kind: str, about: str, more: Row) -> Row:
    status, verdict = STATUS[subject.status], VERDICT.get(subject.status, (0, "Unknown"))
    severity = HIGH if subject.status == "coordinated" else MEDIUM if subject.flagged else INFORMATIONAL
    return {
        "activity_id": CREATE,
        "activity_name": "Create",
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2004,
        "class_name": "Detection Finding",
        "type_uid": 2004 * 100 + CREATE,
        "type_name": "Detection Finding: Create",
        "time": subject.last_seen // 1000,
        "message": about,
        "severity_id": severity[0],
        "severity": severity[1],
        "status_id": status[0],
        "status": status[1],
        "verdict_id": verdict[0],
        "verdict": verdict[1],
        "confidence_score": round(100 * min(max(subject.score, 0.0), 1.0)),
        "is_alert": subject.flagged,
        "metadata": {
            "version": SCHEMA,
            "profiles": ["incident"],
            "product": {"name": "promptsim", "vendor_name": "promptsim"},
        },
        "finding_info": {
            "uid": uid,
            "title": f"{kind} {uid}",
            "desc": " ".join(_sentences(subject.evidence)) or about,
            "types": [kind],
            "first_seen_time": subject.first_seen // 1000,
            "last_seen_time": subject.last_seen // 1000,
            "analytic": {"name": "promptsim", "type": "Statistical", "type_id": 3},
        },
        "unmapped": more,
    }


def _sentences(evidence: Sequence[Evidence]) -> list[str]:
    return [item.sentence for item in evidence]
