"""Mining from documents to families, as a specification: what becomes a family, what does not, and in which order."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from promptsim import lookahead
from promptsim.families.assignment import SkeletonIndex
from promptsim.families.mine import mine
from promptsim.families.options import MineOptions
from promptsim.families.shingles import MOST_NAMES
from promptsim.records import DocumentBatch, FamilySet, Incidence

FIRST = "ba ce di fo gu ha je ki lo mu na pe ri so tu va we xi yo zu".split()  # noqa: SIM905
SECOND = "band cell dust fern glow harp iron jade kelp lamp moss nest opal pine".split()  # noqa: SIM905
WORDS = [first + second for first in FIRST for second in SECOND]
SUMMARY = "Summarise the report below in three short bullet points for a busy manager.\n{}\nKeep every number exact."
REVIEW = "You review contracts. List each clause that limits liability, with its page.\nContract: {}"
OTHER = "Write a limerick about the following thing and end it with a question mark: {}"

ASKING = [  # a question about a document
    "Read the passage and answer the question that follows it truthfully.\n{}\nQuestion: {}",
    "{}\nUsing only what is written above, say in one sentence: {}",
    "Here is something I found online, please help me with it today:\n{}\nWhat I want to know is {}",
]


def payload(rng: random.Random, words: int = 12) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(words))


def filled(template: str, n: int, seed: int, words: int = 12) -> list[str]:
    rng = random.Random(seed)
    return [template.format(payload(rng, words)) for _ in range(n)]


def strangers(n: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [payload(rng, rng.randint(8, 30)) for _ in range(n)]


def mined(
    prompts: Sequence[str | tuple[str, str]], accounts: Sequence[Sequence[int]] | None = None, **kwargs: object
) -> FamilySet:
    return mine(*source(prompts, accounts), **kwargs)  # type: ignore[arg-type]


def source(
    prompts: Sequence[str | tuple[str, str]], accounts: Sequence[Sequence[int]] | None = None
) -> tuple[Callable[[], Iterator[DocumentBatch]], Incidence]:
    """Documents in batches of 7, each prompt sent by its own account unless `accounts` says otherwise."""
    pairs = [p if isinstance(p, tuple) else ("", p) for p in prompts]
    senders = accounts or [[i] for i in range(len(pairs))]

    def documents() -> Iterator[DocumentBatch]:
        for lo in range(0, len(pairs), 7):
            part = pairs[lo : lo + 7]
            numbers = np.arange(lo, lo + len(part), dtype=np.int64)
            yield DocumentBatch(numbers, tuple(s for s, _ in part), tuple(u for _, u in part))

    rows = [(p, a) for p, some in enumerate(senders) for a in sorted(some)]
    prompt, account = (np.array(c, np.int64) for c in zip(*rows, strict=True)) if rows else (np.empty(0, np.int64),) * 2
    ones = np.ones(len(rows), np.int32)
    return documents, Incidence(prompt, account.astype(np.int32), ones, prompt * 10, prompt * 10 + 5)


def families_of(found: FamilySet) -> dict[int, str]:
    """Prompt number → template of its main family."""
    out: dict[int, str] = {}
    for prompt, family in zip(found.members.prompt_no.tolist(), found.members.family.tolist(), strict=True):
        out.setdefault(prompt, found.families[family].template)
    return out


def groups(found: FamilySet, n: int) -> list[int]:
    """The family number of each prompt, -1: none."""
    label = np.full(n, -1)
    label[found.members.prompt_no] = found.members.family
    return label.tolist()


@pytest.mark.parametrize("n", [0, 1, 2])
def test_tiny_corpora_have_no_families(n: int) -> None:
    found = mined(strangers(n, 1))
    assert found.families == ()
    assert len(found.members.prompt_no) == 0


def test_templates_are_found_whatever_they_are_wrapped_around() -> None:
    prompts = filled(SUMMARY, 12, 1) + filled(REVIEW, 8, 2) + strangers(60, 3)
    found = mined(prompts)
    label = groups(found, len(prompts))
    assert len(set(label[:12])) == 1
    assert len(set(label[12:20])) == 1
    assert set(label[20:]) == {-1}
    templates = families_of(found)
    assert templates[0] == SUMMARY.format("{1}")
    assert templates[12] == REVIEW.format("{1}")
    family = found.families[label[0]]
    assert (family.kind, family.role, family.prompt_count, family.event_count, family.account_count) == (
        "template", "user", 12, 12, 12,
    )  # fmt: skip
    assert (family.first_seen, family.last_seen) == (0, 115)
    assert found.families[label[12]].wordings[0].account_count == 8


def test_five_members_are_enough_for_a_long_instruction_and_four_are_not() -> None:
    prompts = filled(SUMMARY, 5, 1, words=40) + filled(REVIEW, 4, 2, words=60) + strangers(30, 3)
    label = groups(mined(prompts), len(prompts))
    assert label[0] >= 0
    assert len(set(label[:5])) == 1
    assert set(label[5:9]) == {-1}


def test_shuffled_input_gives_the_same_families() -> None:
    prompts = filled(SUMMARY, 15, 1) + filled(REVIEW, 9, 2) + filled(OTHER, 7, 5) + strangers(40, 3)
    order = list(range(len(prompts)))
    random.Random(9).shuffle(order)
    senders = [[i % 11, 20 + i % 3] for i in range(len(prompts))]
    plain = mined(prompts, senders)
    shuffled = mined([prompts[i] for i in order], [senders[i] for i in order])
    timeless = [[replace(f, first_seen=0, last_seen=0) for f in found.families] for found in (plain, shuffled)]
    assert timeless[0] == timeless[1]
    relabelled = groups(shuffled, len(order))
    assert [relabelled[order.index(i)] for i in range(len(order))] == groups(plain, len(order))
    for one, two in zip(plain.skeletons, shuffled.skeletons, strict=True):
        assert one.text == two.text
        assert np.array_equal(one.shingles, two.shingles)


@pytest.mark.parametrize("threads", [2, 3])
def test_families_are_the_same_however_many_threads_look_for_them(
    monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    frames = [SUMMARY, REVIEW, OTHER, *(frame.replace("{}", "{{}}", 1).format("x").format("{}") for frame in ASKING)]
    prompts = [p for seed, frame in enumerate(frames) for p in filled(frame, 9 + 3 * seed, seed)] + strangers(40, 3)
    senders = [[i % 11, 20 + i % 3] for i in range(len(prompts))]
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    alone = mined(prompts, senders)
    monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
    monkeypatch.setattr(lookahead, "LEAST", 1)
    found = mined(prompts, senders)
    assert len(alone.families) >= 6
    assert found.families == alone.families
    assert groups(found, len(prompts)) == groups(alone, len(prompts))
    assert np.array_equal(found.members.filling, alone.members.filling)


def test_an_instruction_is_one_family_as_system_and_as_user_text() -> None:
    rng = random.Random(4)
    instruction = "You are a careful proofreader. Mark every doubtful comma and explain each change you propose."
    prompts: list[str | tuple[str, str]] = [(instruction, payload(rng)) for _ in range(8)]
    prompts += [f"{instruction}\n\n{payload(rng)}" for _ in range(8)]
    prompts += strangers(30, 6)
    found = mined(prompts)
    label = groups(found, len(prompts))
    assert len(set(label[:16])) == 1
    assert label[0] >= 0
    assert found.families[label[0]].role == "both"


def test_a_wrapper_inside_a_wrapper_is_a_family_of_its_own() -> None:
    outer = "You work for the harbour office. Answer in plain words and cite the by-law you rely on.\n{}"
    inner = outer.format(
        "First decide if the vessel below needs a pilot, then name the berth and the hour.\nVessel: {}"
    )
    prompts = filled(outer, 20, 1) + filled(inner, 12, 2) + strangers(30, 3)
    label = groups(mined(prompts), len(prompts))
    assert len(set(label[:20])) == 1
    assert len(set(label[20:32])) == 1
    assert label[0] != label[20]


def test_a_short_instruction_is_not_lost_in_the_tail_that_it_shares() -> None:
    """Four words are much beside a tail of five; beside a long instruction they are what stands in its slot."""
    tail = "{} feel about this very film?"
    asked = "{} How does the reviewer feel about this very film?"
    prompts = filled(asked, 20, 1) + filled(tail, 20, 2) + strangers(100, 3)
    label = groups(mined(prompts), len(prompts))
    assert len(set(label[:20])) == 1
    assert label[0] not in {-1, *label[20:40]}
    long = "{} Say in one sentence of your own what the people in this letter would " + tail[3:]
    begun = long.format("How does the reviewer {}")
    prompts = filled(long, 20, 1) + filled(begun, 10, 2) + strangers(100, 3)
    assert len(set(groups(mined(prompts), len(prompts))[:30])) == 1


def test_small_twins_stay_apart_among_so_few_prompts() -> None:
    prompts = filled("{} How does the reviewer feel about the movie?", 8, 1)
    prompts += filled("{} How does the viewer feel about the movie?", 8, 2) + strangers(100, 3)
    label = groups(mined(prompts), len(prompts))
    assert [len(set(part)) for part in (label[:8], label[8:16])] == [1, 1]
    assert label[0] != label[8]


def test_the_smallest_twins_may_differ_in_two_words() -> None:
    prompts = filled("{}\nviewers really feel about this very film?", 5, 1)
    prompts += filled("{}\ncritics rarely feel about this very film?", 5, 2) + strangers(100, 3)
    label = groups(mined(prompts), len(prompts))
    assert [len(set(part)) for part in (label[:5], label[5:10])] == [1, 1]
    assert label[0] != label[5]


def test_a_shared_document_is_payload_not_a_family() -> None:
    """Twelve documents under three instructions, one question each: the instructions are the families."""
    rng = random.Random(8)
    documents = [payload(rng, 60) for _ in range(12)]
    prompts = [f.format(d, payload(rng, 7)) for f in ASKING for d in documents for _ in range(3)]
    prompts += strangers(40, 3)
    label = groups(mined(prompts), len(prompts))
    parts = [label[i * 36 : (i + 1) * 36] for i in range(3)]
    assert [len(set(part)) for part in parts] == [1, 1, 1]
    assert len({part[0] for part in parts}) == 3


def test_an_instruction_is_found_behind_documents_that_recur_more_often_than_it_does() -> None:
    """Ten documents, asked much under three instructions; the fourth is sent once with each and adds nothing."""
    rng = random.Random(8)
    documents = [payload(rng, 60) for _ in range(10)]
    prompts = [f"Suggest a good title for the following film plot: {document}" for document in documents]
    prompts += [f.format(d, payload(rng, 7)) for f in ASKING for d in documents for _ in range(4)]
    prompts += strangers(40, 3)
    label = groups(mined(prompts), len(prompts))
    assert len(set(label[:10])) == 1
    assert label[0] not in {-1, *label[10:]}


@pytest.mark.parametrize("passage", [80, 40])
def test_a_template_that_is_asked_the_same_questions_is_not_their_payload(passage: int) -> None:
    """The questions stand in other prompts too; the long instruction has a passage of its own in every prompt."""
    rng = random.Random(9)
    rules = (
        "Use the following pieces of context to answer the question at the end. If you don't know the answer, say so.\n"
    )
    questions = [
        "How does {} connect to all the rest of it?",
        "What does {} mean in this very context?",
        "Who is being talked about when it says {}?",
        "Can you unpack the bit with {} for me, please?",
    ]
    asked = [f"{rules}{payload(rng, passage)}\n{q.format(payload(rng, 1))}" for q in questions for _ in range(12)]
    alone = [f"{payload(rng, 40)}\n{q.format(payload(rng, 1))}" for q in questions for _ in range(40)]
    prompts = asked + alone + strangers(40, 3)
    label = groups(mined(prompts), len(prompts))
    assert len(set(label[:48])) == 1
    assert label[0] not in {-1, *label[48:]}


def test_a_document_does_not_take_the_prompts_of_an_instruction() -> None:
    """Two of its phrases recur elsewhere and make it a skeleton; it has what no instruction claims, and only that."""
    rng = random.Random(10)
    phrases = ["by the old harbour this morning", "as if nobody had ever come"]
    document = f"{payload(rng, 60)} {phrases[0]} {payload(rng, 60)} {phrases[1]} {payload(rng, 60)}"
    short = ["{}\nShort", "Shorten {}", "{}\nSo", "Point {}", "{}\nSummary"]
    frames = [
        "How would you say all that in few words? {}",
        "Boil this down to one idea for me: {}",
        "{}\nGiven the text above, write one sentence.",
        "{}\nWhat is the mood of this piece?",
        "Please give me an extremely short abstract: {}",
    ]
    prompts = [f.format(payload(rng, 30)) for f in frames for _ in range(30)]
    prompts += [f.format(document) for f in (*frames, *short)]
    prompts += [f.format(payload(rng, 30)) for f in short for _ in range(12)]
    prompts += [f.format(f"{payload(rng, 12)} {phrase} {payload(rng, 12)}") for phrase in phrases for f in frames]
    prompts += strangers(40, 3)
    label = groups(mined(prompts), len(prompts))
    assert label[150:155] == [label[30 * i] for i in range(5)]
    assert len({label[30 * i] for i in range(5)} - {-1}) == 5
    assert len(set(label[155:160])) == 1
    assert label[155] not in {-1, *label[150:155]}


def test_a_phrase_strewn_over_payloads_is_no_family() -> None:
    """It stands in a few prompts of each template and in some of strangers: theirs are not one family for it."""
    rng = random.Random(11)
    phrase = "by the old harbour this morning"
    with_it = [f"{payload(rng, 9)}\n{phrase} {payload(rng, 9)}" for _ in range(24)]
    prompts = [template.format(text) for template in (SUMMARY, REVIEW, OTHER) for text in with_it[:4]]
    prompts += [text for i, template in enumerate((SUMMARY, REVIEW, OTHER)) for text in filled(template, 50, i)]
    prompts += with_it[4:14] + strangers(40, 3)
    label = groups(mined(prompts), len(prompts))
    assert label[:12] == [label[at] for at in (12, 62, 112) for _ in range(4)]
    assert -1 not in label[:162]
    assert set(label[162:]) == {-1}


@pytest.mark.parametrize(
    ("words", "around", "families"),
    [(12, "{} {} {}", 0), (12, "{}\n{} {}", 1), (12, "{} {}\n{}", 1), (20, "{} {} {}", 1)],
    ids=["within a line", "at its start", "at its end", "long"],
)
def test_what_is_said_within_lines_is_a_turn_of_phrase_unless_it_is_long(
    words: int, around: str, families: int
) -> None:
    rng = random.Random(12)
    said = payload(rng, words)
    prompts = [around.format(payload(rng, 15), said, payload(rng, 15)) for _ in range(20)] + strangers(30, 5)
    found = mined(prompts)
    assert [family.prompt_count for family in found.families] == [20] * families


@pytest.mark.parametrize(("times", "families"), [(90, 0), (120, 1)])
def test_a_few_words_within_lines_are_an_instruction_where_many_prompts_have_them(times: int, families: int) -> None:
    rng = random.Random(13)
    prompts = [f'{payload(rng, 12)} As a result, "{payload(rng, 9)}" or "{payload(rng, 9)}"' for _ in range(times)]
    found = mined(prompts + strangers(60, 5))
    assert [family.prompt_count for family in found.families] == [times] * families


def test_a_small_template_that_begins_as_a_large_one_stands_at_its_lines_start() -> None:
    """What it shares is of the large one's class; what is left of it stands within a line and is short."""
    rng = random.Random(26)
    prompts = [f"{payload(rng)}\nHaving read that, could you name {payload(rng, 2)}" for _ in range(12)]
    prompts += [f"{payload(rng)}\nHaving read that, find every number and list it in a table." for _ in range(100)]
    prompts += strangers(400, 3)
    label = groups(mined(prompts), len(prompts))
    assert [len(set(part)) for part in (label[:12], label[12:112])] == [1, 1]
    assert len({label[0], label[12], -1}) == 3


