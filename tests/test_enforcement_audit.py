"""The audit log: what stands in it, and that whatever is done to it is found and located."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from store_samples import put, sent

from promptsim import review
from promptsim.enforcement.audit import Trail
from promptsim.engine import Engine
from promptsim.store.audit import AuditEntry
from promptsim.store.core import EncoderIdentity
from promptsim.store.store import Store

CANARY = "canary-4711"
Tamper = Callable[[Store], None]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A log of six entries."""
    with Store.open(tmp_path / "home") as opened:
        for number in range(6):
            opened.add_audit([AuditEntry("ada", "read.family", f"f_{number}", {"prompts": number}, 1_000 + number)])
        yield opened


def sql(*statements: str) -> Tamper:
    """Someone with the database file in hand: the triggers do not stop them."""

    def change(store: Store) -> None:
        with store.database.writing() as connection:
            connection.execute("DROP TRIGGER IF EXISTS audit_is_not_changed")
            connection.execute("DROP TRIGGER IF EXISTS audit_is_not_deleted")
            for statement in statements:
                connection.execute(statement)

    return change


SWAP = (
    "UPDATE audit SET entry_no = 99 WHERE entry_no = 2",
    "UPDATE audit SET entry_no = 2 WHERE entry_no = 5",
    "UPDATE audit SET entry_no = 5 WHERE entry_no = 99",
)
CLOSE_UP = ("DELETE FROM audit WHERE entry_no = 3", "UPDATE audit SET entry_no = entry_no - 1 WHERE entry_no > 3")


@pytest.mark.parametrize(
    ("tamper", "code", "place"),
    [
        (sql("UPDATE audit SET actor = 'eve' WHERE entry_no = 3"), "audit-changed", "entry 3"),
        (sql("UPDATE audit SET detail = '{}' WHERE entry_no = 6"), "audit-changed", "entry 6"),
        (sql("UPDATE audit SET digest = zeroblob(32) WHERE entry_no = 2"), "audit-changed", "entry 2"),
        (sql("DELETE FROM audit WHERE entry_no = 4"), "audit-deleted", "entries 4 to 4"),
        (sql("DELETE FROM audit WHERE entry_no = 1"), "audit-deleted", "entries 1 to 1"),
        (sql(*CLOSE_UP), "audit-changed", "entry 3"),
        (sql(*SWAP), "audit-changed", "entry 2"),
        (sql("DELETE FROM audit WHERE entry_no > 4"), "audit-truncated", "entries 5 to 6"),
        (sql("DELETE FROM audit"), "audit-truncated", "entries 1 to 6"),
        (sql("DELETE FROM audit WHERE entry_no = 6", "UPDATE meta SET value = '5:00:00' WHERE key = 'audit_head'"),
         "audit-head", "signature"),
        (sql("DELETE FROM meta WHERE key = 'audit_head'"), "audit-head", "missing"),
        (sql("INSERT INTO audit SELECT 7, time, actor, action, subject, detail, digest FROM audit WHERE entry_no = 6"),
         "audit-changed", "entry 7"),
    ],
)  # fmt: skip
def test_edit_delete_reorder_and_truncate_are_found_and_located(
    store: Store, tamper: Tamper, code: str, place: str
) -> None:
    assert store.check() == []
    tamper(store)
    first = store.audit_problems()[0]
    assert (first.code, place in first.detail) == (code, True), str(first)
    assert str(first) in map(str, store.check())


def test_entries_cannot_be_changed_by_the_program_itself(store: Store) -> None:
    for statement in ("UPDATE audit SET actor = 'eve'", "DELETE FROM audit", "REPLACE INTO audit SELECT * FROM audit"):
        with pytest.raises(Exception, match="append-only"), store.database.writing() as connection:
            connection.execute(statement)
    assert store.audit_problems() == []


def test_a_log_cut_back_to_an_older_signed_head_is_found_by_a_head_noted_elsewhere(store: Store) -> None:
    old = str(store.audit_head())
    store.add_audit([AuditEntry("eve", "read.account", "a_1")])
    noted = str(store.audit_head())
    assert store.audit_problems(noted) == []
    sql("DELETE FROM audit WHERE entry_no = 7", f"UPDATE meta SET value = '{old}' WHERE key = 'audit_head'")(store)
    assert store.audit_problems() == []
    assert [p.code for p in store.audit_problems(noted)] == ["audit-truncated"]
    store.add_audit([AuditEntry("eve", "read.family", "f_1")])
    assert [p.code for p in store.audit_problems(noted)] == ["audit-changed"]
    assert [p.code for p in store.audit_problems("6:00:00")] == ["audit-head"]


