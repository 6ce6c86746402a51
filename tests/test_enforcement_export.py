"""What is handed on: findings for a SIEM, a bundle for peers; no raw prompt, no account that may be a victim."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import stix2
from store_samples import found, put, sent

from promptsim.enforcement.export import write_export
from promptsim.enforcement.ocsf import family_finding
from promptsim.enforcement.stix import bundle
from promptsim.engine import Engine
from promptsim.errors import UsageError
from promptsim.records import Evidence, Family, Network, NetworkSet, Slot, Wording
from promptsim.store.core import EncoderIdentity

TEMPLATE = "Rate {1} from one to five"
RAW = 'Write {{"a": 1}} as a table'
CANARY = "canary-4711"
DAY = 86_400_000_000


def family(name: str, template: str = TEMPLATE, *, flagged: bool = True, status: str = "open") -> Family:
    slots = (Slot("1", 2, (CANARY,)),)
    wording = Wording(f"w_{name}", template, 2, 2, slots)
    evidence = (Evidence("sharded", 1.0, "Each payload is sent once."),)
    return Family(
        name, "template", "user", template, slots, (wording,), 20, 12, 6, 5_000_000, 9_000_000, flagged=flagged,
        score=0.87, evidence=evidence, status=status,
    )  # fmt: skip


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A flagged family of a0…a6 and of `victim`, whose nine other prompts are its own; a network of three of them."""
    with Engine.open(tmp_path / "home") as opened:
        opened.store.use_encoder(EncoderIdentity("test", "0", 8))
        own = [sent(50 + i, account="victim", user=f"its own {i}", time=10**15 + i * DAY) for i in range(9)]
        put(opened.store, [sent(i) for i in range(10)])
        put(opened.store, [*own, sent(99, account="victim", user="text 1")])
        started = opened.store.start_run()
        network = Network(
            "net_1", ("a1", "a2", "victim"), ("f_a",), 0, 9, True, 0.9, None, (), membership={"victim": 1.0}
        )
        result = found(
            [family("f_a"), family("f_b", RAW), family("f_c", flagged=False)], [(i, 0, 0, 2, 0) for i in range(7)]
        )
        done = replace(started, state="finished", finished=9)
        opened.store.save_run(done, result, NetworkSet((network,), {}, {}, {}), covered=30)
        yield opened


def exported(engine: Engine, out: Path, what: str, format: str, *, flagged: bool = False) -> str:
    write_export(engine, what, format=format, out=out, flagged=flagged)
    return out.read_text()


# ------------------------------------------------------------------ victims
def test_a_possible_victim_is_in_no_export_of_what_is_flagged_until_a_person_decides(
    engine: Engine, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for what in ("members", "networks", "accounts"):
        assert "victim" not in exported(engine, out, what, "jsonl", flagged=True), what
    assert "victim" in exported(engine, out, "accounts", "jsonl")
    assert "victim" not in exported(engine, out, "networks", "ocsf")
    engine.review("victim", verdict="coordinated", reason="seen elsewhere", by="ada")
    assert "victim" in exported(engine, out, "networks", "ocsf", flagged=True)
    assert "victim" in exported(engine, out, "members", "jsonl", flagged=True)


# ------------------------------------------------------------------ OCSF
def test_a_family_is_a_detection_finding() -> None:
    row = family_finding(family("f_a", status="coordinated"))
    assert (row["class_uid"], row["category_uid"], row["type_uid"], row["activity_id"]) == (2004, 2, 200401, 1)
    assert (row["severity_id"], row["status_id"], row["verdict_id"]) == (4, 2, 2)
    assert (row["time"], row["count"], row["confidence_score"], row["is_alert"]) == (9_000, 20, 87, True)
    info = row["finding_info"]
    assert isinstance(info, dict)
    assert (info["uid"], info["first_seen_time"], info["desc"]) == ("f_a", 5_000, "Each payload is sent once.")
    assert row["unmapped"] == {
        "account_count": 6, "prompt_count": 12, "network_ids": [],
        "texts": [{"template": TEMPLATE, "sha256": hashlib.sha256(TEMPLATE.encode()).hexdigest()}],
    }  # fmt: skip


def test_statuses_map_to_those_of_the_schema() -> None:
    rows = [family_finding(family("f_a", status=status)) for status in ("open", "unsure", "benign")]
    assert [(r["status_id"], r["verdict_id"], r["severity_id"]) for r in rows] == [(1, 0, 3), (2, 7, 3), (3, 5, 3)]


def test_findings_are_one_json_object_a_line(engine: Engine, tmp_path: Path) -> None:
    lines = exported(engine, tmp_path / "out", "families", "ocsf").splitlines()
    assert sorted(json.loads(line)["finding_info"]["uid"] for line in lines) == ["f_a", "f_b", "f_c"]
    assert CANARY not in "".join(lines)


# ------------------------------------------------------------------ STIX
def test_a_bundle_has_templates_and_hashes_of_what_is_flagged(engine: Engine, tmp_path: Path) -> None:
    text = exported(engine, tmp_path / "out", "families", "stix")
    parsed = stix2.parse(text)
    kinds = [thing.type for thing in parsed.objects]
    assert sorted(kinds) == ["artifact", "identity", "indicator", "indicator", "observed-data", "relationship"]
    artifact = next(thing for thing in parsed.objects if thing.type == "artifact")
    assert base64.b64decode(artifact.payload_bin).decode() == TEMPLATE
    assert artifact.hashes["SHA-256"] in next(t for t in parsed.objects if t.type == "indicator").pattern
    assert "f_c" not in text


def test_a_family_without_slots_is_a_raw_prompt_and_leaves_as_a_hash_alone() -> None:
    text = bundle([family("f_b", RAW)])
    sha = hashlib.sha256(b'Write {"a": 1} as a table').hexdigest()
    assert sha in text
    assert "table" not in text
    assert base64.b64encode(b"Write").decode()[:6] not in text
    assert "table" not in json.dumps(family_finding(family("f_b", RAW)))


def test_neither_examples_nor_accounts_are_in_a_bundle_and_it_is_the_same_each_time(engine: Engine) -> None:
    text = bundle(engine.families())
    assert not any(word in text for word in (CANARY, "victim", '"a1"'))
    assert text == bundle(engine.families())


def test_an_empty_bundle_is_a_bundle() -> None:
    assert [thing.type for thing in stix2.parse(bundle([])).objects] == ["identity"]


def test_a_format_that_does_not_fit_is_refused(engine: Engine) -> None:
    for what, format in (("accounts", "stix"), ("networks", "stix"), ("members", "ocsf"), ("families", "xml")):
        with pytest.raises(UsageError, match=format):
            write_export(engine, what, format=format, out=None)