def test_what_recurs_in_the_payload_of_several_templates_is_no_family() -> None:
    """A notice at no end of its prompts, in a few prompts of each template: heavier than they are, and small itself."""
    rng = random.Random(21)
    notice = payload(rng, 24)
    frames = ["Sum up what happened here:\n{}", "{}\nWhat is the mood of it?", "Give it a short title\n\n{}\n\nTitle:"]
    prompts = [
        frame.format(f"{payload(rng, 20)} {notice} {payload(rng, 20)}" if i % 12 == 0 else payload(rng, 60))
        for frame in frames
        for i in range(60)
    ]
    label = groups(mined(prompts + strangers(40, 3)), 220)
    assert [len(set(label[at : at + 60])) for at in (0, 60, 120)] == [1, 1, 1]
    assert len({label[0], label[60], label[120], -1}) == 4


def test_templates_that_share_an_ending_out_among_them_stay_apart() -> None:
    """Each is a small part of what ends like this, as recurring payload would be, but in other text each time."""
    asked = [
        "Can we infer somehow that", "Does this mean in fact", "Is it then guaranteed so",
        "Should a reader now assume", "Must here always follow hence", "Are you right to think",
        "Would most people still expect", "Do these words make likely",
    ]  # fmt: skip
    prompts = []
    for i, words in enumerate(asked):
        rng = random.Random(i)
        prompts += [f'{payload(rng, 12)} {words} "{payload(rng, 8)}"? Yes, no, or maybe?' for _ in range(30)]
    label = groups(mined(prompts + strangers(40, 3)), 280)
    assert [len(set(label[at : at + 30])) for at in range(0, 240, 30)] == [1] * 8
    assert len({*label[:240], -1}) == 9


