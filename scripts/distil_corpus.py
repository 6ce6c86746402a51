"""WordNet folder + the teacher's word list → the texts on which the shipped model learns from its teacher.

Used by `distil_model.py` alone. Glosses and example sentences are WordNet's (free licence, see NOTICE); the rest are
single words, its phrases, and sentences put together here from its words: everyday scenes and requests.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FILES = ("data.noun", "data.verb", "data.adj", "data.adv")
SCENES = 60_000
REQUESTS = 60_000

# WordNet's lexicographer files, by the slot that they fill.
CATEGORIES = {
    "person": (18,),
    "animal": (5,),
    "thing": (6, 13, 17, 20),
    "place": (15,),
    "topic": (4, 9, 10, 11, 12, 14, 22, 26, 19, 7),
    "text": (10,),
    "adjective": (0, 1, 44),
    "verb": (29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42),
}
SCENE_PATTERNS = (
    "A {person} is {doing} a {thing}",
    "A {person} is {doing} in the {place}",
    "The {adjective} {animal} is {doing} the {thing}",
    "A {person} and a {person} are {doing} near a {adjective} {thing}",
    "There is no {person} {doing} the {thing}",
    "Two people are {doing} and a {animal} is {doing}",
    "The {person} is not {doing} the {adjective} {thing}",
    "The {thing} is being held by a {person} in a {adjective} {thing}",
    "{place}: {person} says {topic} is {adjective}",
    "{number} {adjective} people in {place} {topic}",
    "{place} {person} warns of {topic} after {topic}",
    "A {animal} is {doing} through the {thing} with a {thing} in its mouth",
    "I think that {topic} is a {adjective} kind of {topic}.",
    "You should {verb} the {thing} before you {verb} it.",
)
REQUEST_PATTERNS = (
    "Write a {adjective} {text} about {topic} for a {person}.",
    "Explain how to {verb} a {thing} in {number} steps.",
    "What is the difference between {topic} and {topic}?",
    "You are an expert {person}. {verb} the following {text} and list the {topic}.",
    "Summarize the {text} below in {number} sentences, as a {person} would.",
    "How can I {verb} my {thing} without a {thing}?",
    "Give me a list of {number} {adjective} {thing} names.",
    "Translate this {text} about {topic} into plain language.",
    "Classify each {text} as {adjective} or {adjective}.",
    "Generate a question about the {topic} of {place}, then answer it step by step.",
    "Describe the {topic} of a {animal} to a {person} who likes {topic}.",
    "Create a {text} in which a {person} must {verb} the {thing}; keep the tone {adjective}.",
)


@dataclass(frozen=True)
class Synset:
    category: int
    words: tuple[str, ...]
    definition: str
    examples: tuple[str, ...]


def synsets(folder: Path) -> Iterator[Synset]:
    for name in FILES:
        for line in (folder / name).read_text("latin-1").splitlines():
            if line.startswith("  "):
                continue  # the licence at the top
            head, gloss = line.split(" | ", 1)
            fields = head.split()
            words = [fields[4 + 2 * i] for i in range(int(fields[3], 16))]
            clean = tuple(re.sub(r"\((a|p|ip)\)$", "", word).replace("_", " ") for word in words)
            yield Synset(int(fields[1]), clean, *_split(gloss))


def _split(gloss: str) -> tuple[str, tuple[str, ...]]:
    examples = tuple(re.findall(r'"([^"]{8,})"', gloss))
    definition = re.sub(r"\s*;\s*(;\s*)*", "; ", re.sub(r'"[^"]*"[^;]*', "", gloss))
    return definition.strip(" ;"), examples


def corpus(folder: Path, common: Sequence[str], seed: int = 7) -> dict[str, list[str]]:
    """The training texts by kind; `common` lists the teacher's words, most frequent first."""
    everything = list(synsets(folder))
    chance = random.Random(seed)
    slots = _slots(everything, common)
    lemmas = sorted({word for synset in everything for word in synset.words})
    return {
        "words": sorted({*common, *(w.lower() for w in lemmas if " " not in w)}),
        "phrases": [w for w in lemmas if " " in w],
        "definitions": list(dict.fromkeys(s.definition for s in everything if s.definition)),
        "examples": list(dict.fromkeys(e for s in everything for e in s.examples)),
        "scenes": [_fill(chance.choice(SCENE_PATTERNS), slots, chance) for _ in range(SCENES)],
        "requests": [_fill(chance.choice(REQUEST_PATTERNS), slots, chance) for _ in range(REQUESTS)],
    }


def _slots(everything: Sequence[Synset], common: Sequence[str]) -> Mapping[str, list[str]]:
    """Common words for each slot, most frequent first."""
    rank = {word: i for i, word in enumerate(common)}
    slots: dict[str, list[str]] = {}
    for slot, categories in CATEGORIES.items():
        words = {w for s in everything if s.category in categories for w in s.words if w in rank and len(w) > 2}
        slots[slot] = sorted(words, key=rank.__getitem__)
    verbs = set(slots["verb"])
    slots["doing"] = [w for w in common if w.endswith("ing") and ({w[:-3], w[:-3] + "e", w[:-4]} & verbs)]
    slots["number"] = ["two", "three", "5", "10", "several", "many", "a hundred", "20"]
    return slots


def _fill(pattern: str, slots: Mapping[str, list[str]], chance: random.Random) -> str:
    def pick(match: re.Match[str]) -> str:
        words = slots[match[1]]
        return words[int(len(words) * chance.random() ** 2)]  # leaning to the frequent ones

    return re.sub(r"\{(\w+)\}", pick, pattern)
