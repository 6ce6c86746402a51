"""A run over what is new, as a specification: who joins, what is found, what stays, held against a run over all."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from promptsim.families.increment import extend
from promptsim.families.likeness import Encode
from promptsim.families.mine import mine
from promptsim.families.options import MineOptions
from promptsim.families.rows import all_rows, some_families, some_rows
from promptsim.records import DocumentBatch, FamilySet, Incidence, Int64s, Members
from tests.test_families_mine import OTHER, REVIEW, SUMMARY, families_of, filled, source, strangers
from tests.test_families_wordings import SENTIMENT, Topics

KNOWN = [*filled(SUMMARY, 20, 1), *filled(REVIEW, 20, 2), *strangers(40, 3)]


class Texts:
    """An archive over a list."""

    def __init__(self, prompts: Sequence[str], erased: Sequence[int] = ()) -> None:
        self.prompts, self.erased = prompts, set(erased)

    def documents(self, *, since_no: int = 0) -> Iterator[DocumentBatch]:
        return self.documents_of(np.arange(since_no, len(self.prompts)))

    def documents_of(self, numbers: Int64s) -> Iterator[DocumentBatch]:
        kept = [number for number in sorted(numbers.tolist()) if number not in self.erased]
        for lo in range(0, len(kept), 7):
            some = kept[lo : lo + 7]
            yield DocumentBatch(np.array(some, np.int64), ("",) * len(some), tuple(self.prompts[i] for i in some))


def extended(
    before: Sequence[str],
    new: Sequence[str],
    senders: Sequence[Sequence[int]] | None = None,
    erased: Sequence[int] = (),
    options: MineOptions | None = None,
    encode: Encode | None = None,
) -> tuple[FamilySet, FamilySet]:
    """The families of `before`, and those after `new` came; `senders` are of all prompts."""
    options = options or MineOptions()
    old = mine(*source(before), options=options, encode=encode)
    _, incidence = source([*before, *new], senders)
    left = ~np.isin(incidence.prompt_no, list(erased))
    columns = (incidence.prompt_no, incidence.account_no, incidence.events, incidence.first_seen, incidence.last_seen)
    incidence = Incidence(*(column[left] for column in columns))
    archive = Texts([*before, *new], erased)
    return old, extend(archive, incidence, old, covered=len(before), options=options, encode=encode)


def partition(found: FamilySet) -> set[frozenset[int]]:
    members: dict[int, set[int]] = {}
    for prompt, family in zip(found.members.prompt_no.tolist(), found.members.family.tolist(), strict=True):
        members.setdefault(family, set()).add(prompt)
    return {frozenset(some) for some in members.values()}


def test_new_members_join_the_family_under_its_id_and_are_counted() -> None:
    old, now = extended(KNOWN, filled(SUMMARY, 5, 4))
    before = {family.template: family for family in old.families}
    after = {family.template: family for family in now.families}
    summary = next(template for template in after if template.startswith("Summarise"))
    assert after[summary].family_id == before[summary].family_id
    assert (before[summary].prompt_count, after[summary].prompt_count) == (20, 25)
    assert (after[summary].event_count, after[summary].account_count) == (25, 25)
    assert after[summary].wordings[0].event_count == 25
    assert after[summary].last_seen == (len(KNOWN) + 4) * 10 + 5
    assert after[summary].lineage.continues == (before[summary].family_id,)
    review = next(template for template in after if template.startswith("You review"))
    assert after[review].event_count == before[review].event_count == 20


def test_a_new_template_is_found_with_the_earlier_prompts_that_nothing_explained() -> None:
    first = filled(OTHER, 3, 5)  # too few to be a family yet
    old, now = extended([*KNOWN, *first], filled(OTHER, 4, 6))
    assert not any(family.template.startswith("Write a limerick") for family in old.families)
    limericks = [p for p, template in families_of(now).items() if template.startswith("Write a limerick")]
    assert limericks == [80, 81, 82, 83, 84, 85, 86]


def test_the_families_are_those_of_a_run_over_all() -> None:
    rng = random.Random(9)
    new = [*filled(SUMMARY, 10, 7), *filled(OTHER, 12, 8), *strangers(20, 9)]
    rng.shuffle(new)
    _, now = extended(KNOWN, new)
    whole = mine(*source([*KNOWN, *new]))
    assert partition(now) == partition(whole)
    assert {f.template for f in now.families} == {f.template for f in whole.families}


def test_a_known_text_from_a_third_account_becomes_a_family_of_copies() -> None:
    lone = 45
    senders: list[list[int]] = [[i] for i in range(len(KNOWN) + 1)]
    senders[lone] = [lone, 998, 999]
    old, now = extended(KNOWN, strangers(1, 11), senders)
    assert lone not in families_of(old)
    copies = [family for family in now.families if family.kind == "exact"]
    assert [(f.template, f.event_count, f.account_count) for f in copies] == [(KNOWN[lone], 3, 3)]


def test_without_news_nothing_is_found_anew() -> None:
    """Mining the leftovers by themselves must not find what the run over all did not."""
    old, now = extended(KNOWN, strangers(3, 12))
    assert partition(now) == partition(old)
    assert [family.family_id for family in now.families] == [family.family_id for family in old.families]


@pytest.mark.parametrize("same", [True, False])
def test_an_instruction_reworded_since_joins_its_family_if_the_same_accounts_send_it(same: bool) -> None:
    first, reworded = (text.replace("{1}", "{}") for text in SENTIMENT[1:])
    before = [*KNOWN, *filled(first, 20, 21)]
    new = [*filled(reworded, 20, 22), *filled(SUMMARY, 3, 23)]
    asking = range(80, 100) if same else range(300, 320)
    senders = [[i] for i in range(len(before))] + [[i] for i in asking] + [[i] for i in range(400, 403)]
    old, now = extended(before, new, senders, encode=Topics().encode)
    known = next(family for family in old.families if family.template.startswith("Title: "))
    family = next(family for family in now.families if family.family_id == known.family_id)
    prompts = {p for p, f in zip(now.members.prompt_no.tolist(), now.members.family.tolist(), strict=True)
               if now.families[f] is family}  # fmt: skip
    if not same:
        assert (family.kind, len(family.wordings), prompts) == ("template", 1, set(range(80, 100)))
        return
    assert prompts == set(range(80, 120))
    assert (family.kind, family.prompt_count, family.event_count, family.account_count) == ("paraphrase", 40, 40, 20)
    assert [(w.template[:8], w.event_count) for w in family.wordings] == [("Title: {", 20), ("You read", 20)]
    rows = np.isin(now.members.prompt_no, range(100, 120))
    assert now.members.wording[rows].tolist() == [1] * 20
    assert {s.family_id for s in now.skeletons if s.wording_id == family.wordings[1].wording_id} == {family.family_id}
    evidence = next(e for e in family.evidence if e.name == "wordings")
    assert "the last 1 came after all was mined: 20 accounts use both" in evidence.sentence
    assert len(now.families) == len(old.families)


@pytest.mark.parametrize(("earlier", "new", "found"), [(6, 3, False), (4, 5, True)])
def test_what_the_run_before_did_not_take_for_a_template_is_none_for_a_few_more(
    earlier: int, new: int, found: bool
) -> None:
    """It saw the earlier ones among all the others; beside leftovers a phrase of everyone's looks like a template."""
    prompts = [*KNOWN, *filled(OTHER, earlier, 31), *filled(OTHER, new, 32)]
    covered = len(KNOWN) + earlier
    old = mine(*source(prompts[:covered]))
    limericks = [i for i, family in enumerate(old.families) if family.template.startswith("Write a limerick")]
    assert len(limericks) == (0 if found else 1)
    knew_better = some_families(old, some_rows(old.members, ~np.isin(old.members.family, limericks)))
    now = extend(Texts(prompts), source(prompts)[1], knew_better, covered=covered)
    assert any(family.template.startswith("Write a limerick") for family in now.families) == found