def test_documents_under_two_instructions_and_bare_are_payload() -> None:
    """Too few instructions for each document to be told by them; that each stands over all documents tells it."""
    rng = random.Random(8)
    frames = [(ASKING[0], 3), (ASKING[2], 3), ("{}\n{}", 2)]
    documents = [payload(rng, 60) for _ in range(12)]
    prompts = [f.format(d, payload(rng, 7)) for f, times in frames for d in documents for _ in range(times)]
    prompts += strangers(40, 3)
    label = groups(mined(prompts), len(prompts))
    assert [len(set(label[at : at + 36])) for at in (0, 36)] == [1, 1]
    assert len({label[0], label[36], -1}) == 3


def test_two_words_and_a_colon_are_found_where_many_prompts_have_them() -> None:
    rng = random.Random(13)
    prompts = [f"{payload(rng)}\nAnswer choices:\n{payload(rng)}" for _ in range(60)] + strangers(40, 3)
    label = groups(mined(prompts), len(prompts))
    assert len(set(label[:60])) == 1
    assert label[0] >= 0
    assert set(label[60:]) == {-1}


def test_one_word_and_a_colon_are_found_where_all_of_many_texts_begin_with_them() -> None:
    prompts = filled("Summarise: {}", 40, 1) + strangers(40, 3)
    label = groups(mined(prompts), len(prompts))
    assert len(set(label[:40])) == 1
    assert label[0] >= 0
    assert set(label[40:]) == {-1}


