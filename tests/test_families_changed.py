"""Fixed texts of which words were changed: found whole if in every copy, and told from others that they resemble."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from test_families_mine import WORDS, groups, mined, payload, strangers

from promptsim.families.options import MineOptions

GUIDE = (
    "You are a patient guide for visitors of the old harbour museum and answer in plain words, name the hall where "
    "each thing stands, and never invent a date that the catalogue below does not give.\n{}"
)
SHARED = "Please reply within two short paragraphs, keep every figure as"
SORT = f"damaged box for the night shift. {SHARED}.\n{{}}"
TUNE = f"Tune the old piano from the. {SHARED}.\n{{}}"


def changed(template: str, n: int, seed: int, share: float) -> list[str]:
    """Copies of a template, each with other words in place of some of its own."""
    rng = random.Random(seed)
    return [
        " ".join(rng.choice(WORDS) if rng.random() < share else word for word in template.split(" ")).format(
            payload(rng)
        )
        for _ in range(n)
    ]


def most_common(labels: list[int]) -> tuple[int, int]:
    """The family that most prompts are in, and how many."""
    return Counter(label for label in labels if label >= 0).most_common(1)[0]


@pytest.mark.parametrize("share", [0.05, 0.1])
def test_a_text_changed_in_every_copy_is_one_family(share: float) -> None:
    prompts = [*changed(GUIDE, 80, 1, share), *strangers(400, 2)]
    labels = groups(mined(prompts), len(prompts))
    family, held = most_common(labels[:80])
    assert held >= 76
    assert family not in labels[80:]


@pytest.mark.parametrize(
    ("options", "held"),
    [(MineOptions(), 63), (MineOptions(splinter=1.1), 36), (MineOptions(splinter_beyond=200), 36)],
)
def test_it_is_joined_from_pieces(options: MineOptions, held: int) -> None:
    prompts = [*changed(GUIDE, 80, 1, 0.2), *strangers(400, 2)]
    assert most_common(groups(mined(prompts, options=options), len(prompts)))[1] == held


def test_clean_copies_and_changed_ones_are_one_family() -> None:
    prompts = [*changed(GUIDE, 40, 1, 0.0), *changed(GUIDE, 40, 3, 0.1), *strangers(400, 2)]
    labels = groups(mined(prompts), len(prompts))
    assert most_common(labels[:40]) == (labels[0], 40)
    assert labels[40:80].count(labels[0]) >= 36


def test_two_texts_with_a_piece_in_common_stay_two_though_all_copies_are_changed() -> None:
    prompts = [*changed(TUNE, 60, 1, 0.08), *changed(SORT, 60, 4, 0.08), *strangers(400, 2)]
    labels = groups(mined(prompts), len(prompts))
    one, two = most_common(labels[:60]), most_common(labels[60:120])
    assert one[0] != two[0]
    assert one[1] >= 56 <= two[1]


def test_what_prompts_hold_less_than_half_of_is_not_their_text() -> None:
    prompts = [*changed(TUNE, 60, 1, 0.08), *changed(SORT, 60, 4, 0.08), *strangers(400, 2)]
    labels = groups(mined(prompts, options=MineOptions(splinter=0.2)), len(prompts))
    assert most_common(labels[:60])[0] == most_common(labels[60:120])[0]


def test_shuffled_prompts_make_the_same_families_of_changed_copies() -> None:
    prompts = [*changed(GUIDE, 60, 1, 0.1), *changed(TUNE, 60, 5, 0.1), *strangers(200, 2)]
    order = np.random.default_rng(7).permutation(len(prompts))
    found, again = mined(prompts), mined([prompts[i] for i in order])
    assert {f.family_id: f.template for f in found.families} == {f.family_id: f.template for f in again.families}
    assert np.array_equal(np.array(groups(found, len(prompts)))[order] < 0, np.array(groups(again, len(prompts))) < 0)


def test_pairs_that_are_not_compared_are_counted() -> None:
    prompts = [*changed(GUIDE, 80, 1, 0.15), *strangers(400, 2)]
    assert "pairs_of_splinters" not in mined(prompts).cuts
    assert mined(prompts, options=MineOptions(max_splinters=1)).cuts["pairs_of_splinters"] > 0


def test_changed_copies_are_not_taken_by_a_phrase_in_their_payload() -> None:
    phrase = "as the minutes of the last meeting of the harbour board in plain words have it"
    copies = [f"{text} {phrase}" for text in changed(GUIDE, 20, 3, 0.15)]
    prompts = [*changed(GUIDE, 40, 1, 0.0), *copies, *changed(f"{{}} {phrase}", 40, 5, 0.0), *strangers(400, 2)]
    labels = groups(mined(prompts), len(prompts))
    assert labels[:40] == [labels[0]] * 40
    assert labels[60:100] == [labels[60]] * 40
    assert labels[40:60].count(labels[0]) >= 16


def test_a_part_of_an_optional_ending_is_not_the_ending() -> None:
    text = "Sort the returned parcels by weight and town"
    ending = "before noon using only one pencil please"
    prompts = [*changed(f"{text} {{}}", 40, 1, 0.0), *changed(f"{text} {ending} {{}}", 40, 3, 0.0)]
    prompts += [*changed(f"{text} before noon using only {{}}", 4, 4, 0.0), *strangers(400, 2)]
    labels = groups(mined(prompts), len(prompts))
    assert labels[0] != labels[40]
    assert labels[80:84] == [labels[0]] * 4
    labels = groups(mined(prompts, options=MineOptions(akin_margin=1.0)), len(prompts))
    assert labels[80:84] == [labels[40]] * 4
