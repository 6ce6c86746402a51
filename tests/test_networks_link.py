"""`link` end to end on synthetic traffic: what it must find, what it must leave alone, and that it is reproducible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from promptsim.networks.benign import explain
from promptsim.networks.drill import FalseAlarms, flagged_numbers, measure_false_alarms, measure_power
from promptsim.networks.evenness import volume_scatter
from promptsim.networks.forms import of_one_text
from promptsim.networks.link import link
from promptsim.networks.metadata import Link, MetadataIndex, combined
from promptsim.networks.narrative import co_use, least_of, metadata, scattered
from promptsim.networks.options import DAY, NetworkOptions
from promptsim.networks.parties import group_parties
from promptsim.networks.reference import Reference
from promptsim.networks.rehearsal import NONE, Rehearsal, add_benign
from promptsim.networks.sharding import measure_sharding
from promptsim.networks.solo import Observer
from promptsim.networks.units import split_wordings
from promptsim.networks.usage import measure_usage, sendings_of
from promptsim.records import Activity, Family, Members, NetworkSet


def benign(seed: int, accounts: int = 3000) -> Rehearsal:
    traffic = Rehearsal(seed)
    add_benign(traffic, accounts)
    return traffic


def run(traffic: Rehearsal) -> NetworkSet:
    return link(*traffic.build())


def test_nothing_to_link() -> None:
    empty = Members(*(np.zeros(0, kind) for kind in (np.int64, np.int32, np.int32, np.uint8, np.uint64)))
    no_one = Activity(np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.int64), (), {})
    assert link((), empty, no_one).networks == ()


def test_one_event() -> None:
    traffic = Rehearsal(0)
    account, family = traffic.new_accounts("one", 1), traffic.new_families(1)
    traffic.put(account, family, traffic.unique(1), np.array([0]))
    assert run(traffic).networks == ()


@pytest.mark.parametrize("seed", range(8))
def test_benign_traffic_flags_nobody(seed: int) -> None:
    found = run(benign(seed))
    assert [network.account_ids for network in found.networks if network.flagged] == []
    assert not any(finding.flagged for finding in found.families.values())


def test_a_campaign_of_several_families_is_found_whole_and_alone() -> None:
    traffic = benign(1)
    traffic.add_campaign(40, 3, 20, dilution=0.6)
    assert flagged_numbers(traffic) == set(traffic.kinds["campaign"])


def test_a_small_campaign_is_found() -> None:
    traffic = benign(2)
    traffic.add_campaign(6, 2, 25)
    assert flagged_numbers(traffic) == set(traffic.kinds["campaign"])


def test_an_instruction_injected_at_changing_places_is_found_and_a_tool_is_not() -> None:
    traffic = benign(3, 12_000)
    traffic.add_injection(120)
    flagged = flagged_numbers(traffic)
    assert flagged <= set(traffic.kinds["injection"])
    assert len(flagged) >= 115


def test_without_known_places_an_injection_is_not_claimed() -> None:
    traffic = benign(3, 12_000)
    traffic.add_injection(120)
    families, members, activity = traffic.build()
    found = link(families, replace(members, place=None), activity)
    assert not any(network.flagged for network in found.networks)


def test_an_organisation_is_shown_as_one_party_and_not_flagged() -> None:
    traffic = benign(4)
    before = len(traffic.kinds["organisation"])
    traffic.add_organisation(20)
    seats = traffic.kinds["organisation"][before:]
    found = run(traffic)
    shown = [network for network in found.networks if set(network.account_ids) == {f"a{seat:06d}" for seat in seats}]
    assert [network.flagged for network in shown] == [False]
    assert shown[0].evidence[0].name == "one_organisation"


def test_colleagues_whose_organisation_nobody_declared_are_shown_with_doubt() -> None:
    traffic = benign(5)
    traffic.add_organisation(20, declared=False)
    found = run(traffic)
    doubts = [evidence.name for network in found.networks for evidence in network.evidence]
    assert not any(network.flagged for network in found.networks)
    assert "may_be_colleagues" in doubts


def test_pools_that_follow_one_another_are_one_network_through_time() -> None:
    traffic = benign(6)
    families = traffic.new_families(2)
    for pool in range(3):
        for account in traffic.new_accounts("pool", 20):
            time = traffic.around_the_clock(20, 10 * pool, 10 * pool + 9.5)
            family = families[traffic.random.integers(2, size=20)]
            traffic.put(np.full(20, account), family, traffic.unique(20), time)
    networks = [network for network in run(traffic).networks if network.flagged]
    assert [len(network.account_ids) for network in networks] == [60]
    hand_over = next(evidence for evidence in networks[0].evidence if evidence.name == "hand_overs")
    assert hand_over.value == 2


def test_users_of_a_tool_that_a_scheduler_uses_too_are_left_out() -> None:
    traffic = benign(7)
    tool = len(traffic._texts)
    traffic.add_tool(40)
    account = traffic.new_accounts("forwarder", 40)
    for number in account:
        cover = traffic.around_the_clock(12)
        traffic.put(np.full(12, number), np.full(12, NONE), traffic.unique(12), cover)
        traffic.put(np.full(36, number), np.full(36, tool), traffic.unique(36), traffic.around_the_clock(36))
    flagged = flagged_numbers(traffic)
    assert flagged <= set(account.tolist())
    assert len(flagged) >= 38


def test_passers_by_of_a_text_that_a_scheduler_uses_are_left_out() -> None:
    """One or two requests, outside of any sitting, are no evidence against anybody."""
    traffic = benign(7)
    text, account = traffic.new_families(1)[0], traffic.new_accounts("forwarder", 40)
    for number in account:
        cover = traffic.around_the_clock(12)
        traffic.put(np.full(12, number), np.full(12, NONE), traffic.unique(12), cover)
        traffic.put(np.full(36, number), np.full(36, text), traffic.unique(36), traffic.around_the_clock(36))
    passers = traffic.new_accounts("passer-by", 20)
    traffic.put(np.repeat(passers, 2), np.full(40, text), traffic.unique(40), traffic.around_the_clock(40))
    assert flagged_numbers(traffic) == set(account.tolist())


def test_the_order_of_families_and_rows_changes_nothing() -> None:
    traffic = benign(1, 1500)
    traffic.add_campaign(30, 3, 20)
    families, members, activity = traffic.build()
    first = link(families, members, activity)
    order = np.random.default_rng(0).permutation(len(families))
    place = np.argsort(order)
    moved = replace(members, family=place[members.family].astype(np.int32))
    assert link([families[at] for at in order], moved, activity) == first


def test_an_id_persists_while_the_network_grows() -> None:
    traffic = benign(1, 1500)
    traffic.add_campaign(30, 3, 20)
    families, members, activity = traffic.build()
    first = link(families, members, activity)
    keep = activity.account_no != traffic.kinds["campaign"][0]
    fewer = replace(
        activity, account_no=activity.account_no[keep], prompt_no=activity.prompt_no[keep], time=activity.time[keep]
    )
    before = [network for network in link(families, members, fewer).networks if network.flagged]
    after = link(families, members, activity, previous=before).networks
    assert before[0].network_id not in {network.network_id for network in first.networks}
    assert [network.network_id for network in after if network.flagged] == [before[0].network_id]


def test_a_listed_public_template_is_never_flagged() -> None:
    traffic = benign(2)
    traffic.add_campaign(40, 2, 25)
    families, members, activity = traffic.build()
    known = frozenset(family.family_id for family in families[-2:])
    found = link(families, members, activity, options=NetworkOptions(public_templates=known))
    assert not any(network.flagged for network in found.networks)


def test_every_sentence_is_plain_and_every_family_has_a_finding() -> None:
    traffic = benign(1, 1500)
    traffic.add_campaign(40, 4, 20)
    families, members, activity = traffic.build()
    found = link(families, members, activity)
    network = next(network for network in found.networks if network.flagged)
    assert network.evidence[1].sentence.startswith("40 of 40 accounts use at least 2 of these 4 templates; chance")
    assert {family.family_id for family in families} == set(found.families)
    campaign = {found.families[family.family_id].score for family in families[-4:]}
    others = {found.families[family.family_id].score for family in families[:-4]}
    assert min(campaign) > 0.5 > max(others)
    assert set(network.membership) == set(network.account_ids)
    assert all(0 < share <= 1 for share in network.membership.values())


def test_shared_rare_metadata_is_evidence_and_common_metadata_is_not() -> None:
    payment = {at: (f"card{at if at >= 6 else 0}",) for at in range(500)}
    provider = dict.fromkeys(range(500), ("AS1",))
    nothing = np.zeros(0, np.int64)
    names = tuple(f"a{at}" for at in range(500))
    activity = Activity(nothing.astype(np.int32), nothing, nothing, names, {"payment_id": payment, "asn": provider})
    payment_link, provider_link = sorted(MetadataIndex(activity).links(range(6)), key=lambda found: found.p_value)
    assert (payment_link.key, payment_link.linked) == ("payment_id", 6)
    assert payment_link.p_value < 1e-4 < 0.1 < provider_link.p_value
    assert combined([]) is None


def test_the_drill_measures_power_and_false_alarms() -> None:
    cell = next(measure_power(800, 1, sizes=(20,), families=(2,), dilutions=(0.3,)))
    assert (cell.recall, cell.strangers) == (1.0, 0.0)
    assert FalseAlarms.of(list(measure_false_alarms(800, 2))) == FalseAlarms(2, 0, 0)
    assert FalseAlarms.of([0, 4, 7]) == FalseAlarms(3, 2, 7)


def joined(families: tuple[Family, ...], members: Members, numbers: list[int]) -> tuple[tuple[Family, ...], Members]:
    """The same, with these families falsely joined into the first as its wordings."""
    first = numbers[0]
    wordings = tuple(families[at].wordings[0] for at in numbers)
    family, wording = members.family.copy(), members.wording.copy()
    for place, at in enumerate(numbers):
        wording[members.family == at] = place
        family[members.family == at] = first
    merged = tuple(replace(one, wordings=wordings) if at == first else one for at, one in enumerate(families))
    return merged, replace(members, family=family, wording=wording)


def test_a_false_join_of_two_texts_of_a_campaign_does_not_hide_their_co_use() -> None:
    traffic = benign(1, 1500)
    traffic.add_campaign(30, 2, 20)
    families, members, activity = traffic.build()
    together, members = joined(families, members, [len(families) - 2, len(families) - 1])
    flagged = [network for network in link(together, members, activity).networks if network.flagged]
    assert [len(network.account_ids) for network in flagged] == [30]
    assert flagged[0].family_ids == (families[-2].family_id,)


def test_a_false_join_with_an_innocent_text_accuses_nobody_of_its_users() -> None:
    traffic = benign(1, 1500)
    innocent = int(traffic.new_families(1)[0])
    developer = traffic.new_accounts("developer", 3)
    for number in developer:
        traffic.put(np.full(60, number), np.full(60, innocent), traffic.unique(60), traffic.around_the_clock(60))
    traffic.add_campaign(30, 2, 20)
    families, members, activity = traffic.build()
    together, members = joined(families, members, [len(families) - 2, innocent])
    flagged = {
        a for network in link(together, members, activity).networks if network.flagged for a in network.account_ids
    }
    assert flagged == {activity.accounts[at] for at in traffic.kinds["campaign"]}


def test_shared_software_alone_claims_nothing() -> None:
    """Users of one tool share its user agent: that is how a tool looks."""
    traffic = benign(2, 1500)
    families, members, activity = traffic.build()
    agents = dict.fromkeys(traffic.kinds["tool"], ("tool/1.0",))
    others = {at: ("browser",) for at in range(traffic.accounts) if at not in agents}
    marked = replace(activity, metadata={**activity.metadata, "user_agent": agents | others})
    assert not any(network.flagged for network in link(families, members, marked).networks)


def test_where_most_accounts_act_together_what_they_do_is_ordinary_and_accuses_nobody() -> None:
    """Forty undeclared teams, each with texts and quotas of its own, among few others whose volumes differ more."""
    traffic = Rehearsal(2)
    for _ in range(8):
        traffic.add_tool(40)
    for _ in range(40):
        account, families = traffic.new_accounts("team", 20), traffic.new_families(2)
        who, time = traffic.sittings(account, traffic.volumes(20, 20, 0.3))
        traffic.put(who, families[traffic.random.integers(2, size=len(who))], traffic.unique(len(who)), time)
    assert len(flagged_numbers(traffic, NetworkOptions(max_acting_share=1.0))) > 400
    found = run(traffic)
    assert not any(network.flagged for network in found.networks)
    line = next(line for line in found.networks[0].evidence if line.name == "most_accounts_act_together")
    assert line.sentence == (
        "71% of the accounts of this traffic share texts with others beyond chance: "
        "what is ordinary was measured on all of them."
    )


def test_the_sentence_of_co_use_names_a_number_of_texts_that_half_of_the_accounts_reach() -> None:
    times = np.array([2, 3, 4, 4, 9])
    assert [least_of(count, times) for count in (2, 3, 6, 72)] == [2, 2, 3, 4]
    assert co_use(72, times, 0.2, 1e-9).sentence == (
        "3 of 5 accounts use at least 4 of these 72 templates; chance would give 0.2."
    )


def test_scatter_is_told_in_words_where_there_is_none() -> None:
    ordinary = Reference(float(np.log(0.45)), 0.3, 30)
    even, uneven = volume_scatter(np.full(6, 25)), volume_scatter(np.array([24, 25, 26, 25, 24, 27]))
    assert (
        scattered(even, ordinary) == "there is no scatter; between independent users it is about 11 times that of dice"
    )
    assert scattered(uneven, ordinary) == (
        "the scatter is 0.062 times that of dice; between independent users it is about 11 times that of dice"
    )
    few = volume_scatter(np.full(6, 4))  # so few uses that independent users would hardly scatter more than dice
    assert scattered(few, Reference(-4.0, 0.3, 30)) == (
        "there is no scatter; between independent users it is about that of dice"
    )


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (Link("user_agent", 80, 80, 79.0, 0.47), None),  # most carry it, here and elsewhere
        (
            Link("ip", 80, 0, 2.0, 1.0),
            "0 of 80 accounts share a value of ip with another of the group; chance would give 2.",
        ),
        (
            Link("ip", 80, 80, 60.0, 0.01),
            "80 of 80 accounts share a value of ip with another of the group; chance would give 60.",
        ),
    ],
)
def test_a_value_that_chance_would_let_most_share_is_not_told(found: Link, told: str | None) -> None:
    line = metadata(found)
    assert (line.sentence if line else None) == told


def test_users_of_a_tool_with_two_texts_are_not_accused_for_belonging_to_different_organisations() -> None:
    traffic = benign(5, 1500)
    traffic.add_organisation(20, declared=False)
    families, members, activity = traffic.build()
    own = {seat: (f"org_of_{seat}",) for seat in traffic.kinds["organisation"][-20:]}
    declared = {**activity.metadata.get("org_id", {}), **own}
    found = link(families, members, replace(activity, metadata={"org_id": declared}))
    assert not any(network.flagged for network in found.networks)
    shown = next(one for one in found.networks if len(one.account_ids) == 20)
    assert {"different_organisations", "may_be_colleagues"} <= {evidence.name for evidence in shown.evidence}


def test_forms_of_one_text_tie_nobody() -> None:
    """Who uses a text uses it with its optional part too."""
    traffic = benign(5, 1500)
    traffic.add_organisation(20, declared=False)
    families, members, activity = traffic.build()
    seats = set(traffic.kinds["organisation"][-20:])

    def shown(families: Sequence[Family]) -> list[int]:
        found = link(families, members, activity).networks
        return [len(one.account_ids) for one in found if seats & {activity.accounts.index(a) for a in one.account_ids}]

    assert shown(families) == [20]
    longer = replace(families[-1], template=families[-2].template + "and {1}, with an optional part")
    assert shown([*families[:-1], longer]) == []


def test_a_text_with_an_optional_part_is_a_form_of_it_and_another_of_one_topic_is_not() -> None:
    texts = benign(1, 100).build()[0][:4]
    words = ("Read {1} aloud and say what it means.", "Read {1} aloud and say what it means. Hints: {2}",
             "Say in one line what {1} is about, and why it was written.", "{1}")  # fmt: skip
    texts = [replace(text, template=template) for text, template in zip(texts, words, strict=True)]
    pairs = np.array([0, 0, 1, 0]), np.array([1, 2, 2, 3])
    assert of_one_text(texts, *pairs).tolist() == [True, False, False, True]  # without words nothing is told


def test_cohorts_of_one_course_are_not_accused_for_following_one_another() -> None:
    """Two groups of people, each two weeks, with the same two texts and work of their own."""
    traffic = benign(6, 1500)
    families = traffic.new_families(2)
    for cohort in range(2):
        account = traffic.new_accounts("cohort", 25)
        who, time = traffic.sittings(account, traffic.volumes(25, 20))
        start = time.min()
        time = start + (time - start) // 2 + cohort * 15 * DAY
        traffic.put(who, families[traffic.random.integers(2, size=len(who))], traffic.unique(len(who)), time)
    found = run(traffic)
    assert not any(network.flagged for network in found.networks)
    shown = next(one for one in found.networks if len(one.account_ids) > 40)
    assert {"hand_overs", "may_be_colleagues"} <= {evidence.name for evidence in shown.evidence}


def test_users_of_two_reworded_texts_overlap_by_the_texts_and_not_by_each_wording() -> None:
    """Forty accounts draw their tasks from one pool, for two texts, each reworded twelve times."""
    traffic = benign(3, 4000)
    account, families = traffic.new_accounts("campaign", 40), traffic.new_families(24)
    for number in account:
        family, filling = (
            families[traffic.random.integers(24, size=12)],
            traffic.random.integers(1 << 20, (1 << 20) + 800, 12),
        )
        traffic.put(np.full(12, number), family, filling, traffic.around_the_clock(12))
    apart, members, activity = traffic.build()
    together, of_two = joined(*joined(apart, members, families[:12].tolist()), families[12:].tolist())

    def flagged(families: Sequence[Family], members: Members) -> list[int]:
        return [len(one.account_ids) for one in link(families, members, activity).networks if one.flagged]

    assert flagged(together, of_two) == [40]
    assert flagged(apart, members) == []  # of any two wordings few accounts use both: public texts may be so


def test_a_programme_that_draws_its_tasks_from_one_pool_repeats_some_and_is_found() -> None:
    traffic = benign(3, 4000)
    account, families = traffic.new_accounts("campaign", 30), traffic.new_families(2)
    for number in account:
        filling = traffic.random.integers(1 << 20, (1 << 20) + 1500, 40)
        family = families[traffic.random.integers(2, size=40)]
        traffic.put(np.full(40, number), family, filling, traffic.around_the_clock(40))
    found = [network for network in run(traffic).networks if network.flagged]
    assert [len(network.account_ids) for network in found] == [30]
    lines = {evidence.name: evidence for evidence in found[0].evidence}
    assert lines["repeated_fillings"].value > 100
    assert "100% use both" in lines["not_public_texts"].sentence


def test_undeclared_colleagues_are_not_accused_however_many_organisations_there_are() -> None:
    """Each is a test of its own that goes wrong at most once in a hundred: of these 32, one by chance."""
    accused = 0
    for seed in (0, 1, 25, 39):
        traffic = benign(seed, 1500)
        for seats in (4, 5, 6, 8, 10, 12, 15, 20):
            traffic.add_organisation(seats, declared=False)
        accused += sum(network.flagged for network in run(traffic).networks)
    assert accused <= 1


def test_accounts_that_act_together_are_no_measure_of_people() -> None:
    """They use everyone's texts too, at all hours: where they are many, they must not be what people are."""
    shares = []
    for campaign in (0, 60):
        traffic = benign(9, 1500)
        for number in traffic.new_accounts("campaign", campaign):
            popular = traffic.random.choice(np.arange(0, 8), 20)
            traffic.put(np.full(20, number), popular, traffic.unique(20), traffic.around_the_clock(20))
        families, members, activity = traffic.build()
        options = NetworkOptions()
        units, parties = split_wordings(families, members), group_parties(activity, options)
        usage = measure_usage(units.texts, units.members, sendings_of(activity), parties)
        sharding = measure_sharding(usage)
        observer = Observer(units, usage, sharding, explain(units.texts, usage, sharding, options), options)
        acting = np.zeros(parties.count, bool)
        acting[parties.of[traffic.kinds.get("campaign", [])]] = True
        shares.append(observer.background(np.zeros(len(families), bool), acting))
    assert shares[0] == shares[1]