@pytest.mark.parametrize(
    ("text", "family"),
    [("You have to {}", False), ("You have to do {}", True), ("You have to: {}", True), ("{}\nYou have to {}", False)],
)
def test_three_words_that_sentences_begin_with_are_no_family(text: str, family: bool) -> None:
    """Nor would any number of prompts make them one; a word more or a mark after them does."""
    rng = random.Random(24)
    prompts = [text.format(payload(rng), payload(rng)) for _ in range(120)] + strangers(40, 3)
    label = groups(mined(prompts), len(prompts))
    assert {number >= 0 for number in label[:120]} == {family}


def test_names_of_fields_are_found_together() -> None:
    """Neither "Q:" nor "A:" says enough by itself, and each stands in other forms too."""
    rng = random.Random(15)
    prompts = [f"Q: {payload(rng)}\n\nA:" for _ in range(40)]
    prompts += [f"Help a pupil with the exercise below and be kind.\nQ: {payload(rng)}\n\nA:" for _ in range(40)]
    prompts += [f"Q: {payload(rng)}\nWrite the reply of a careful doctor to that." for _ in range(40)] + strangers(
        40, 3
    )
    label = groups(mined(prompts), len(prompts))
    parts = [set(label[at : at + 40]) for at in (0, 40, 80)]
    assert [len(part) for part in parts] == [1, 1, 1]
    assert len(set.union(*parts) - {-1}) == 3


