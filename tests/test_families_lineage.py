"""Ids that last: through growth, rotation, merge and split, in any order, one to one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptsim.families.lineage import Continuation, Generation, continued, with_lasting_ids
from promptsim.records import Family, FamilySet, Lineage, Members, Skeleton, Wording

Groups = Mapping[str, tuple[range | list[int], range | list[int]]]  # id -> (prompts, shingles)


def generation(groups: Groups) -> Generation:
    rows = [(p, g) for g, (prompts, _) in enumerate(groups.values()) for p in prompts]
    texts = [(s, g) for g, (_, shingles) in enumerate(groups.values()) for s in shingles]
    return Generation(
        tuple(groups),
        np.array([p for p, _ in rows], np.int64),
        np.array([g for _, g in rows], np.int32),
        np.array([s for s, _ in texts], np.uint64),
        np.array([g for _, g in texts], np.int32),
    )


def follow(old: Groups, new: Groups) -> Continuation:
    return continued(generation(old), generation(new))


def test_a_family_that_grows_keeps_its_id() -> None:
    found = follow({"f1": (range(10), range(20))}, {"new": (range(1_000), range(15))})
    assert found.ids == ("f1",)
    assert found.lineages == (Lineage(continues=("f1",)),)
    assert found.ended == ()


def test_members_may_all_be_new_if_the_fixed_text_is_the_same() -> None:
    found = follow({"f1": (range(10), range(20))}, {"new": (range(50, 90), range(2, 22))})
    assert found.ids == ("f1",)


def test_the_fixed_text_may_be_new_if_the_members_are_the_same() -> None:
    assert follow({"f1": (range(10), [])}, {"new": (range(9), range(7))}).ids == ("f1",)


def test_what_has_nothing_in_common_is_new_and_the_old_one_has_ended() -> None:
    found = follow({"f1": (range(10), range(20))}, {"new": (range(10, 20), range(20, 40))})
    assert found.ids == ("new",)
    assert found.lineages == (Lineage(),)
    assert found.ended == ("f1",)


def test_a_merge_keeps_the_id_of_the_greater_part_and_names_the_others() -> None:
    old = {"small": (range(4), range(100, 110)), "large": (range(4, 10), range(10)), "tiny": ([10], [200, 201])}
    found = follow(old, {"new": (range(11), range(10))})
    assert found.ids == ("large",)
    assert found.lineages == (Lineage(continues=("large",), merged_from=("small", "tiny")),)
    assert found.ended == ()


def test_a_split_keeps_the_id_of_the_greater_part_and_the_others_say_where_they_are_from() -> None:
    found = follow({"f1": (range(10), range(20))}, {"a": (range(6), range(20)), "b": (range(6, 10), range(50, 60))})
    assert found.ids == ("f1", "b")
    assert found.lineages == (Lineage(continues=("f1",)), Lineage(split_from="f1"))


def test_an_id_is_never_given_twice_nor_to_another_family() -> None:
    """The fresh id of an unrelated family happens to be one that is in use."""
    found = follow({"f1": (range(10), range(20))}, {"f1": (range(50, 60), range(90, 99)), "x": (range(10), range(20))})
    assert found.ids[1] == "f1"
    assert found.ids[0] not in ("f1", "x")
    assert found.lineages[1].continues == ("f1",)


def test_equal_claims_are_settled_by_id() -> None:
    old = {"b": (range(5), []), "a": (range(5, 10), [])}
    found = follow(old, {"new": (range(10), [])})
    assert found.lineages == (Lineage(continues=("a",), merged_from=("b",)),)


def test_shingles_that_all_families_hold_decide_nothing_and_are_counted() -> None:
    old = {f"o{i}": ([i], [7, 1_000 + i]) for i in range(100)}
    new = {f"n{i}": ([500 + i], [7, 5_000 + i]) for i in range(100)}
    found = follow(old, new)
    assert found.ids == tuple(new)
    assert found.cuts == {"crowded_shingles": 1}


def test_nothing_before_and_nothing_after() -> None:
    assert follow({}, {"n": (range(3), range(3))}).ids == ("n",)
    assert follow({"o": (range(3), range(3))}, {}).ended == ("o",)
    assert follow({}, {}).ids == ()


def test_ids_persist_when_one_per_cent_is_added() -> None:
    rng = np.random.default_rng(1)
    old, new = {}, {}
    for i in range(400):
        prompts = range(1_000 * i, 1_000 * i + int(rng.integers(5, 300)))
        shingles = rng.integers(0, 2**60, int(rng.integers(3, 40))).tolist()
        old[f"o{i}"] = (prompts, shingles)
        more = [*prompts, *(1_000_000 + 10 * i + k for k in range(len(prompts) // 100 + 1))]
        new[f"n{i}"] = (more, [s for s in shingles if rng.random() < 0.9])
    assert follow(old, new).ids == tuple(old)


groups = st.dictionaries(
    st.sampled_from("abcdefgh"),
    st.tuples(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.lists(st.integers(0, 30), max_size=8)),
    max_size=6,
)


@given(groups, groups, st.randoms())
def test_any_two_runs_give_each_family_one_id_whatever_the_order(old: Groups, new: Groups, rng) -> None:  # type: ignore[no-untyped-def]
    new = {f"n{name}": value for name, value in new.items()}
    found = follow(old, new)
    assert len(set(found.ids)) == len(new)
    kept = [lineage.continues[0] for lineage in found.lineages if lineage.continues]
    assert len(kept) == len(set(kept))
    merged = [name for lineage in found.lineages for name in lineage.merged_from]
    assert sorted([*kept, *merged, *found.ended]) == sorted(old)
    for name, lineage in zip(found.ids, found.lineages, strict=True):
        assert name == (lineage.continues[0] if lineage.continues else name)
        assert lineage.continues or name not in old
    shuffled_old, shuffled_new = list(old.items()), list(new.items())
    rng.shuffle(shuffled_old)
    rng.shuffle(shuffled_new)
    again = follow(dict(shuffled_old), dict(shuffled_new))
    assert dict(zip((n for n, _ in shuffled_new), again.ids, strict=True)) == dict(zip(new, found.ids, strict=True))
    assert again.ended == found.ended


def family_set(ids: tuple[str, str], prompts: int) -> FamilySet:
    def family(family_id: str, number: int) -> Family:
        wordings = tuple(Wording(f"w{family_id}{k}", "text", 1, 1) for k in range(number))
        return Family(family_id, "template", "user", "text", (), wordings, 1, 1, 1, 0, 0)

    rows = np.arange(prompts, dtype=np.int64)
    members = Members(
        rows,
        (rows % 2).astype(np.int32),
        np.where(rows % 2 == 1, rows // 2 % 2, 0).astype(np.int32),
        np.zeros(prompts, np.uint8),
        np.zeros(prompts, np.uint64),
    )
    shingles = np.arange(5, dtype=np.uint64)
    skeletons = tuple(
        Skeleton(f"w{ids[f]}{k}", ids[f], shingles + np.uint64(100 * f + 10 * k), np.ones(5, np.float32), "text")
        for f, k in ((0, 0), (1, 0), (1, 1))
    )
    return FamilySet((family(ids[0], 1), family(ids[1], 2)), members, skeletons, {})


def test_families_wordings_and_skeletons_are_renamed_together() -> None:
    renamed, found = with_lasting_ids(family_set(("f", "g"), 40), family_set(("x", "y"), 48))
    assert [family.family_id for family in renamed.families] == ["f", "g"]
    assert [w.wording_id for family in renamed.families for w in family.wordings] == ["wf0", "wg0", "wg1"]
    assert [(s.family_id, s.wording_id) for s in renamed.skeletons] == [("f", "wf0"), ("g", "wg0"), ("g", "wg1")]
    assert renamed.families[1].lineage == Lineage(continues=("g",))
    assert found.ended == ()


def test_a_skeleton_of_an_unknown_family_is_a_wrong_call() -> None:
    broken = family_set(("f", "g"), 8)
    with pytest.raises(KeyError):
        with_lasting_ids(broken, FamilySet(broken.families[:1], broken.members, broken.skeletons, {}))