def test_a_finding_says_which_innocent_explanations_were_asked() -> None:
    traffic = benign(7)
    tool = len(traffic._texts)
    traffic.add_tool(40)
    account = traffic.new_accounts("forwarder", 40)
    for number in account:
        cover = traffic.around_the_clock(12)
        traffic.put(np.full(12, number), np.full(12, NONE), traffic.unique(12), cover)
        traffic.put(np.full(36, number), np.full(36, tool), traffic.unique(36), traffic.around_the_clock(36))
    found = run(traffic)
    network = next(network for network in found.networks if network.flagged)
    lines = {evidence.name: evidence for evidence in network.evidence}
    assert lines["not_one_organisation"].value == len(network.account_ids)
    assert lines["not_a_class"].value == pytest.approx(27, abs=1)
    assert lines["not_a_question_set"].value == 0.0
    assert lines["not_a_retrying_client"].value == 36 * len(network.account_ids)
    others = lines["other_users"].value
    assert others == 80 - len(network.account_ids)
    assert lines["other_users"].sentence == f"{others} other accounts use this text too, and are not part of this."
    name = network.account_ids[0]
    assert found.accounts[name].evidence[0].sentence == (
        f"36 of its 48 requests use the text of {network.network_id}; strength of membership 1.00."
    )
    family = found.families[network.family_ids[0]]
    assert family.evidence[0].sentence.startswith(f"{80 - others} of the 80 accounts that use it belong to net_")