def test_a_form_with_one_more_field_is_a_family_of_its_own() -> None:
    """As many have it as have not; where some have one name and some another, they are values of a slot."""
    rng = random.Random(19)
    asked = "Please give an answer to this question: {}"
    plain = [f"{payload(rng)}\n\n{asked.format(payload(rng))}" for _ in range(40)]
    hinted = [f"Background: {payload(rng)}\n\n{asked.format(payload(rng))}" for _ in range(40)]
    prompts = plain + hinted + strangers(40, 3)
    label = groups(mined(prompts), len(prompts))
    assert [len(set(part)) for part in (label[:40], label[40:80])] == [1, 1]
    assert len({label[0], label[40], -1}) == 3
    either = [f"Paragraph: {text}" for text in plain]
    prompts = either + hinted + plain + strangers(40, 3)
    assert len(set(groups(mined(prompts), len(prompts))[:120])) == 1


def test_a_field_that_other_forms_have_too_tells_two_forms_apart() -> None:
    rng = random.Random(20)
    asked = "Answer what a pupil asks about this:\n{}\n\nQ: {}\n\n"
    prompts = [asked.format(payload(rng), payload(rng)) + "A:" for _ in range(40)]
    prompts += [asked.format(payload(rng), payload(rng)) + f"Choices: {payload(rng)}\n\nA:" for _ in range(30)]
    prompts += [f"Pick one for me.\nQ: {payload(rng)}\n\nChoices: {payload(rng)}\n\nA:" for _ in range(60)]
    prompts += strangers(40, 3)
    label = groups(mined(prompts), len(prompts))
    parts = [set(label[a:b]) for a, b in ((0, 40), (40, 70), (70, 130))]
    assert [len(part) for part in parts] == [1, 1, 1]
    assert len(set.union(*parts) - {-1}) == 3


@pytest.mark.parametrize(("turned", "apart"), [(10, True), (3, False)])
def test_many_prompts_with_the_fields_in_another_order_are_a_family_of_their_own(turned: int, apart: bool) -> None:
    """A few are not: they are no family by themselves."""
    rng = random.Random(21)
    asked = "Use what the paragraph says to answer the question.\n\n"
    prompts = [f"{asked}Paragraph: {payload(rng)}\n\nQuestion: {payload(rng)}" for _ in range(40)]
    prompts += [f"{asked}Question: {payload(rng)}\n\nParagraph: {payload(rng)}" for _ in range(turned)]
    label = groups(mined(prompts + strangers(40, 3)), 80 + turned)
    parts = [set(label[:40]), set(label[40 : 40 + turned])]
    assert [len(part) for part in parts] == [1, 1]
    assert -1 not in set.union(*parts)
    assert (parts[0] != parts[1]) == apart


def test_choices_that_are_listed_in_another_way_are_a_form_of_their_own() -> None:
    """By letters or by bullets; steps of this or that number in some prompts are payload."""
    rng = random.Random(25)
    asked = "{}\n\nPick the answer that fits what is said above.\n{}"

    def listed(*marks: str) -> str:
        return "\n".join(f"{mark} {payload(rng, 4)}" for mark in marks)

    prompts = [asked.format(payload(rng), listed("A.", "B.", "C.")) for _ in range(40)]
    prompts += [asked.format(payload(rng), listed("-", "-", "-")) for _ in range(40)] + strangers(40, 3)
    label = groups(mined(prompts), len(prompts))
    assert [len(set(part)) for part in (label[:40], label[40:80])] == [1, 1]
    assert len({label[0], label[40], -1}) == 3
    steps = [[f"{step}." for step in range(1, rng.randint(2, 9))] for _ in range(40)]
    prompts = [asked.format(payload(rng), listed(*some)) for some in steps]
    prompts += [asked.format(payload(rng), payload(rng)) for _ in range(40)] + strangers(40, 3)
    assert len(set(groups(mined(prompts), len(prompts))[:80])) == 1


