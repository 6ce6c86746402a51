"""Templates: what members share is printed as people wrote it, what differs becomes a numbered slot."""

from __future__ import annotations

import random
import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptsim.families.alignment import align, sequences
from promptsim.families.template import Template, extract, joined

NAMES = ["Ada Lovelace", "Grace Hopper", "Alan Turing", "Edith Clarke", "Emmy Noether", "Kurt Gödel"]
WORDS = ["river", "stone", "cloud", "market", "teacher", "engine", "winter", "garden", "letter", "silver", "planet"]


def sentence(rng: random.Random, least: int = 4, most: int = 30) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(least, most)))


def fixed_tokens(template: str) -> list[int]:
    text = re.sub(r"(?<!\{)\{\w+\}(?!\})", " ", template).replace("{{", "{").replace("}}", "}")
    return [int(h) for h in sequences([text]).of(0)]


def f1(found: Template, truth: str) -> float:
    a = np.array(fixed_tokens(found.text), np.uint64)
    b = np.array(fixed_tokens(truth), np.uint64)
    same = int((align(a, b) >= 0).sum())
    return 2 * same / (len(a) + len(b))


def test_slots_are_numbered_and_the_fixed_text_is_kept_as_written() -> None:
    rng = random.Random(1)
    members = [
        ("", f"Translate the {{JSON}} below to {language}.\n\nText:  {sentence(rng)}\nAnswer:")
        for language in ["French", "German", "Greek"] * 8
    ]
    template = extract(members)
    assert template.text == "Translate the {{JSON}} below to {1}.\n\nText:  {2}\nAnswer:"
    assert [(slot.name, slot.kind, slot.distinct) for slot in template.slots] == [
        ("1", "choice", 3),
        ("2", "text", len({text.split("Text:  ")[1] for _, text in members})),
    ]
    assert sorted(template.slots[0].examples) == ["French", "German", "Greek"]
    assert template.role == "user"
    assert template.support == 1.0


def test_one_distinct_text_is_its_own_template() -> None:
    template = extract([("", "# Say *hello* to {name}")] * 5)
    assert template.text == "# Say *hello* to {{name}}"
    assert template.slots == ()
    assert set(template.fillings.hashes.tolist()) == {0}


def test_text_without_any_token_is_its_own_template() -> None:
    assert extract([("", "***")]).text == "***"
    assert extract([("", "")]).text == ""


def test_no_members_is_a_wrong_call() -> None:
    with pytest.raises(ValueError, match="at least one member"):
        extract([])


def test_nothing_in_common_is_one_slot() -> None:
    template = extract([("", "alpha beta gamma"), ("", "one two three four"), ("", "red green blue")])
    assert template.text == "{1}"
    assert template.fixed_tokens == 0


def test_slots_at_the_beginning_and_the_end() -> None:
    rng = random.Random(2)
    members = [("", f"{sentence(rng)}\n---\nGive a title for the text above: {sentence(rng)}") for _ in range(9)]
    assert extract(members).text == "{1}\n---\nGive a title for the text above: {2}"


def test_a_slot_that_the_typical_member_leaves_empty_is_still_a_slot() -> None:
    rng = random.Random(3)
    members = [("", f"Please answer the question now. {w} Reply in one short sentence.") for w in WORDS[:9]]
    members += [("", "Please answer the question now. Reply in one short sentence.")]
    template = extract(
        [*members, ("", f"Please answer the question now. {sentence(rng)} Reply in one short sentence.")]
    )
    assert template.text == "Please answer the question now. {1} Reply in one short sentence."


@pytest.mark.parametrize(
    ("fillings", "kind"),
    [
        ([str(n * 37) for n in range(12)], "number"),
        (["https://a.example/x?y=1", "www.river.org", "http://b.net/stone/2#top", "https://docs.test"], "url"),
        (NAMES, "name"),
        (["yes", "no"] * 6, "choice"),
        (["x = f(1);\ny = g(x);", "def f(a):\n  return b(a)", "if (a == b) {", "int main() { run(); }"] * 2, "code"),
        ([f"the {w} is far from here" for w in WORDS], "text"),
    ],
)
def test_the_kind_of_a_slot_is_guessed_from_its_fillings(fillings: list[str], kind: str) -> None:
    template = extract([("", f"Look at the following thing and explain it: {text}") for text in fillings])
    assert [slot.kind for slot in template.slots] == [kind]


def test_examples_are_shortened_and_at_most_five() -> None:
    rng = random.Random(4)
    template = extract([("", f"Summarise this long text for me: {sentence(rng, 40, 60)}") for _ in range(9)])
    (slot,) = template.slots
    assert len(slot.examples) == 5
    assert all(len(example) == 80 and example.endswith("…") for example in slot.examples)


def test_the_role_says_where_the_fixed_text_stands() -> None:
    rng = random.Random(5)
    instruction = "You sort customer letters by urgency and answer with one word."
    in_system = [(instruction, sentence(rng)) for _ in range(8)]
    in_user = [("", f"{instruction}\n\n{sentence(rng)}") for _ in range(8)]
    beside_system = [(sentence(rng), f"{instruction}\n\n{sentence(rng)}") for _ in range(8)]
    assert extract(in_system).role == "system"
    assert extract(in_user).role == "user"
    assert extract(beside_system).role == "user"
    assert extract(in_system + in_user).role == "both"
    assert extract(in_system + in_user).text == instruction + "\n\n{1}"