def test_a_campaign_that_declares_one_organisation_is_not_flagged_but_does_not_hide() -> None:
    """The operator's word is believed; that seats are run by a scheduler is told, and ranks it above the others."""
    traffic = benign(1, 3000)
    traffic.add_campaign(40, 3, 25)
    families, members, activity = traffic.build()
    declared = {**activity.metadata["org_id"], **dict.fromkeys(traffic.kinds["campaign"], ("org_shell",))}
    found = link(families, members, replace(activity, metadata={"org_id": declared}))
    assert not any(network.flagged for network in found.networks)
    first = found.networks[0]
    assert set(first.account_ids) == {activity.accounts[at] for at in traffic.kinds["campaign"]}
    assert [evidence.name for evidence in first.evidence] == ["one_organisation", "scheduled_seats"]
    assert first.evidence[1].value >= 38
    assert all(network.score < first.score for network in found.networks[1:])
    assert sum("scheduled_seats" in {line.name for line in network.evidence} for network in found.networks) == 1


@pytest.mark.parametrize("seed", [0, 1, 2, 4])
def test_programmes_on_timers_that_send_nothing_but_two_shared_texts_are_not_accused(seed: int) -> None:
    """Half of what each sends is the one text and half the other: even shares that nobody dealt out."""
    traffic = benign(seed)
    families = traffic.new_families(2)
    for number in traffic.new_accounts("service", 20):
        count = int(traffic.volumes(1, 30)[0])
        time = traffic.random.integers(DAY) + np.arange(count) * (30 * DAY // (count + 1))
        traffic.put(
            np.full(count, number), families[traffic.random.integers(2, size=count)], traffic.unique(count), time
        )
    found = run(traffic)
    assert not any(network.flagged for network in found.networks)
    assert 20 in {len(network.account_ids) for network in found.networks}