def test_names_of_which_each_prompt_has_another_or_none_are_payload() -> None:
    rng = random.Random(22)
    asked = "Read the conversation below and say who is right.\n\n{}{}"
    prompts = [asked.format(who, payload(rng)) for who, n in (("", 30), ("W: ", 30), ("M: ", 30)) for _ in range(n)]
    label = groups(mined(prompts + strangers(40, 3)), 130)
    assert len(set(label[:90])) == 1
    assert label[0] >= 0


def test_who_speaks_in_the_payload_is_no_name_of_a_field() -> None:
    """Most conversations are of the same two; the instruction is that of the others as well."""
    rng = random.Random(16)

    def talk(*names: str) -> str:
        return "\n".join(f"{name}: {payload(rng, 5)}" for name in names * 3)

    asked = "{}\n\nWhat was said before?"
    prompts = [asked.format(talk("Ann", "Ben")) for _ in range(34)]
    prompts += [asked.format(talk(rng.choice(WORDS), rng.choice(WORDS))) for _ in range(6)] + strangers(40, 3)
    label = groups(mined(prompts), len(prompts))
    assert len(set(label[:40])) == 1
    assert label[0] >= 0


def test_a_family_of_five_lives_though_one_has_something_heavier_in_its_payload() -> None:
    rng = random.Random(17)
    boiler = "class of all things holds an entry point that prints hello to the whole wide world and returns zero"
    prompts = [f"Find a fitting title for this: {payload(rng)}" for _ in range(4)]
    prompts += [f"Find a fitting title for this: {payload(rng, 5)} {boiler} {payload(rng, 5)}"]
    prompts += [f"{payload(rng, 5)} {boiler} {payload(rng, 5)}" for _ in range(20)] + strangers(40, 3)
    label = groups(mined(prompts), len(prompts))
    assert len(set(label[:4])) == 1
    assert label[0] not in {-1, *label[5:25]}


def test_two_words_that_payloads_begin_with_make_no_payload_of_a_wrapper() -> None:
    """As instructions do they stand in more prompts than the wrapper, and one or another in nearly all of its own."""
    rng = random.Random(14)
    wrapper = "You check the spelling of letters for the harbour office and give the text back as it should be:\n{}"
    begun = [f"{word} {thing}:\n{{}}" for word in ("My", "Our", "This") for thing in ("letter", "essay", "notice")]
    prompts = [wrapper.format(text.format(payload(rng, 6))) for text in begun for _ in range(4)]
    prompts += [text.format(payload(rng, 20)) for text in begun for _ in range(40)] + strangers(40, 3)
    label = groups(mined(prompts), len(prompts))
    assert len(set(label[:36])) == 1
    assert label[0] not in {-1, *label[36:]}


def test_marks_beside_a_slot_do_not_take_a_text_from_what_payloads_begin_with() -> None:
    """All prompts end the first slot with one mark or another, so none is left to the text without; it stays."""
    rng = random.Random(23)
    asked = "I heard that {}{}\n\nAnd I was wondering {}{}"
    prompts = [
        asked.format(payload(rng), mark, begun, payload(rng))
        for mark, begun, n in ((".", "", 44), ("..", "", 40), (".", "whether ", 8), ("..", "whether ", 8))
        for _ in range(n)
    ]
    label = groups(mined(prompts + strangers(40, 3)), 140)
    assert len(set(label[:100])) == 1
    assert label[0] >= 0


def test_an_optional_ending_does_not_draw_prompts_without_it() -> None:
    """They hold four fifths of the longer text, which is more than all of their own; what they lack counts too."""
    rng = random.Random(12)
    asked = "{} .\nIs that a fair paraphrase of the following sentence?\n{} ."
    prompts = [asked.format(payload(rng), payload(rng)) for _ in range(40)]
    prompts += [asked.format(payload(rng), payload(rng)) + "\nYes or no." for _ in range(15)]
    prompts += strangers(40, 3)
    label = groups(mined(prompts), len(prompts))
    assert [len(set(part)) for part in (label[:40], label[40:55])] == [1, 1]
    assert len({label[0], label[40], -1}) == 3


def test_the_first_word_of_many_payloads_is_payload() -> None:
    prompts = filled("Summarize this document: {}", 40, 1) + filled("Summarize this document: The {}", 15, 2)
    label = groups(mined(prompts + strangers(40, 3)), 95)
    assert len(set(label[:55])) == 1
    assert label[0] >= 0


def test_a_few_first_words_that_share_a_parent_out_among_them_are_payload() -> None:
    """None has half of the prompts and some have another: no wordings, but what the payloads begin with."""
    begun = "Read the conversation below and say who is right.\n\n{}: {{}}"
    speakers = (("W", 24), ("M", 22), ("Anna", 2), ("Kim", 2))
    prompts = [text for i, (who, n) in enumerate(speakers) for text in filled(begun.format(who), n, i)]
    label = groups(mined(prompts + strangers(40, 3)), 90)
    assert len(set(label[:50])) == 1
    assert label[0] >= 0


