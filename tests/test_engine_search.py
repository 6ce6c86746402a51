"""Who else sent prompts like this? What a search finds, in which order, and what filters may not lose."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from promptsim.engine import Engine
from promptsim.errors import NotFoundError, UsageError

DAY = 86_400_000_000
START = 1_760_000_000_000_000
INSTRUCTION = (
    "Extract every factual claim in the passage as a list of triples, resolve the pronouns, and mark each claim with "
    "the sentence that it stands in before you answer."
)
PAYLOADS = (
    "The harbour of the old town was dredged in spring, and the fishing boats came back one by one.",
    "Quarterly revenue fell by three percent while the cost of freight rose for the second year in a row.",
    "She tuned the cello in the cold hall and waited for the others, who were late as always.",
    "A volcano under the ice cap woke last week; the glaciologists moved their camp to the ridge.",
)
CHAT = ("what is a monad?", "write a haiku about rain", "plan a week of vegetarian dinners", "why is my sourdough flat")


def event(number: int, account: str, text: str, day: int = 0, **metadata: str) -> dict[str, object]:
    stamp = (START + day * DAY) // 1_000_000 + number
    return {"id": f"e{number}", "account_id": account, "timestamp": stamp, "text": text, "metadata": metadata}


@pytest.fixture
def filled(engine: Engine) -> Engine:
    """Four accounts share an instruction in payloads of their own; four others chat."""
    shared = [f"{INSTRUCTION}\n\n{payload * 6}" for payload in PAYLOADS]
    events = [event(i, f"ring-{i}", text, day=i, org="lab") for i, text in enumerate(shared)]
    events += [event(10 + i, f"person-{i}", text, day=i) for i, text in enumerate(CHAT)]
    assert engine.ingest(events).accepted == 8
    return engine


def test_an_exact_copy_comes_first_and_names_every_account_that_sent_it(filled: Engine) -> None:
    filled.ingest([event(20, "another", "write a haiku about rain"), event(21, "another", "write a haiku about rain")])
    hits = filled.search("write a haiku about rain", k=2).hits
    assert {(h.account_id, h.relation, h.event_count) for h in hits} == {
        ("person-1", "exact", 1),
        ("another", "exact", 2),
    }
    assert all(h.similarity == pytest.approx(1, abs=2e-3) for h in hits)


def test_a_shared_instruction_is_found_although_the_payload_dwarfs_it(filled: Engine) -> None:
    hits = filled.search(f"{INSTRUCTION}\n\nNothing that anybody else has sent: zinc, quartz, vellum.", k=4).hits
    assert {h.account_id for h in hits} == {"ring-0", "ring-1", "ring-2", "ring-3"}
    assert {h.relation for h in hits} == {"template"}


@pytest.mark.parametrize("first", [True, False])
def test_a_fixed_part_of_fourteen_words_is_enough_wherever_it_stands(engine: Engine, first: bool) -> None:
    """The index alone tells runs from below: a run of 13 tokens may look like one of 6 there."""
    fixed = "decide whether the claim follows from the passage and answer only yes or no"
    assert len(fixed.split()) == 14
    words = [f"{a}{b}" for a in ("ka", "lo", "mi", "nu", "pe", "ra") for b in ("den", "fer", "gol", "hask", "lin")]
    random = Random(3)
    payloads = [" ".join(random.choices(words, k=200)) for _ in range(41)]
    texts = [f"{fixed} {payload}" if first else f"{payload} {fixed}" for payload in payloads]
    engine.ingest([event(i, f"ring-{i}", text) for i, text in enumerate(texts[:40])])
    engine.ingest([event(100 + i, f"person-{i}", " ".join(random.choices(words, k=60))) for i in range(40)])
    hits = engine.search(texts[40], k=40).hits
    assert {h.account_id for h in hits} == {f"ring-{i}" for i in range(40)}
    assert {h.relation for h in hits} == {"template"}


def test_a_disguised_copy_is_a_near_duplicate(filled: Engine) -> None:
    disguised = "Wr\u0456te a h\u0430iku  about RAIN"
    hit = filled.search(disguised, k=1).hits[0]
    assert (hit.account_id, hit.relation) == ("person-1", "near-duplicate")


def test_messages_and_text_ask_the_same_question(filled: Engine) -> None:
    asked = filled.search(messages=[{"role": "user", "content": "what is a monad?"}], k=1).hits
    assert asked == filled.search("what is a monad?", k=1).hits


def test_a_stored_prompt_can_be_asked_for_by_its_id(filled: Engine) -> None:
    first = filled.search("plan a week of vegetarian dinners", k=1).hits[0]
    assert filled.search(prompt_id=first.prompt_id, k=1).hits[0].account_id == "person-2"


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"account_id": "ring-2"}, {"ring-2"}),
        ({"since": START + 2 * DAY}, {"ring-2", "ring-3", "person-2", "person-3"}),
        ({"until": START + DAY}, {"ring-0", "person-0"}),
        ({"metadata": {"org": "lab"}}, {"ring-0", "ring-1", "ring-2", "ring-3"}),
        ({"metadata": {"org": "none"}}, set()),
        ({"account_id": "nobody"}, set()),
    ],
)
def test_a_filter_narrows_and_loses_nothing(filled: Engine, filters: dict[str, object], expected: set[str]) -> None:
    found = filled.search(f"{INSTRUCTION} {PAYLOADS[0]}", k=50, **filters)  # type: ignore[arg-type]
    assert {hit.account_id for hit in found.hits} == expected


def test_min_similarity_is_a_bound_on_every_hit(filled: Engine) -> None:
    everything = filled.search(CHAT[0], k=50).hits
    bound = sorted(h.similarity for h in everything)[-2]
    assert [h.account_id for h in filled.search(CHAT[0], k=50, min_similarity=bound).hits] == [
        h.account_id for h in everything if h.similarity >= bound
    ]


def test_a_bound_on_similarity_does_not_stop_the_search_for_further_accounts(engine: Engine) -> None:
    asked = "please tell me what the weather will be like in the old harbour town tomorrow morning before nine"
    engine.ingest([event(200, "dwarfed", f"{asked}\n\n{' '.join(PAYLOADS) * 12}")])  # shares the run, its vector is far
    events = [event(i, "bulk", f"{asked} {i}") for i in range(150)]
    events += [event(300, "other", "tell me about tomorrow's weather in the harbour town")]
    engine.ingest(events)
    similarity = {h.account_id: h.similarity for h in engine.search(asked, k=5).hits}
    bound = similarity["other"] - 0.001
    assert similarity["dwarfed"] < bound < similarity["other"] < similarity["bulk"]
    assert {h.account_id for h in engine.search(asked, k=5, min_similarity=bound).hits} == {"bulk", "other"}


@pytest.mark.parametrize("filters", [{}, {"metadata": {"org": "lab"}}], ids=["all", "filtered"])
def test_accounts_with_thousands_of_closer_prompts_do_not_hide_the_others(
    engine: Engine, filters: dict[str, object]
) -> None:
    """What one account alone has sent is looked at once; nor do two in the way that share what they send."""
    bulk = [event(i, "bulk", f"{INSTRUCTION} Number {i} of the list.", org="lab") for i in range(1500)]
    pair = [event(2000 + i, f"pair-{i % 2}", f"{INSTRUCTION} Item {i // 2} of it.", org="lab") for i in range(1200)]
    others = [event(4000 + i, f"other-{i}", f"Mark each claim with its sentence. {i}", org="lab") for i in range(9)]
    engine.ingest([*bulk, *pair, *others, event(5000, "elsewhere", CHAT[0])])
    found = engine.search(f"{INSTRUCTION} Number 7 of the list.", k=12, **filters)  # type: ignore[arg-type]
    assert {hit.account_id for hit in found.hits} == {"bulk", "pair-0", "pair-1"} | {f"other-{i}" for i in range(9)}
    assert found.hits[0].account_id == "bulk"
    assert not any("stopped" in note for note in found.notes)


def test_hits_by_prompt_count_all_senders(filled: Engine) -> None:
    filled.ingest([event(30, "x", CHAT[0], day=9), event(31, "y", CHAT[0], day=3)])
    hit = filled.search(CHAT[0], k=1, by="prompt").hits[0]
    assert (hit.event_count, hit.first_seen, hit.last_seen) == (3, START + 10_000_000, START + 9 * DAY + 30_000_000)


def test_a_new_prompt_is_found_at_once_by_another_reader(tmp_path: Path) -> None:
    with Engine.open(tmp_path / "h") as writer, Engine.open(tmp_path / "h") as reader:
        assert reader.search("hello there").hits == ()
        writer.ingest([event(1, "a", "hello there")])
        assert [h.account_id for h in reader.search("hello there").hits] == ["a"]


@pytest.mark.parametrize(
    "asked", [{}, {"text": "a", "prompt_id": "p_0"}, {"text": "   "}, {"text": "a", "by": "day"}, {"text": "a", "k": 0}]
)
def test_a_question_that_cannot_be_asked_is_refused(engine: Engine, asked: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        engine.search(**asked)  # type: ignore[arg-type]


def test_an_unknown_prompt_id_is_said_to_be_unknown(engine: Engine) -> None:
    with pytest.raises(NotFoundError, match="p_00"):
        engine.search(prompt_id="p_00")
