"""What the simulator plants, that it plants no more, and that the same call gives the same bytes."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path
from random import Random

import pytest

from promptsim.errors import UsageError
from promptsim.intake.event import parse_events
from promptsim.intake.formats import read
from promptsim.records import Event
from promptsim.simulate import disguise
from promptsim.simulate.clock import DAY, START
from promptsim.simulate.language import Voice, organic
from promptsim.simulate.plan import KINDS, Campaign, Plan
from promptsim.simulate.templates import injection, wordings
from promptsim.simulate.traffic import Simulation, simulate
from promptsim.simulate.writer import write_events, write_truth

USUAL = simulate(6000, seed=3)


def by_campaign(made: Simulation) -> dict[str, list[dict[str, object]]]:
    """Events of each campaign's accounts, cover included."""
    campaign = {row["account_id"]: row["campaign"] for row in made.truth_accounts}
    found: dict[str, list[dict[str, object]]] = defaultdict(list)
    for event in made.events:
        if campaign[event["account_id"]]:
            found[str(campaign[event["account_id"]])].append(event)
    return found


def text_of(event: dict[str, object]) -> str:
    (item,) = parse_events([event])
    assert isinstance(item, Event)
    return f"{item.system}\n{item.user}"


def test_as_many_events_as_asked_for_in_the_order_of_time() -> None:
    for events in (1, 7, 100, 999, 2500):
        made = simulate(events, seed=1)
        times = [str(event["timestamp"]) for event in made.events]
        assert len(made.events) == len(made.truth_events) == events
        assert times == sorted(times)
    assert len({event["id"] for event in USUAL.events}) == 6000


def test_every_kind_is_planted_and_every_look_alike_is_there() -> None:
    assert {row["campaign"] for row in USUAL.truth_accounts} == {f"C{n}" for n in range(1, 10)} | {None}
    kinds = {str(row["kind"]) for row in USUAL.truth_accounts if not row["campaign"]}
    assert kinds == {"casual", "developer", "benchmark", "classroom", "org", "harness_user"}
    roles = {str(row["role"]).split(":")[0] for row in USUAL.truth_events}
    assert roles >= {"adhoc", "common", "retry", "public_template", "dev_wrapper", "background", "harness"}


def test_a_drill_plants_exactly_what_it_says() -> None:
    wanted = [Campaign(kind, accounts=7, requests=9, families=2, cover=0.5) for kind in KINDS]
    made = simulate(3000, seed=5, plan=Plan.drill(*wanted))
    accounts = Counter(row["campaign"] for row in made.truth_accounts)
    events = Counter(row["campaign"] for row in made.truth_events)
    for number in range(1, 10):
        assert accounts[f"C{number}"] == 7
        assert events[f"C{number}"] == 63
        assert len(by_campaign(made)[f"C{number}"]) == 126
    families = Counter(row["campaign"] for row in made.truth_families)
    assert all(families[f"C{number}"] == 2 for number in range(1, 9))


def test_two_campaigns_of_a_kind_have_their_own_names() -> None:
    tiny = Campaign("tiny", accounts=6, requests=10)
    made = simulate(1000, plan=Plan.drill(tiny, tiny))
    assert {row["campaign"] for row in made.truth_accounts} == {"C8", "C8-2", None}


def test_an_impossible_plan_is_refused() -> None:
    with pytest.raises(UsageError, match="no campaign 'worm'"):
        Campaign("worm", accounts=3, requests=3)
    with pytest.raises(UsageError, match="ask for more events"):
        simulate(50, plan=Plan.drill(Campaign("hydra", accounts=20, requests=20)))
    with pytest.raises(UsageError, match="at least one"):
        simulate(0)


def test_campaigns_that_find_no_room_are_named() -> None:
    assert simulate(200, seed=1).left_out
    assert USUAL.left_out == ()


def test_the_null_plan_plants_nothing() -> None:
    made = simulate(4000, seed=9, plan=Plan.null())
    assert all(row["campaign"] is None for row in made.truth_accounts)
    assert all(row["campaign"] is None for row in made.truth_events)
    assert all(row["campaign"] is None for row in made.truth_families)
    assert not any(str(row["kind"]).startswith("campaign") for row in made.truth_families)


def test_payloads_are_sharded() -> None:
    for label in ("C1", "C3", "C7", "C8"):
        ids = {row["id"] for row in USUAL.truth_events if row["campaign"] == label}
        texts = [text_of(event) for event in USUAL.events if event["id"] in ids]
        assert len(set(texts)) == len(texts)