def test_what_several_accounts_copy_is_a_family_inside_one_that_says_nothing() -> None:
    prompts = [f"How do you {payload(random.Random(i), 2)} a boat?" for i in range(30)]
    senders = [[i] for i in range(30)]
    senders[7] = [7, 40, 41]
    found = mined(prompts + strangers(20, 3), senders + [[50 + i] for i in range(20)])
    kinds = {family.kind: (family.template, family.account_count) for family in found.families}
    assert kinds["exact"] == (prompts[7], 3)
    assert kinds["template"][1] == 29
    senders[7] = [7, 40]
    assert [f.kind for f in mined(prompts + strangers(20, 3), senders + [[50 + i] for i in range(20)]).families] == [
        "template"
    ]


def test_a_family_that_says_nothing_and_is_copied_throughout_leaves_its_copies() -> None:
    prompts = [f"Please tell me about {payload(random.Random(i), 6)}" for i in range(12)]
    senders = [[3 * i, 3 * i + 1, 3 * i + 2] for i in range(12)]
    found = mined(prompts + strangers(20, 3), senders + [[50 + i] for i in range(20)])
    assert [family.kind for family in found.families] == ["exact"] * 12
    assert sorted(family.template for family in found.families) == sorted(prompts)


def test_exact_copies_of_several_accounts_are_a_family_and_lone_prompts_are_not() -> None:
    prompts = ["How long does it take to sail from the old harbour to the lighthouse in March?", *strangers(20, 3)]
    found = mined(prompts, [[1, 2, 3], *([[10 + i] for i in range(20)])])
    assert [(f.kind, f.account_count, f.event_count) for f in found.families] == [("exact", 3, 3)]
    assert found.families[0].template == prompts[0]
    assert found.members.prompt_no.tolist() == [0]


def test_prompts_that_differ_in_little_are_near_duplicates() -> None:
    essay = "Compare the two heroes of the play, say who is the tragic one, and use {} quotations from act {}."
    prompts = [essay.format(*pair) for pair in (("two", "one"), ("three", "one"), ("four", "five"))] + strangers(20, 3)
    found = mined(prompts)
    assert [f.kind for f in found.families] == ["near-duplicate"]
    assert found.members.prompt_no.tolist() == [0, 1, 2]


def test_evasion_does_not_leave_the_family() -> None:
    rng = random.Random(5)
    plain = filled(SUMMARY, 20, 1)
    typed = SUMMARY.replace("report", "reprot").replace("manager", "manger")
    shouted = SUMMARY.upper().format("{}")
    cyrillic = SUMMARY.replace("o", "о").replace("e", "е").replace("a", "а")
    padded = payload(rng, 20) + "\n\n" + SUMMARY + "\n\n" + payload(rng, 15)
    hidden = "".join(c + "​" if c.isalpha() else c for c in SUMMARY)
    evasive = [t.format(payload(rng)) for t in (typed, shouted, cyrillic, padded, hidden) for _ in range(2)]
    prompts = plain + evasive + strangers(30, 3)
    label = groups(mined(prompts), len(prompts))
    assert set(label[:30]) == {label[0]}
    assert label[0] >= 0
    assert set(label[30:]) == {-1}


def test_equal_fillings_have_equal_hashes_and_no_filling_has_none() -> None:
    rng = random.Random(5)
    same = payload(rng)
    prompts = [*filled(SUMMARY, 10, 1), SUMMARY.format(same), SUMMARY.upper().format(same.upper()), SUMMARY.format("")]
    found = mined(prompts + strangers(30, 3))
    filling = dict(zip(found.members.prompt_no.tolist(), found.members.filling.tolist(), strict=True))
    assert filling[10] == filling[11]
    assert filling[12] == 0
    assert len({filling[i] for i in range(11)}) == 11


def test_commonplace_text_is_a_family_marked_as_such_and_swallows_nothing() -> None:
    rng = random.Random(2)
    light: list[str | tuple[str, str]] = [("You are a helpful assistant.", payload(rng, 14)) for _ in range(40)]
    heavy: list[str | tuple[str, str]] = [("You are a helpful assistant.", text) for text in filled(SUMMARY, 10, 7)]
    senders = [[i] for i in range(40)] + [[50 + i % 3] for i in range(10)] + [[100 + i] for i in range(30)]
    found = mined([*light, *heavy, *strangers(30, 3)], senders)
    label = groups(found, 80)
    assert label[0] != label[45]
    assert label[0] >= 0
    assert found.families[label[0]].commonplace >= 0.5
    assert found.families[label[45]].commonplace < 0.3


