"""A person's word: what it touches, when it counts, what it changes, how it is taken back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from store_samples import found, put, sent

from promptsim import review
from promptsim.engine import Engine
from promptsim.engine.judgement import judged, same_person
from promptsim.engine.watching import known_members, watch_run
from promptsim.errors import NotFoundError, UsageError
from promptsim.records import Family, Lineage, Network, NetworkSet, Verdict, Wording
from promptsim.store.core import EncoderIdentity

NO_NETWORKS = NetworkSet((), {}, {}, {})


def family(name: str, accounts: int = 2, *, flagged: bool = False, **lineage: object) -> Family:
    wording = Wording(f"w_{name}", "text {1}", 2, accounts)
    return Family(
        name, "template", "user", "text {1}", (), (wording,), 2, 2, accounts, 5, 9, flagged=flagged,
        lineage=Lineage(**lineage),  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Engine]:
    """Two families, f_a of a0…a6 (prompts 0-6) and f_b of a0…a2 (prompts 7-9), and a network over both."""
    with Engine.open(tmp_path / "home") as engine:
        engine.store.use_encoder(EncoderIdentity("test", "0", 8))
        put(engine.store, [sent(i) for i in range(10)])
        run(engine, family("f_a", 7, flagged=True), family("f_b", 3))
        yield engine


def run(engine: Engine, *families: Family) -> None:
    """What a run would leave: the first family has prompts 0-6, the second 7-9."""
    started = engine.store.start_run()
    rows = [(i, min(i // 7, len(families) - 1), 0, 2, 0) for i in range(10)]
    network = Network("net_1", ("a0", "a1"), ("f_a",), 0, 9, True, 0.9, None, ())
    result = found(families, rows)
    networks = replace(NO_NETWORKS, networks=(network,))
    engine.store.save_run(replace(started, state="finished", finished=9), result, networks, covered=10)


# ------------------------------------------------------------------ what is touched
def test_what_a_verdict_would_touch_is_told_before_and_an_account_counts_once(home: Engine) -> None:
    both = review.propose(home, ["f_a", "f_b", "f_a"])
    assert (both.subjects, both.accounts, both.events) == (("f_a", "f_b"), 7, 10)
    one = review.propose(home, ["net_1"])
    assert (one.accounts, one.events) == (2, 2)
    assert home.verdicts() == []
    with pytest.raises(NotFoundError, match="f_c"):
        review.propose(home, ["f_c"])


def test_a_bulk_verdict_acts_on_what_was_shown_and_on_nothing_more(home: Engine) -> None:
    shown = review.propose(home, ["f_a", "f_b"])
    put(home.store, [sent(11, account="newcomer", user="text 3")])
    with pytest.raises(UsageError, match="more by now"):
        review.decide_all(home, shown, "coordinated", reason="one firm", by="ada")
    assert home.verdicts() == []
    review.decide_all(home, review.propose(home, ["f_a", "f_b"]), "benign", reason="one firm", by="ada")
    assert {v.subject_id: (v.verdict, v.accounts) for v in home.verdicts()} == {
        "f_a": ("benign", 8),
        "f_b": ("benign", 3),
    }


def test_a_verdict_needs_a_reason_a_name_and_a_known_word(home: Engine) -> None:
    for verdict, reason, by in (("benign", " ", "ada"), ("benign", "ours", ""), ("guilty", "no", "ada")):
        with pytest.raises(UsageError):
            home.review("f_a", verdict=verdict, reason=reason, by=by)
    assert home.verdicts() == []


# ------------------------------------------------------------------ two persons
def test_over_many_accounts_a_verdict_counts_only_when_another_person_gives_it_too(home: Engine) -> None:
    home.store.set_two_persons_from(6, by="root")
    first = home.review("f_a", verdict="benign", reason="our own suite", by="Ada")
    assert (first.state, home.family("f_a").status, home.family("f_a").flagged) == ("proposed", "open", True)
    with pytest.raises(UsageError, match="second person"):
        home.review("f_a", verdict="benign", reason="again", by=" ＡDA ")
    second = home.review("f_a", verdict="benign", reason="yes, ours", by="grace")
    assert (second.state, second.confirms) == ("given", first.verdict_id)
    assert (home.family("f_a").status, home.family("f_a").flagged) == ("benign", False)
    assert home.store.proposals() == []


def test_a_small_family_in_a_large_bulk_waits_too(home: Engine) -> None:
    home.store.set_two_persons_from(6, by="root")
    given = review.decide_all(home, review.propose(home, ["f_a", "f_b"]), "coordinated", reason="pool", by="ada")
    assert {v.state for v in given} == {"proposed"}
    assert home.review("f_b", verdict="coordinated", reason="I agree", by="grace").state == "given"


def test_a_verdict_without_effect_and_a_withdrawal_need_one_person(home: Engine) -> None:
    home.store.set_two_persons_from(1, by="root")
    assert home.review("f_a", verdict="unsure", reason="odd", by="ada").state == "given"
    home.review("f_a", verdict="benign", reason="ours", by="ada")
    review.undo(home, "f_a", reason="too quick", by="ada")
    assert home.store.proposals("f_a") == []
    assert home.family("f_a").status == "unsure"
    assert home.review("f_a", verdict="benign", reason="ours", by="grace").state == "proposed"


def test_names_are_one_person_whatever_their_case_and_width() -> None:
    assert same_person("Ada  Lovelace", " ａda lovelace")
    assert not same_person("ada", "grace")


# ------------------------------------------------------------------ undo
def test_every_verdict_can_be_undone_and_nothing_is_lost(home: Engine) -> None:
    home.review("f_a", verdict="coordinated", reason="pool", by="ada")
    home.review("f_a", verdict="benign", reason="ours", by="grace")
    review.undo(home, "f_a", reason="it is not ours", by="ada")
    assert home.family("f_a").status == "coordinated"
    assert [v.verdict for v in review.history(home, "f_a")] == ["coordinated", "benign", "coordinated"]
    home.review("f_b", verdict="benign", reason="ours", by="ada")
    review.undo(home, "f_b", reason="mistake", by="ada")
    assert (home.family("f_b").status, home.family("f_b").flagged) == ("open", False)
    with pytest.raises(UsageError, match="no verdict to undo"):
        review.undo(home, "net_1", reason="mistake", by="ada")


# ------------------------------------------------------------------ lineage
def test_benign_suppresses_what_continues_the_family_in_later_runs(home: Engine) -> None:
    home.review("f_a", verdict="benign", reason="our own suite", by="ada")
    run(home, family("f_c", 7, flagged=True, continues=("f_a",)), family("f_b", 3))
    assert (home.family("f_c").status, home.family("f_c").flagged) == ("benign", False)
    assert "Goes on from f_a" in home.family("f_c").evidence[0].sentence
    run(home, family("f_d", 8, flagged=True, merged_from=("f_c", "f_b")), family("f_e", 3))
    run(home, family("f_d", 8, flagged=True, continues=("f_d",)), family("f_e", 3))
    assert (home.family("f_d").status, home.family("f_d").flagged) == ("benign", False)
    assert home.family("f_e").status == "open"


def test_a_benign_family_does_not_cover_a_much_larger_one_that_swallowed_it(home: Engine) -> None:
    home.review("f_b", verdict="benign", reason="a class", by="ada")
    run(home, family("f_a", 700, flagged=True, continues=("f_a",), merged_from=("f_b",)))
    swallowing = home.family("f_a")
    assert (swallowing.status, swallowing.flagged) == ("open", True)
    assert "3 accounts of now 700" in swallowing.evidence[0].sentence


def test_verdicts_that_contradict_each_other_are_not_inherited(home: Engine) -> None:
    home.review("f_a", verdict="coordinated", reason="pool", by="ada")
    home.review("f_b", verdict="benign", reason="a class", by="ada")
    run(home, family("f_c", 7, merged_from=("f_a", "f_b")))
    assert home.family("f_c").status == "open"


def test_an_inherited_verdict_can_be_undone_where_it_arrived(home: Engine) -> None:
    home.review("f_a", verdict="benign", reason="ours", by="ada")
    run(home, family("f_c", 7, flagged=True, continues=("f_a",)))
    review.undo(home, "f_c", reason="not this part", by="grace")
    assert (home.family("f_c").status, home.family("f_c").flagged) == ("open", True)


def test_a_benign_family_that_doubles_is_to_be_looked_at_again() -> None:
    verdict = Verdict("v_1", "f_a", "benign", "ours", "ada", 0, accounts=7)
    grown = judged(family("f_a", 14, flagged=True), verdict)
    assert (grown.status, grown.flagged, grown.evidence[0].name) == ("benign", False, "grown_since_verdict")
    assert judged(family("f_a", 13, flagged=True), verdict).evidence == ()


def test_a_proposal_changes_nothing() -> None:
    proposed = Verdict("v_1", "f_a", "benign", "ours", "ada", 0, state="proposed")
    assert judged(family("f_a", flagged=True), proposed) == family("f_a", flagged=True)


# ------------------------------------------------------------------ victims
def test_a_victim_among_attackers_is_held_for_a_person(home: Engine) -> None:
    day = 86_400_000_000
    own = [sent(100 + i, account="victim", user=f"its own {i}", time=1_600_000_000_000_000 + i * day) for i in range(9)]
    put(home.store, [*own, sent(200, account="victim", user="text 1")])
    assert list(review.held_accounts(home)) == ["victim"]
    assert "1 of its 10 sends" in review.held_accounts(home)["victim"].sentence
    given = home.review("victim", verdict="coordinated", reason="the owner says so", by="ada")
    assert given.subject_id.startswith("a_")
    assert "victim" not in given.subject_id
    assert dict(review.held_accounts(home)) == {}


# ------------------------------------------------------------------ known families at ingest
TEXT = "Rate the following product review from one to five and quote the words that decide it: item {}"


@pytest.fixture
def campaign(engine: Engine) -> Engine:
    words = ["kettle", "lamp", "chair", "rug", "spoon", "clock", "fork", "vase", "shelf", "bowl", "pan", "desk"]
    engine.ingest([event(f"a{i % 6}", TEXT.format(word)) for i, word in enumerate(words)])
    engine.cluster()
    engine.review(engine.families()[0].family_id, verdict="coordinated", reason="a pool", by="ada")
    return engine


def event(account: str, text: str) -> dict[str, object]:
    return {"account_id": account, "timestamp": "2026-03-01T10:00:00Z", "text": text}


def test_a_new_account_in_a_coordinated_family_is_told_of_once(campaign: Engine) -> None:
    family_id = campaign.families()[0].family_id
    campaign.ingest(
        [event("a1", TEXT.format("jug")), event("new", TEXT.format("cup")), event("other", "Good morning!")]
    )
    campaign.ingest([event("new", TEXT.format("plate")), event("known-text", TEXT.format("lamp"))])
    joined = {(join.family_id, join.account_id) for join in review.alerts(campaign)}
    assert joined == {(family_id, "new"), (family_id, "known-text")}
    types = [body for _, body in campaign.store.messages() if b"account.joined" in body]
    assert len(types) == 2
    assert all(b"product review" not in body for body in types)
    assert TEXT.format("cup") in {m.text for m in campaign.members(family_id)}


def test_nobody_is_told_of_when_the_verdict_is_undone(campaign: Engine) -> None:
    review.undo(campaign, campaign.families()[0].family_id, reason="mistake", by="ada")
    campaign.ingest([event("new", TEXT.format("cup"))])
    assert review.alerts(campaign) == []


def test_an_alert_outlives_a_crash_between_the_event_and_the_alert(
    campaign: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("promptsim.engine.ingestion.watch", lambda _store: 0)
        campaign.ingest([event("new", TEXT.format("cup"))])
    assert review.alerts(campaign) == []
    campaign.ingest([event("other", "Good morning!")])
    assert [join.account_id for join in review.alerts(campaign)] == ["new"]


def test_accounts_that_a_run_puts_into_a_coordinated_family_are_told_of_too(home: Engine) -> None:
    home.review("f_b", verdict="coordinated", reason="a pool", by="ada")
    before = known_members(home.store)
    assert {family: len(accounts) for family, accounts in before.items()} == {"f_b": 3}
    run(home, family("f_c", 7, continues=("f_b",)), family("f_d", 3))
    assert watch_run(home.store, before) == 4
    assert watch_run(home.store, before) == 0
    joined = review.alerts(home)
    assert {j.account_id for j in joined} == {"a3", "a4", "a5", "a6"}
    assert {j.family_id for j in joined} == {"f_c"}
    assert all(j.prompt_id.startswith("p_") and j.time for j in joined)


def test_an_erased_account_leaves_no_alert(campaign: Engine) -> None:
    campaign.ingest([event("newcomer", TEXT.format("cup"))])
    campaign.erase("newcomer")
    assert review.alerts(campaign) == []
    assert all(b"newcomer" not in body for _, body in campaign.store.messages())
