"""What becomes of a new prompt that is made from a known template, before the next run."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from promptsim.engine import Engine, clustering
from promptsim.engine import known as known_module
from promptsim.engine.known import Known, known
from promptsim.store.store import Store

TEMPLATE = "Rate the answer below from one to five and quote the words that decide it.\nAnswer: {}"
WORDS = ("harbour", "violet", "engine", "copper", "meadow", "signal", "orchid", "tunnel", "lantern", "walnut")


def sent(first: int, count: int, template: str = TEMPLATE) -> list[dict[str, object]]:
    texts = [
        template.format(" ".join(WORDS[(i * k + k) % 10] for k in (1, 3, 7)) + f" {first + i}") for i in range(count)
    ]
    return [
        {"id": f"e{first + i}", "account_id": f"a{(first + i) % 7}", "timestamp": 1_760_000_000 + i, "text": text}
        for i, text in enumerate(texts)
    ]


def test_it_is_in_the_family_at_once_and_the_next_run_counts_it(engine: Engine) -> None:
    engine.ingest(sent(0, 20))
    engine.cluster()
    (family,) = engine.families()
    new = {"id": "new", "account_id": "newcomer", "timestamp": 1_760_000_900}
    engine.ingest([new | {"text": TEMPLATE.format("something that nobody has sent before")}])
    member = next(m for m in engine.member_events() if m.event_id == "new")
    assert (member.family_id, member.wording_id, member.relation) == (
        family.family_id, family.wordings[0].wording_id, "template",
    )  # fmt: skip
    hit = next(h for h in engine.search(TEMPLATE.format("anything")).hits if h.account_id == "newcomer")
    assert hit.family_id == family.family_id
    assert engine.family(family.family_id).event_count == 20
    engine.cluster()
    assert engine.family(family.family_id).event_count == 21
    assert [m.event_id for m in engine.member_events()].count("new") == 1


def test_what_no_skeleton_explains_is_in_no_family(engine: Engine) -> None:
    engine.ingest(sent(0, 20))
    engine.cluster()
    engine.ingest([{"id": "odd", "account_id": "a1", "timestamp": 1_760_000_900, "text": "Quite another thing."}])
    assert all(m.event_id != "odd" for m in engine.member_events())


def test_a_run_after_little_looks_at_what_is_new_and_says_so(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clustering, "ALWAYS_WHOLE", 0)
    engine.ingest(sent(0, 40))
    assert engine.cluster().full
    (family,) = engine.families()
    assert not engine.cluster().full  # nothing is new
    engine.ingest(sent(100, 4))
    run = engine.cluster()
    assert (run.full, "finding what is new" in run.seconds) == (False, True)
    assert [(f.family_id, f.event_count) for f in engine.families()] == [(family.family_id, 44)]
    engine.ingest(sent(200, 30, "Write a limerick about {} and end it with a question mark, please."))
    assert engine.cluster().full  # more than a quarter of growth
    assert engine.cluster(full=True).full
    assert not engine.cluster().full


def test_while_one_thread_reads_a_new_run_requests_are_matched_against_the_one_before(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.ingest(sent(0, 20))
    first = engine.cluster(full=True).run_id
    assert known(engine._store).run_id == first
    second = engine.cluster(full=True).run_id
    reading, go_on, read = threading.Event(), threading.Event(), known_module._read

    def slowly(store: Store, run_id: str) -> Known:
        reading.set()
        assert go_on.wait(20)
        return read(store, run_id)

    monkeypatch.setattr(known_module, "_read", slowly)
    with ThreadPoolExecutor(2) as pool:
        newest = pool.submit(known, engine._store)
        assert reading.wait(20)
        assert known(engine._store, newest=False).run_id == first
        waiting = pool.submit(known, engine._store)  # as ingest does, which must not name a family that is gone
        assert not waiting.done()
        go_on.set()
        assert newest.result(20).run_id == second
        assert waiting.result(20) is newest.result()
    assert known(engine._store, newest=False) is newest.result()