def test_previous_ids_go_on() -> None:
    prompts = filled(SUMMARY, 15, 1) + strangers(30, 3)
    before = mined(prompts)
    named = replace(before, families=tuple(replace(f, family_id="f_old") for f in before.families),
                    skeletons=tuple(replace(s, family_id="f_old") for s in before.skeletons))  # fmt: skip
    after = mined(prompts + filled(SUMMARY, 5, 11), previous=named)
    assert [f.family_id for f in after.families] == ["f_old"]


def test_long_prompts_are_cut_and_counted() -> None:
    prompts = [*filled(SUMMARY, 6, 1), payload(random.Random(1), 3_000)]
    found = mined(prompts, options=MineOptions(max_tokens=1_000))
    assert found.cuts["tokens_of_long_prompts"] == 2_000
    several = [*filled(SUMMARY, 6, 1), *(payload(random.Random(seed), 3_000) for seed in range(60))]
    parts = mined(several, options=MineOptions(max_tokens=1_000, max_prompts=20))
    assert parts.cuts["tokens_of_long_prompts"] == 60 * 2_000  # each once, however often it is read


def test_texts_with_more_names_of_fields_than_are_read_are_counted() -> None:
    names = [f"{name}: {name}" for name in WORDS]
    listed = ["\n".join(names[i : i + MOST_NAMES]) for i in (0, 5)]
    assert "texts_of_many_names" not in mined(listed).cuts
    assert mined([*listed, "\n".join(names[: MOST_NAMES + 1])]).cuts["texts_of_many_names"] == 1


def test_what_is_not_in_the_sample_is_assigned_and_what_is_left_is_mined_again() -> None:
    prompts = filled(SUMMARY, 60, 1) + filled(REVIEW, 60, 2) + filled(OTHER, 6, 5) + strangers(74, 3)
    whole = groups(mined(prompts), 200)
    found = mined(prompts, options=MineOptions(max_prompts=90))
    sampled = groups(found, 200)
    assert sampled[:120] == [sampled[0]] * 60 + [sampled[60]] * 60
    assert len({sampled[0], sampled[60], -1}) == 3
    assert [(f.template, f.prompt_count) for f in found.families if f.prompt_count == 60] == [
        (f.template, f.prompt_count) for f in mined(prompts).families if f.prompt_count == 60
    ]
    assert len(set(whole[120:126])) == len(set(sampled[120:126])) == 1
    assert set(sampled[126:]) == {-1}


@pytest.mark.parametrize("seed", range(6))
def test_a_family_too_small_for_the_sample_is_found_in_a_part_and_gathered_from_all(seed: int) -> None:
    """Of 400 prompts 50 are mined at a time: of a family of 60 about seven, now four, now a dozen."""
    prompts = filled(SUMMARY, 60, seed) + strangers(340, seed)
    found = mined(prompts, options=MineOptions(max_prompts=50))
    assert [(f.template, f.prompt_count) for f in found.families] == [(SUMMARY.format("{1}"), 60)]
    assert groups(found, 400) == [0] * 60 + [-1] * 340


@pytest.mark.parametrize("seed", [0, 1, 4])
def test_a_small_sibling_of_a_large_text_is_found_though_the_sample_does_not_show_it(seed: int) -> None:
    """The sample has fewer than five of its 20 prompts, which stand in line with most of the large text."""
    begun = "You are a patient editor of travel guides who mends the spelling of a text and keeps its tone."
    large, small = (
        f"{begun} {more}\n{{}}"
        for more in (
            "Say at the end which words were wrong and why.",
            "Then list every name of a place, one on a line.",
        )
    )
    prompts = filled(large, 300, seed) + filled(small, 20, seed + 50) + strangers(80, seed)
    found = mined(prompts, options=MineOptions(max_prompts=80))
    assert 0 < found.cuts["assigned_prompts_not_mined"] < 320
    assert sorted((f.prompt_count, f.template) for f in found.families) == [
        (20, small.format("{1}")),
        (300, large.format("{1}")),
    ]


def test_new_prompts_are_assigned_to_known_skeletons() -> None:
    found = mined(filled(SUMMARY, 15, 1) + filled(REVIEW, 15, 2) + strangers(30, 3))
    index = SkeletonIndex(found.skeletons)
    rng = random.Random(77)
    typed = SUMMARY.replace("report", "reprot").replace("busy", "bsuy")
    texts = [("", SUMMARY.format(payload(rng))), ("", typed.format(payload(rng))), (REVIEW.format(""), payload(rng))]
    matches = index.assign([*texts, ("", payload(rng, 30))])
    names = [index.skeletons[i].text if i >= 0 else None for i in matches.skeleton.tolist()]
    assert names == [SUMMARY.format("{1}"), SUMMARY.format("{1}"), REVIEW.format("{1}"), None]
    assert matches.aligned.tolist() == [False, True, False, False]
    assert matches.share[0] == 1.0
    assert SkeletonIndex(()).assign(texts).skeleton.tolist() == [-1, -1, -1]