def test_evaded_members_count_and_the_text_is_printed_clean() -> None:
    rng = random.Random(6)
    instruction = "Extract every factual claim in the passage as a list of triples:"

    def evade(text: str) -> str:
        how = rng.randrange(3)
        if how == 0:
            return "".join(rng.choice([c.upper(), c.lower()]) for c in text)
        if how == 1:
            return text.replace("a", "\u0430", 3).replace("e", "\u0435", 3)
        return "\u200b".join(re.findall("..?", text))

    members = [("", f"{evade(instruction)} {sentence(rng)}") for _ in range(14)]
    members += [("", f"{instruction} {sentence(rng)}") for _ in range(6)]
    assert extract(members).text == instruction + " {1}"


def test_padding_of_some_members_makes_no_slot() -> None:
    rng = random.Random(7)
    core = "Grade this essay from one to ten and explain the grade in detail. Essay: "
    members = [("", f"{core}{sentence(rng)}") for _ in range(16)]
    members += [("", f"{sentence(rng)}. {core}{sentence(rng)}") for _ in range(8)]
    assert extract(members).text == core + "{1}"


@pytest.mark.parametrize(("changed", "least"), [(0.0, 0.995), (0.05, 0.97), (0.1, 0.93)])
def test_fixed_tokens_are_found_when_words_are_changed_at_random(changed: float, least: float) -> None:
    rng = random.Random(8)
    truth = (
        "State whether a careful assistant should comply with the message (COMPLY, PARTIAL or REFUSE), write the "
        "reasoning behind the decision as you apply it, then write the actual reply.\nMessage: {payload}\nVerdict:"
    )

    def member() -> tuple[str, str]:
        noisy = re.sub(r"\w+", lambda m: rng.choice(WORDS) if rng.random() < changed else m[0], truth)
        return "", noisy.replace("{payload}", sentence(rng)) if "{payload}" in noisy else noisy

    scores = [f1(extract([member() for _ in range(24)]), truth) for _ in range(8)]
    assert np.mean(scores) >= least


def test_neither_order_nor_copies_change_the_template() -> None:
    rng = random.Random(9)
    members = [
        ("", f"Explain {rng.choice(NAMES)} to a child. Use {sentence(rng, 2, 5)} as example.") for _ in range(60)
    ]
    first = extract(members)
    shuffled = members + members[:7]
    rng.shuffle(shuffled)
    second = extract(shuffled)
    assert (first.text, first.slots[0].distinct, first.role) == (second.text, second.slots[0].distinct, second.role)
    assert first.fixed.tolist() == second.fixed.tolist()


def test_equal_fillings_have_equal_hashes_and_spans_point_into_the_text() -> None:
    rng = random.Random(10)
    payloads = [sentence(rng) for _ in range(8)] + ["Ünïcode beside, — and more"]
    members = [("", f"Rate this for me please:\n{p}\nThank you very much.") for p in payloads]
    template = extract([*members, members[0]])
    fillings = template.fillings
    assert fillings.hashes[0] == fillings.hashes[-1]
    assert len(set(fillings.hashes.tolist())) == len(payloads)
    assert list(fillings.texts) == [(p,) for p in [*payloads, payloads[0]]]
    for member, spans, texts in zip([*members, members[0]], fillings.spans.tolist(), fillings.texts, strict=True):
        assert [joined(*member).encode()[a:b].decode() for a, b in spans] == list(texts)
    other = template.fill(
        [("", "Rate this for me please:\nsomething else\nThank you very much."), ("", "no such thing")]
    )
    assert other.texts[0] == ("something else",)
    assert other.matched[0] == 1.0
    assert other.matched[1] < 0.5


def longest_common(a: list[int], b: list[int]) -> int:
    table = np.zeros((len(a) + 1, len(b) + 1), int)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1, j + 1] = max(table[i, j + 1], table[i + 1, j], table[i, j] + (x == y))
    return int(table[-1, -1])


@given(st.lists(st.integers(0, 4), max_size=12), st.lists(st.integers(0, 4), max_size=12))
def test_an_alignment_is_a_longest_common_subsequence(a: list[int], b: list[int]) -> None:
    partner = align(np.array(a, np.uint64), np.array(b, np.uint64))
    pairs = [(i, int(j)) for i, j in enumerate(partner) if j >= 0]
    assert all(a[i] == b[j] for i, j in pairs)
    assert all(before[1] < after[1] for before, after in pairwise(pairs))
    assert len(pairs) == longest_common(a, b)


def test_of_equal_alignments_the_one_in_one_piece_is_taken() -> None:
    haystack = [7, 1, 9, 2, 9, 1, 2, 3, 9]
    assert align(np.array([1, 2, 3], np.uint64), np.array(haystack, np.uint64)).tolist() == [5, 6, 7]


@given(st.lists(st.text(max_size=40), min_size=1, max_size=6))
def test_any_text_gives_a_template(texts: list[str]) -> None:
    clean = ["".join(c for c in t if not 0xD800 <= ord(c) < 0xE000).strip() for t in texts]
    template = extract([("", t) for t in clean])
    assert len(template.fillings.texts) == len(clean)
    if len(set(clean)) == 1:
        assert template.text == clean[0].replace("{", "{{").replace("}", "}}")