def test_the_instruction_stands_in_every_request_of_a_fixed_campaign() -> None:
    templates = {row["family"]: str(row["template_text"]) for row in USUAL.truth_families}
    events = {event["id"]: event for event in USUAL.events}
    for row in USUAL.truth_events:
        if row["campaign"] in ("C1", "C2", "C3", "C6", "C7", "C8", "C9"):
            fixed = templates[row["family"]].partition("{payload}")[0].strip()
            assert fixed in text_of(events[row["id"]])


def test_succession_hands_over_from_pool_to_pool() -> None:
    pool = {row["account_id"]: row["pool"] for row in USUAL.truth_accounts if row["campaign"] == "C7"}
    times: dict[object, list[str]] = defaultdict(list)
    for event in by_campaign(USUAL)["C7"]:
        times[pool[event["account_id"]]].append(str(event["timestamp"]))
    assert set(times) == {1, 2, 3}
    assert max(times[1]) < min(times[2])
    assert max(times[2]) < min(times[3])


def test_low_and_slow_is_mostly_cover() -> None:
    own = sum(row["campaign"] == "C3" for row in USUAL.truth_events)
    assert own / len(by_campaign(USUAL)["C3"]) == pytest.approx(0.25)


def test_machines_work_at_night_and_people_do_not() -> None:
    zone_free = {row["account_id"] for row in USUAL.truth_accounts if row["campaign"] == "C1"}
    hours = Counter(int(str(e["timestamp"])[11:13]) // 6 for e in USUAL.events if e["account_id"] in zone_free)
    assert min(hours.values()) > 0.5 * max(hours.values())
    student = {row["account_id"] for row in USUAL.truth_accounts if row["kind"] == "classroom"}
    lessons = defaultdict(set)
    families = {row["id"]: row["family"] for row in USUAL.truth_events}
    for event in USUAL.events:
        if event["account_id"] in student:
            lessons[families[event["id"]]].add(str(event["timestamp"])[:10])
    assert all(len(days) <= 2 for days in lessons.values())


def test_benchmark_runners_send_the_same_items() -> None:
    runners = {row["account_id"] for row in USUAL.truth_accounts if row["kind"] == "benchmark"}
    roles = {row["id"]: row["family"] for row in USUAL.truth_events}
    sent: dict[object, dict[object, set[str]]] = defaultdict(lambda: defaultdict(set))
    for event in USUAL.events:
        if event["account_id"] in runners:
            sent[roles[event["id"]]][event["account_id"]].add(" ".join(text_of(event).split()))
    for per_account in sent.values():
        assert len({frozenset(texts) for texts in per_account.values()}) == 1


def test_seats_of_an_organisation_share_its_id() -> None:
    seats = {row["account_id"] for row in USUAL.truth_accounts if row["kind"] == "org"}
    for event in USUAL.events:
        metadata = event["metadata"]
        assert isinstance(metadata, dict)
        assert ("org_id" in metadata) == (event["account_id"] in seats)


def test_links_are_only_there_when_asked_for() -> None:
    plain, linked = simulate(1500, seed=2), simulate(1500, seed=2, plan=Plan(links=True))
    assert not any("payment_id" in dict(e["metadata"]) for e in plain.events)  # type: ignore[call-overload]
    assert [e["id"] for e in plain.events] == [e["id"] for e in linked.events]
    payments: dict[object, set[object]] = defaultdict(set)
    campaign = {row["account_id"]: row["campaign"] for row in linked.truth_accounts}
    for event in linked.events:
        payments[dict(event["metadata"])["payment_id"]].add(event["account_id"])  # type: ignore[call-overload]
    shared = [accounts for accounts in payments.values() if len(accounts) > 1]
    assert shared
    assert all(len({campaign[a] for a in accounts}) == 1 and campaign[next(iter(accounts))] for accounts in shared)


def test_the_benign_part_does_not_depend_on_the_campaigns_beside_it() -> None:
    first = simulate(1000, seed=4, plan=Plan.drill(Campaign("tiny", accounts=6, requests=8)))
    second = simulate(1000, seed=4, plan=Plan.drill(Campaign("tiny", accounts=6, requests=8, families=2)))
    benign = [
        {text_of(e) for e, t in zip(m.events, m.truth_events, strict=True) if not t["campaign"]}
        for m in (first, second)
    ]
    assert len(benign[0] & benign[1]) > 0.95 * len(benign[0])


def test_background_prompts_are_diverse() -> None:
    voice = Voice(Random("diversity"))
    prompts = [organic(voice) for _ in range(5000)]
    assert len(set(prompts)) == 5000
    runs: Counter[tuple[str, ...]] = Counter()
    for prompt in prompts:
        words = prompt.lower().split()
        runs.update({tuple(words[i : i + 6]) for i in range(len(words) - 5)})
    assert max(runs.values()) <= 12


def test_the_wordings_of_an_instruction_differ() -> None:
    voice = Voice(Random("wordings"))
    assert len({template.head for template in wordings(voice, 24)}) == 24
    assert all(40 <= len(injection(voice).split()) <= 90 for _ in range(200))


@pytest.mark.parametrize("way", disguise.DISGUISES, ids=lambda way: way.__name__)
def test_a_disguise_changes_the_text(way: disguise.Disguise) -> None:
    text = "Classify the following question by difficulty and explain its reasoning to a careful beginner. " * 3
    changed = [way(Voice(Random(f"{n}")), text) for n in range(10)]
    assert all(other != text for other in changed)
    assert len(set(changed)) > 1


@pytest.mark.parametrize("name", ["traffic.jsonl", "traffic.jsonl.gz"])
def test_what_is_written_reads_back_without_a_rejection(tmp_path: Path, name: str) -> None:
    write_events(USUAL, tmp_path / name)
    batches = list(read(tmp_path / name))
    assert sum(len(batch.rejections) for batch in batches) == 0
    events = [event for batch in batches for event in batch.events]
    assert [event.event_id for event in events] == [event["id"] for event in USUAL.events]
    assert all(START <= event.time < START + 31 * DAY for event in events)
    assert any(event.system for event in events)
    assert any(event.turns_left_out for event in events)


def test_the_truth_as_a_folder_and_as_one_file(tmp_path: Path) -> None:
    write_truth(USUAL, tmp_path / "truth")
    with gzip.open(tmp_path / "truth" / "truth_events.jsonl.gz") as file:
        events = [json.loads(line) for line in file]
    assert list(events[0]) == ["id", "family", "campaign", "role", "text_hash"]
    assert len(events) == 6000
    families = [json.loads(line) for line in (tmp_path / "truth" / "truth_families.jsonl").read_text().splitlines()]
    sizes = Counter(row["family"] for row in events)
    assert all(row["n_events"] == sizes[row["family"]] for row in families)
    write_truth(USUAL, tmp_path / "truth.jsonl")
    types = Counter(json.loads(line)["type"] for line in (tmp_path / "truth.jsonl").read_text().splitlines())
    assert types == {"event": 6000, "account": len(USUAL.accounts), "family": len(families)}


def test_the_same_seed_gives_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from promptsim.simulate.traffic import simulate;"
        "from promptsim.simulate.writer import write_events, write_truth; made = simulate(1500, 11);"
        "write_events(made, Path(sys.argv[1]) / 'e.jsonl.gz'); write_truth(made, Path(sys.argv[1]) / 't.jsonl')"
    )
    written = []
    for number in ("1", "2"):
        folder = tmp_path / number
        folder.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": number}
        subprocess.run([sys.executable, "-c", program, str(folder)], check=True, env=environment)
        written.append([(folder / name).read_bytes() for name in ("e.jsonl.gz", "t.jsonl")])
    assert written[0] == written[1]
    assert simulate(1500, 11).events != simulate(1500, 12).events


def near_share(made: Simulation, accounts: set[object]) -> float:
    """Of the requests of these accounts, how many have another of the same account within half an hour before."""
    times: dict[object, list[float]] = defaultdict(list)
    for event in made.events:
        if event["account_id"] in accounts:
            times[event["account_id"]].append(datetime.fromisoformat(str(event["timestamp"])).timestamp())
    gaps = [later - before for sent in times.values() for before, later in itertools.pairwise(sorted(sent))]
    return sum(gap <= 1800 for gap in gaps) / len(gaps)


def test_people_write_in_sittings_and_machines_do_not() -> None:
    kind = {row["account_id"]: str(row["kind"]) for row in USUAL.truth_accounts}
    people = {account for account, name in kind.items() if name in ("casual", "org", "harness_user")}
    passing = {account for account, name in kind.items() if name in ("campaign_C2", "campaign_C3")}
    machines = {account for account, name in kind.items() if name in ("campaign_C1", "campaign_C8", "campaign_C9")}
    assert near_share(USUAL, people) > 0.5
    assert near_share(USUAL, passing) > 0.5
    assert near_share(USUAL, machines) < 0.15