def test_what_was_erased_is_counted_no_more_and_an_empty_family_is_gone() -> None:
    _, now = extended(KNOWN, filled(SUMMARY, 2, 13), erased=[*range(15), *range(20, 40)])
    assert [(f.template[:9], f.prompt_count) for f in now.families] == [("Summarise", 7)]
    assert set(families_of(now)) == {15, 16, 17, 18, 19, 80, 81}


def test_a_template_read_from_few_members_is_read_again_though_ingest_placed_the_new_ones() -> None:
    """The rows that ingest adds between runs are in the last result too, but no template was read from them."""
    new = filled(SUMMARY, 5, 4)
    old = mine(*source(KNOWN))
    summary = next(i for i, family in enumerate(old.families) if family.template.startswith("Summarise"))
    rows = old.members
    late = np.arange(len(KNOWN), len(KNOWN) + 5)
    placed = replace(
        rows,
        prompt_no=np.append(rows.prompt_no, late),
        family=np.append(rows.family, np.full(5, summary, np.int32)),
        wording=np.append(rows.wording, np.zeros(5, np.int32)),
        relation=np.append(rows.relation, np.full(5, 2, np.uint8)),
        filling=np.append(rows.filling, late.astype(np.uint64)),
        place=None if rows.place is None else np.append(rows.place, np.zeros(5, np.uint8)),
    )
    archive, incidence = Texts([*KNOWN, *new]), source([*KNOWN, *new])[1]
    now = extend(archive, incidence, replace(old, members=placed), covered=len(KNOWN))
    family = next(f for f in now.families if f.family_id == old.families[summary].family_id)
    assert (family.prompt_count, [slot.distinct for slot in family.slots]) == (25, [25])


@pytest.mark.parametrize("recalled", [4, 1_000])
def test_only_the_newest_leftovers_are_mined_again_and_the_others_are_counted(recalled: int) -> None:
    first = filled(OTHER, 4, 14)
    options = replace(MineOptions(), recalled=recalled)
    _, now = extended([*first, *KNOWN], filled(OTHER, 2, 15), options=options)
    found = [p for p, template in families_of(now).items() if template.startswith("Write a limerick")]
    assert found == ([] if recalled == 4 else [0, 1, 2, 3, 84, 85])
    assert now.cuts.get("earlier_prompts_not_mined_again", 0) == (40 if recalled == 4 else 0)


def test_rows_of_news_come_in_any_order_and_are_put_in_theirs() -> None:
    def rows(*numbers: int) -> Members:
        count = len(numbers)
        none = np.zeros(count, np.int32)
        return Members(np.array(numbers), none, none, none.astype(np.uint8), np.array(numbers, np.uint64))

    assert all_rows(rows(0, 2, 5), rows(9, 7, 8)).prompt_no.tolist() == [0, 2, 5, 7, 8, 9]
    assert all_rows(rows(0, 2, 5), rows(9, 1, 8)).filling.tolist() == [0, 1, 2, 5, 8, 9]
    assert all_rows(rows(), rows(3, 1)).prompt_no.tolist() == [1, 3]