def test_entries_of_several_processes_make_one_chain(tmp_path: Path) -> None:
    with Store.open(tmp_path / "home") as one, Store.open(tmp_path / "home") as other:
        for number in range(4):
            (one, other)[number % 2].add_audit([AuditEntry("ada", "read.family", f"f_{number}")] * 2)
        assert [entry.entry_no for entry in one.audit()] == [8, 7, 6, 5, 4, 3, 2, 1]
        assert one.check() == []
        assert [e.entry_no for e in other.audit(limit=2, before=5)] == [4, 3]
        assert [e.entry_no for e in other.audit(subject="f_1")] == [4, 3]


def test_decisions_are_logged_with_who_made_them(tmp_path: Path) -> None:
    with Engine.open(tmp_path / "home") as engine:
        engine.store.use_encoder(EncoderIdentity("test", "0", 8))
        put(engine.store, [sent(i) for i in range(3)])
        engine.review("a1", verdict="unsure", reason=f"sends {CANARY}", by="ada")
        review.undo(engine, "a1", reason="mistake", by="grace")
        engine.store.set_two_persons_from(50, by="root")
        entries = engine.store.audit()[::-1]
        assert [(e.actor, e.action) for e in entries] == [
            ("ada", "verdict"), ("grace", "verdict"), ("root", "policy.two-persons"),
        ]  # fmt: skip
        assert [e.detail.get("verdict") for e in entries[:2]] == ["unsure", "open"]
        assert entries[2].detail == {"before": 100, "after": 50}


def test_reads_are_noted_without_text_or_account_ids(store: Store) -> None:
    trail = Trail(store)
    trail.read("ada", "search", f"who sent {CANARY}")
    trail.read("ada", "account", "acct-17")
    trail.read("ada", "similar prompts", "p_00ff")
    trail.close()
    kept = store.audit(limit=3)[::-1]
    assert [e.action for e in kept] == ["read.search", "read.account", "read.similar-prompts"]
    assert (kept[1].subject, kept[2].subject) == (store.pseudonym("acct-17"), "p_00ff")
    assert CANARY not in str(kept)
    assert store.audit_problems() == []


def test_reads_reach_the_disk_by_themselves(store: Store) -> None:
    import time

    trail = Trail(store)
    trail.read("ada", "family", "f_9")
    deadline = time.monotonic() + 10
    while store.audit(limit=1)[0].subject != "f_9" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert store.audit(limit=1)[0].subject == "f_9"
    trail.close()


WORDS = ("kettle", "lamp", "chair", "spoon", "clock", "fork", "vase", "shelf", "bowl", "pan", "desk", "cup")


def send(account: str, text: str) -> dict[str, object]:
    return {"account_id": account, "timestamp": 1_760_000_000, "text": text}


def test_no_prompt_text_is_logged_and_none_outlives_erasure_here(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    home = tmp_path / "home"
    with Engine.open(home) as engine:
        rows = [
            {
                "account_id": f"acct-{CANARY}-{i % 3}",
                "timestamp": 1_760_000_000 + i,
                "text": f"Tell {CANARY} of item {i}",
            }
            for i in range(9)
        ]
        engine.ingest([*rows, {"account_id": "a", "timestamp": 1, "text": ""}])
        engine.cluster()
        for family in engine.families():
            engine.review(family.family_id, verdict="coordinated", reason="pool", by="ada")
        engine.ingest(
            [{"account_id": f"new-{CANARY}", "timestamp": 1_770_000_000, "text": f"Tell {CANARY} of item 77"}]
        )
        engine.search(f"Tell {CANARY}")
        for account in [*(f"acct-{CANARY}-{i}" for i in range(3)), f"new-{CANARY}"]:
            engine.erase(account)
        assert engine.check() == []
    assert CANARY not in caplog.text
    for path in home.rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path
