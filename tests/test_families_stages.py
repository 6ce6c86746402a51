"""Each stage of mining against a plain method that does the same slowly, and the rules that a stage adds."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import fields, replace
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptsim import lookahead
from promptsim.families.atoms import Classes, classes, largest, only
from promptsim.families.chance import least_weight
from promptsim.families.commonplace import commonplace
from promptsim.families.consensus import cores
from promptsim.families.corpus import Corpus, read
from promptsim.families.everyone import below, parts_of, sample_share
from promptsim.families.fixed import distinct_weight
from promptsim.families.hierarchy import parents, standing
from promptsim.families.neighbours import in_order, near_duplicates, room_for
from promptsim.families.options import MineOptions
from promptsim.families.pairs import Pairs, affordable, meetings, pairs
from promptsim.families.postings import assign, assign_known, build
from promptsim.families.repair import repair
from promptsim.families.repeats import Repeats, drop, repeats
from promptsim.families.shingles import COLON
from promptsim.families.skeletons import Closures
from promptsim.families.support import distinct_residuals
from promptsim.records import DocumentBatch
from promptsim.text.tokens import tokenise

ALPHABET = "alder beech cedar date elder fig gum hazel".split()  # noqa: SIM905
texts_of_few_words = st.lists(st.lists(st.sampled_from(ALPHABET), max_size=12).map(" ".join), min_size=1, max_size=12)


def corpus_of(users: list[str], systems: list[str] | None = None, limit: int = 20_000) -> Corpus:
    batch = DocumentBatch(np.arange(len(users), dtype=np.int64), tuple(systems or [""] * len(users)), tuple(users))
    return read(lambda: iter([batch]), limit)


def plain_shingles(corpus: Corpus, prompt: int, k: int, anchored: int) -> set[tuple[int, ...]]:
    """Kind and token hashes of every shingle of a prompt, by definition."""
    found = set()
    for part in (2 * prompt, 2 * prompt + 1):
        lo, hi = corpus.bounds[part], corpus.bounds[part + 1]
        tokens, flags = corpus.tokens[lo:hi].tolist(), corpus.flags[lo:hi].tolist()
        for i in range(len(tokens)):
            if i + k <= len(tokens):
                found.add((0, *tokens[i : i + k]))
            if flags[i] & 1 and i + anchored <= len(tokens):
                found.add((1, *tokens[i : i + anchored]))
            if flags[i] & 2 and i + 1 >= anchored:
                found.add((2, *tokens[i + 1 - anchored : i + 1]))
    return found


# ------------------------------------------------------------------ corpus
def test_line_ends_and_markup_are_no_tokens_but_lines_are_known() -> None:
    corpus = corpus_of(["**one** two\n\n- three, four"], ["five"])
    assert np.diff(corpus.bounds).tolist() == [1, 5]
    assert (corpus.flags & 3).tolist() == [3, 1, 2, 1, 0, 2]
    assert (corpus.flags & 4).tolist() == [0, 0, 0, 0, 4, 0]


def test_prompts_are_ordered_by_content_alone() -> None:
    texts = [f"text number {i} of many" for i in range(20)]
    one = corpus_of(texts)
    two = corpus_of(texts[::-1])
    assert one.digest.tolist() == sorted(one.digest.tolist()) == two.digest.tolist()
    assert np.array_equal(one.tokens, two.tokens)
    assert one.prompt_no.tolist() == [19 - i for i in two.prompt_no.tolist()]


def test_system_and_user_text_are_told_apart_in_the_digest() -> None:
    assert corpus_of(["b"], ["a"]).digest[0] != corpus_of(["ab"]).digest[0]


def test_a_long_prompt_keeps_its_start_and_its_end() -> None:
    words = [f"w{chr(97 + i // 26)}{chr(97 + i % 26)}x" for i in range(200)]
    corpus = corpus_of([" ".join(words)], limit=40)
    whole = corpus_of([" ".join(words)])
    assert corpus.cut_tokens == 160
    assert corpus.tokens.tolist() == [*whole.tokens[:30].tolist(), *whole.tokens[-10:].tolist()]


# ------------------------------------------------------------------ shingles
@given(texts_of_few_words, st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_repeats_are_the_shingles_that_stand_in_enough_prompts(texts: list[str], support: int) -> None:
    corpus = corpus_of(texts)
    found = repeats(corpus, 4, 2, support)
    holders = defaultdict(set)
    for prompt in range(len(corpus)):
        for shingle in plain_shingles(corpus, prompt, 4, 2):
            holders[shingle].add(prompt)
    wanted = sorted(tuple(sorted(some)) for some in holders.values() if len(some) >= support)
    got = [tuple(found.posting[a:b].tolist()) for a, b in zip(found.of_shingle[:-1], found.of_shingle[1:], strict=True)]
    assert sorted(got) == wanted
    for s, posting in enumerate(got):
        owners = np.repeat(np.arange(len(corpus)), np.diff(found.of_prompt))[found.shingle == s]
        assert tuple(np.unique(owners).tolist()) == posting


def test_dropping_shingles_leaves_the_others_as_they_were() -> None:
    corpus = corpus_of(["alder beech cedar date elder", "alder beech cedar date fig", "gum hazel gum hazel"] * 2)
    found = repeats(corpus, 3, 2, 2)
    keep = np.arange(len(found.hashes)) % 2 == 0
    less = drop(found, keep)
    assert np.array_equal(less.hashes, found.hashes[keep])
    assert np.array_equal(less.df(), found.df()[keep])
    assert len(less.shingle) == keep[found.shingle].sum()


def test_weight_counts_each_fixed_token_once_and_punctuation_half() -> None:
    tokens = np.array([5, 6, 5, 7, 8, 8], np.uint64)
    flags = np.array([0, 4, 0, 0, 4, 4], np.uint8)
    assert distinct_weight(tokens, flags, np.array([1, 1, 1, 0, 1, 1], np.uint8)) == 2.0  # 5, and two marks


# ------------------------------------------------------------------ support
def test_an_instruction_has_many_surroundings_and_a_shared_document_few() -> None:
    rng = random.Random(3)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(rng.choice(letters) for _ in range(7)) for _ in range(3000)]
    document = " ".join(words[:40])
    asked = ["who wrote this down", "where does it all happen", "when was it printed"]
    fixed = "please answer the question about the text\n"
    prompts = [f"{fixed}{' '.join(rng.sample(words[40:], 40))}\n{' '.join(rng.sample(words, 6))}" for _ in range(30)]
    prompts += [f"{fixed}{document}\n{q}" for q in asked]
    corpus = corpus_of(prompts)
    found = repeats(corpus, 5, 3, 3)
    distinct = distinct_residuals(corpus, found, 5, 3)
    instruction = distinct[found.df() >= 30]
    of_document = distinct[found.df() == 3]
    assert instruction.min() >= 30
    assert of_document.max() <= 3


# ------------------------------------------------------------------ classes
def test_shingles_of_the_same_prompts_are_one_class_and_others_are_not() -> None:
    one, two = "the quick brown fox jumps over a lazy dog", "pack my box with five dozen liquor jugs now"
    filler = [f"{a}{b} {b}{a} {a}{a}{b}" for a, b in combinations("qwertyuiop", 2)]
    prompts = [f"{one}\n{filler[i]} x{i}" for i in range(10)] + [f"{two}\n{filler[20 + i]} y{i}" for i in range(9)]
    prompts += [f"{one}\n{two}\n{filler[40]} z"]
    corpus = corpus_of(prompts)
    found = repeats(corpus, 5, 3, 5)
    every = np.ones(len(found.hashes), np.bool_)
    grouped = classes(found, every, np.full(len(found.hashes), 9, np.int32), corpus.digest, 0.8, 0.7)
    assert len(grouped) == 2
    assert sorted(grouped.prompts().tolist()) == [10, 11]
    assert np.bincount(np.diff(grouped.of_prompt)).tolist() == [0, 19, 1]


def held_by(rows: list[list[int]], n: int) -> Classes:
    of = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    empty = np.zeros(n, np.int32)
    return Classes(empty, empty, empty, np.array([c for row in rows for c in row], np.int32), of)


def rows_of_classes(grouped: Classes) -> list[list[int]]:
    return [grouped.held[a:b].tolist() for a, b in pairwise(grouped.of_prompt.tolist())]


def test_classes_that_are_kept_are_renumbered_in_every_prompt() -> None:
    grouped = replace(held_by([[0, 1, 3], [2], [], [3, 2]], 4), of_shingle=np.array([3, -1, 1, 0], np.int32))
    kept = only(grouped, np.array([True, False, False, True]))
    assert rows_of_classes(kept) == [[0, 1], [], [], [1]]
    assert kept.of_shingle.tolist() == [1, -1, -1, 0]
    assert len(kept) == 2
    assert only(grouped, np.ones(4, np.bool_)) is grouped


def test_of_too_many_classes_the_first_of_each_prompt_stay_and_the_others_are_counted() -> None:
    grouped, cut = largest(held_by([[4, 0, 1, 3], [2], [], [3, 2, 1]], 5), 2)
    assert rows_of_classes(grouped) == [[4, 0], [2], [], [3, 2]]
    assert cut == 3
    assert largest(grouped, 2) == (grouped, 0)


def counted(met: Pairs) -> dict[tuple[int, int], int]:
    return dict(zip(zip(met.one.tolist(), met.other.tolist(), strict=True), met.count.tolist(), strict=True))


@given(st.lists(st.lists(st.integers(0, 8), unique=True, max_size=6), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_pairs_count_the_prompts_in_which_two_classes_meet(rows: list[list[int]]) -> None:
    wanted: dict[tuple[int, int], int] = defaultdict(int)
    for row in rows:
        for a, b in combinations(row, 2):
            wanted[a, b] += 1
            wanted[b, a] += 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lookahead, "LEAST", 5)  # pieces of work that a thread is worth: several come into play
        both, low = pairs(held_by(rows, 9), 10**6), meetings(held_by(rows, 9), 10**6)
    assert counted(both) == wanted
    assert counted(low) == {(a, b): n for (a, b), n in wanted.items() if a < b}
    for met in (both, low):
        keys = list(zip(met.one.tolist(), met.other.tolist(), strict=True))
        assert keys == sorted(keys)
        assert met.cut == 0


@given(st.lists(st.integers(0, 20), min_size=1, max_size=40), st.integers(1, 2000))
@settings(max_examples=60, deadline=None)
def test_the_cap_on_classes_keeps_meetings_within_the_budget(held: list[int], most: int) -> None:
    cap = affordable(np.array(held, np.int64), most)
    met = sum(min(h, cap) * (min(h, cap) - 1) // 2 for h in held)
    assert met <= most or cap == 2
    higher = sum(min(h, cap + 1) * min(h, cap) // 2 for h in held)
    assert higher > most or cap >= max(held)


# ------------------------------------------------------------------ evidence
def test_a_short_fixed_text_must_recur_often_to_stand() -> None:
    prompts, anchored = np.array([5, 10, 30, 1000]), np.ones(4, np.bool_)
    for among in (10**6, 10**8):
        assert least_weight(prompts, anchored, among, MineOptions()).tolist() == pytest.approx([8.0, 5.0, 3.0, 2.5])
    assert least_weight(prompts, anchored, 10**3, MineOptions()).tolist() == pytest.approx([4.0, 2.5, 2.5, 2.5])
    assert least_weight(prompts, ~anchored, 10**6, MineOptions()).tolist() == [16.0, 16.0, 16.0, 2.5]
    assert least_weight(prompts, ~anchored, 10**6 + 1, MineOptions()).tolist() == [16.0] * 4


def test_commonplace_is_what_is_short_and_sent_a_little_by_everyone() -> None:
    assert commonplace(5, 100, 100) > 0.7
    assert commonplace(5, 100, 4) < 0.2
    assert commonplace(40, 100, 100) == 0
    assert commonplace(5, 100, 1) == 0


# ------------------------------------------------------------------ consensus and assignment
def test_the_consensus_is_what_most_members_hold_and_members_match_it() -> None:
    fixed = "sort the list below by length and print it twice"
    corpus = corpus_of([f"{fixed}\nq{i}w e{i}r t{i}y" for i in range(10)] + [f"nothing of it n{i}" for i in range(5)])
    found = repeats(corpus, 5, 3, 5)
    label = np.where(np.diff(corpus.bounds)[1::2] > 8, 0, -1).astype(np.int32)
    fixed_part = cores(corpus, found, np.ones(len(found.hashes), np.bool_), label, 1, 0.8, 5, 3)
    assert fixed_part.tokens.tolist() == [10.0]
    assert len(fixed_part.text) == 10
    seen = assign(build(fixed_part), corpus.tokens, corpus.flags, corpus.bounds, 5, 3, 0.8)
    assert np.array_equal(seen.best, label)
    assert seen.share[label >= 0].tolist() == [1.0] * 10


def test_of_two_skeletons_that_explain_as_much_the_one_that_is_held_in_full_is_it() -> None:
    asked = "sort the list below by length and print it twice"
    ended = [f"{asked}\nq{i}w e{i}r t{i}y\nyes or no" for i in range(8)]
    corpus = corpus_of([*ended, *(f"{asked}\nq{i}w e{i}r t{i}y" for i in range(8))])
    label = (corpus.prompt_no >= 8).astype(np.int32)
    found = repeats(corpus, 5, 3, 5)
    fixed = cores(corpus, found, np.ones(len(found.hashes), np.bool_), label, 2, 0.8, 5, 3)
    even = replace(fixed, tokens=np.array([12, 9], np.float32))  # 12 less an eighth that is missing counts 9
    seen = assign(build(even), corpus.tokens, corpus.flags, corpus.bounds, 5, 3, 0.8)
    assert np.array_equal(seen.best, label)


def test_alignment_takes_no_prompt_from_a_skeleton_that_explains_it_better() -> None:
    """Half of a long text is more than a short text, but the other half is missing; of no text, half is enough."""
    more = "how you did all of that in the end"
    long = f"sort the list below by length, then print it twice and say in a few words {more}"
    half = "print the list below by length, then print it twice and say in a few words"
    short = "please do"
    texts = [f"{long}\nq{i}w e{i}r t{i}y" for i in range(10)]
    texts += [f"{short} print the list below by length now\nq{i}w e{i}r t{i}y" for i in range(10)]
    corpus = corpus_of([*texts, f"{half}\nq1w e2r t3y", f"{short} {half}\nq1w e2r t3y"])
    at = {int(number): row for row, number in enumerate(corpus.prompt_no)}
    label = np.array([-1 if n >= 20 else n // 10 for n in corpus.prompt_no], np.int32)
    found = repeats(corpus, 5, 3, 5)
    fixed = cores(corpus, found, np.ones(len(found.hashes), np.bool_), label, 2, 0.8, 5, 3)
    seen = assign(build(fixed), corpus.tokens, corpus.flags, corpus.bounds, 5, 3, 0.8)
    label[at[21]] = 1
    repaired, which = repair(corpus, fixed, seen, label, np.ones(2, np.bool_), MineOptions())
    assert seen.nearest[[at[20], at[21]]].tolist() == [0, 0]
    assert [repaired[at[n]] for n in (0, 10, 20, 21)] == [0, 1, 0, 1]
    assert corpus.prompt_no[which].tolist() == [20]


def test_prompts_are_assigned_by_their_known_shingles_as_by_their_tokens() -> None:
    rng = random.Random(5)
    frames = ["translate the following text into french please:", "please sum up what follows in one short sentence:"]
    texts = [f"{rng.choice(frames)} {' '.join(rng.choices(ALPHABET, k=9))}" for _ in range(60)]
    corpus = corpus_of(texts)
    found = repeats(corpus, 5, 3, 5)
    label = np.array([int("sum up" in texts[number]) for number in corpus.prompt_no], np.int32)
    postings = build(cores(corpus, found, np.ones(len(found.hashes), np.bool_), label, 2, 0.8, 5, 3))
    one = assign(postings, corpus.tokens, corpus.flags, corpus.bounds, 5, 3, 0.8)
    other = assign_known(postings, found, 0.8)
    assert one.best.tolist() == label.tolist()
    for field in fields(one):
        assert getattr(one, field.name).tolist() == getattr(other, field.name).tolist()


# ------------------------------------------------------------------ near-duplicates
@given(st.lists(st.integers(0, 9), max_size=150), st.lists(st.integers(0, 9), max_size=150))
@settings(max_examples=60, deadline=None)
def test_what_is_in_order_in_both_is_the_longest_common_subsequence(first: list[int], second: list[int]) -> None:
    table = np.zeros((len(first) + 1, len(second) + 1), int)
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            table[i + 1, j + 1] = table[i, j] + 1 if a == b else max(table[i, j + 1], table[i + 1, j])
    room = room_for(150)
    one, other = np.array(first, np.uint64), np.array(second, np.uint64)
    assert in_order(one, other, room, 0) == table[-1, -1]
    assert in_order(other, one, room, 1) == table[-1, -1]


def test_near_duplicates_are_grouped_and_long_ones_counted() -> None:
    base = "can you tell me how many apples {} has left after giving {} of them to her sister on monday"
    texts = [base.format(a, b) for a, b in (("anna", "three"), ("bella", "four"), ("carla", "three"))]
    corpus = corpus_of([*texts, "an entirely different request about sailing boats and their rigging in winter"])
    label, skipped = near_duplicates(corpus, np.arange(4), MineOptions())
    by_text = dict(zip(corpus.prompt_no.tolist(), label.tolist(), strict=True))
    assert [by_text[i] for i in range(4)] == [0, 0, 0, -1]
    assert skipped == 0
    label, skipped = near_duplicates(corpus, np.arange(4), MineOptions(max_near=5))
    assert label.tolist() == [-1] * 4
    assert skipped > 0


def test_an_empty_corpus_goes_through_every_stage() -> None:
    corpus = corpus_of([])
    found: Repeats = repeats(corpus, 5, 3, 5)
    assert len(corpus) == len(found.hashes) == len(distinct_residuals(corpus, found, 5, 3)) == 0


@pytest.mark.parametrize(("total", "share"), [(50, 1.0), (100, 1.0), (101, 2**-0.25), (150, 2**-0.75), (152, 2**-0.75)])
def test_a_few_more_prompts_do_not_change_the_share_that_is_mined(total: int, share: float) -> None:
    assert sample_share(100, total) == share
    assert share * total <= 100


def test_a_sample_of_a_smaller_share_lies_within_one_of_a_larger() -> None:
    digest = np.random.default_rng(1).integers(0, 2**64, 4_000, np.uint64)
    quarter, half = (below(share)(digest) for share in (0.25, 0.5))
    assert (half >= quarter).all()
    assert (quarter.mean(), half.mean()) == (pytest.approx(0.25, abs=0.02), pytest.approx(0.5, abs=0.02))


@pytest.mark.parametrize("count", [1, 90, 100, 150, 4_000])
def test_every_prompt_that_the_sample_leaves_is_in_one_part(count: int) -> None:
    digest = np.random.default_rng(2).integers(0, 2**64, count, np.uint64)
    parts = parts_of(digest, 100)
    assert np.sort(np.concatenate(parts)).tolist() == list(range(count))
    assert all((np.diff(part) > 0).all() for part in parts)
    share = sample_share(100, count)
    assert [len(part) / count for part in parts[1:]] == pytest.approx([share] * (len(parts) - 1), abs=0.02)
    assert len(parts[0]) / count <= share + 0.02


def test_a_few_more_prompts_leave_the_parts_as_they_are_and_no_part_is_the_sample() -> None:
    digest = np.random.default_rng(2).integers(0, 2**64, 4_000, np.uint64)
    few, more = parts_of(digest[:3_900], 1_000), parts_of(digest, 1_000)
    assert [one.tolist() for one in few] == [other[other < 3_900].tolist() for other in more]
    sampled = below(0.25)(digest)
    assert [sampled[part].mean() for part in more] == pytest.approx([0.25] * 4, abs=0.05)


def test_a_heavier_closure_is_no_parent_of_one_that_has_only_its_last_field() -> None:
    """The closure of class 0, which stands in both forms, is the heavier form; the other one holds class 0 as well."""
    found = Closures(
        part=np.array([0, 1, 0, 1, 0, 2], np.int32), of=np.array([0, 2, 4, 6]),
        weight=np.array([14, 14, 8], np.float32), evidence=np.full(3, 14, np.float32),
        prompts=np.array([200, 200, 50]), varied=np.ones(3, np.float32), bulk=np.zeros(3, np.float32),
        anchored=np.ones(3, np.bool_), edges=np.zeros(3, np.float32),
            breaks_off=np.zeros(3, np.bool_), names=np.zeros(3, np.int64), words=np.zeros(3, np.uint64), cut=0,
    )  # fmt: skip
    assert parents(found, np.ones(3, np.bool_), MineOptions())[2] == -1
    assert parents(replace(found, weight=np.array([4, 14, 8], np.float32)), np.ones(3, np.bool_), MineOptions())[2] == 0


def test_some_closures_are_renumbered_as_if_there_were_no_others() -> None:
    found = Closures(
        part=np.array([0, 1, 0, 1, 0, 1, 2], np.int32), of=np.array([0, 2, 4, 7]),
        weight=np.array([14, 9, 8], np.float32), evidence=np.full(3, 14, np.float32),
        prompts=np.array([200, 90, 50]), varied=np.ones(3, np.float32), bulk=np.zeros(3, np.float32),
        anchored=np.ones(3, np.bool_), edges=np.zeros(3, np.float32),
            breaks_off=np.array([True, True, False]), names=np.arange(3), words=np.zeros(3, np.uint64), cut=7,
    )  # fmt: skip
    some = found.only(np.array([True, False, True]))
    assert (some.part.tolist(), some.of.tolist(), some.cut) == ([0, 0, 1], [0, 1, 3], 7)
    assert (some.weight.tolist(), some.prompts.tolist()) == ([14, 8], [200, 50])
    assert (some.breaks_off.tolist(), some.names.tolist()) == ([True, False], [0, 2])


def test_the_colon_of_field_names_is_the_token() -> None:
    assert tokenise([":"]).hashes.tolist() == [int(COLON)]


def best_of(first: range, second: range) -> list[int]:
    """Where 100 prompts of a light frame go, if two closures that say the same words have these."""
    held = [range(100), first, second]
    found = Closures(
        part=np.array([0, 0, 1, 2, 0, 1, 2], np.int32), of=np.array([0, 1, 4, 7]),
        weight=np.array([6, 20, 20], np.float32), evidence=np.full(3, 20, np.float32),
        prompts=np.array([len(some) for some in held]), varied=np.ones(3, np.float32), bulk=np.zeros(3, np.float32),
        anchored=np.ones(3, np.bool_), edges=np.full(3, 2, np.float32), breaks_off=np.zeros(3, np.bool_),
        names=np.zeros(3, np.int64), words=np.array([1, 2, 2], np.uint64), cut=0,
    )  # fmt: skip
    prompt = np.concatenate([np.array(some, np.int32) for some in held])
    skeleton = np.repeat(np.arange(3, dtype=np.int32), [len(some) for some in held])
    return standing(found, prompt, skeleton, np.zeros(100, np.bool_), MineOptions()).tolist()


def test_two_wordings_of_the_same_words_that_have_all_of_their_frame_between_them_are_the_frame() -> None:
    assert best_of(range(50), range(45, 95)) == [0] * 100


def test_a_text_that_grew_from_two_of_its_parts_is_not_folded_into_a_part_of_it() -> None:
    assert best_of(range(70), range(70)) == [1] * 70 + [0] * 30


def test_a_text_is_not_strewn_over_phrases_where_more_prompts_have_it_with_a_mark_beside_it() -> None:
    """Ten of its prompts are of the bare text, thirty of five phrases with 200 each, sixty have one of two marks."""
    phrases = [[*range(60 + 6 * i, 66 + 6 * i), *range(100 + 200 * i, 300 + 200 * i)] for i in range(5)]
    held = [range(100), range(30), range(30, 60), *phrases]
    found = Closures(
        part=np.array([0, 0, 1, 0, 2, 3, 4, 5, 6, 7], np.int32), of=np.array([0, 1, 3, 5, 6, 7, 8, 9, 10]),
        weight=np.array([3, 4.5, 4.5, *[6] * 5], np.float32), evidence=np.full(8, 20, np.float32),
        prompts=np.array([len(some) for some in held]), varied=np.ones(8, np.float32), bulk=np.zeros(8, np.float32),
        anchored=np.ones(8, np.bool_), edges=np.zeros(8, np.float32), breaks_off=np.zeros(8, np.bool_),
        names=np.zeros(8, np.int64), words=np.arange(8, dtype=np.uint64), cut=0,
    )  # fmt: skip
    prompt = np.concatenate([np.array(some, np.int32) for some in held])
    skeleton = np.repeat(np.arange(8, dtype=np.int32), [len(some) for some in held])
    best = standing(found, prompt, skeleton, np.zeros(1100, np.bool_), MineOptions())
    assert best[90:100].tolist() == [0] * 10
