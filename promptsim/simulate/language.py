"""A seeded random stream → diverse prompts, documents and code that belong to no family.

    words ─► sentence ─► prompt (question, task, document with a task, code, sum, another language)

Fixed runs in the patterns are kept short, and every pattern has many alternatives: five words in a row seldom recur.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from random import Random
from typing import TypeVar

from promptsim.simulate.patterns import PATTERNS
from promptsim.simulate.words import (
    ADJECTIVES,
    ADVERBS,
    CODAS,
    DOMAINS,
    LANGUAGES,
    ONSETS,
    PAST,
    PEOPLE,
    PLACES,
    TIMES,
    VERBS,
    VOWELS,
)

Choice = TypeVar("Choice")
_SLOT = re.compile(r"\{(\w+)\}")


class Voice:
    """One speaker's stream of words. Nouns stay with the subject that was last chosen by `about`."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.domain = self.about()
        self._make: dict[str, Callable[[], str]] = {
            "noun": lambda: self.pick(self._nouns()),
            "adj": lambda: self.pick(ADJECTIVES),
            "verb": lambda: self.pick(VERBS),
            "past": lambda: self.pick(PAST),
            "person": lambda: self.pick(PEOPLE),
            "adv": lambda: self.pick(ADVERBS),
            "spot": lambda: self.pick(PLACES),
            "time": lambda: self.pick(TIMES),
            "number": self.number,
            "year": lambda: str(1500 + int(self.random.random() * 525)),
            "name": self.name,
        }

    def pick(self, choices: tuple[Choice, ...]) -> Choice:
        """One of them."""
        return choices[int(self.random.random() * len(choices))]

    def about(self) -> str:
        """Turn to another subject."""
        self.domain = self.pick(_DOMAIN_NAMES)
        return self.domain

    def say(self, slot: str) -> str:
        """One filling of a slot, its own slots filled in turn."""
        make = self._make.get(slot)
        return make() if make else self.fill(self.pick(PATTERNS[slot]))

    def fill(self, pattern: str) -> str:
        """A pattern with its slots filled."""
        return "".join([self.say(part) if slot else part for slot, part in _parts(pattern)])

    def name(self) -> str:
        """An invented name of two or three syllables."""
        syllables = 2 + (self.random.random() < 0.3)
        pieces = [self.pick(ONSETS) + self.pick(VOWELS) for _ in range(syllables)]
        return ("".join(pieces) + self.pick(CODAS)).capitalize()

    def number(self) -> str:
        """A number of a size that people use, often with a fraction or a separator."""
        value = int(10 ** (self.random.random() * 4.2)) + 1
        chance = self.random.random()
        return f"{value}.{int(chance * 500)}" if chance < 0.2 else f"{value:,}" if chance < 0.4 else str(value)

    def chance(self, share: float) -> bool:
        """True so often."""
        return self.random.random() < share

    def between(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return low + int(self.random.random() * (high - low + 1))

    def _nouns(self) -> tuple[str, ...]:
        # one noun in four comes from elsewhere: real talk wanders
        return DOMAINS[self.domain if self.random.random() < 0.75 else self.pick(_DOMAIN_NAMES)]


_DOMAIN_NAMES = tuple(DOMAINS)


@cache
def _parts(pattern: str) -> tuple[tuple[bool, str], ...]:
    """A pattern as (is a slot, text) pieces."""
    return tuple((bool(i % 2), part) for i, part in enumerate(_SLOT.split(pattern)) if part)


def sentence(voice: Voice) -> str:
    """One statement of fact."""
    said = voice.say("fact")
    return said[0].upper() + said[1:] + "."


def passage(voice: Voice, low: int = 3, high: int = 14) -> str:
    """A document of so many sentences on one subject, sometimes in paragraphs."""
    voice.about()
    sentences = [sentence(voice) for _ in range(voice.between(low, high))]
    joints = ["\n\n" if voice.chance(0.15) else " " for _ in sentences]
    return "".join(s + j for s, j in zip(sentences, joints, strict=True)).strip()


def topic(voice: Voice) -> str:
    """A few words that name a subject."""
    voice.about()
    return voice.fill(
        voice.pick(("{np} in {place}", "{np} and {np}", "how to {ask}", "{np} {when}", "{np}, {adj} and {adj}"))
    )


def question(voice: Voice) -> str:
    """A question of one line."""
    voice.about()
    return voice.say("question")


def snippet(voice: Voice) -> str:
    """A few lines of code with names of their own."""
    names = [f"{voice.say('verb')}_{voice.say('noun')}".replace(" ", "_").replace("-", "_") for _ in range(4)]
    one, two, three, four = names
    number, letter, other = voice.number(), voice.name().lower(), voice.name().lower()
    sign = voice.pick(("+", "-", "*", "%", "//", "<", ">", "!=", "&"))
    lines = (
        f"def {one}({two}, {letter}={number}):",
        f"    {three} = {two}[{letter}] {sign} {four}",
        f"    return {three} {sign} {number}",
        f"const {one} = {two}.{three}({number}, {letter} {sign} {four})",
        f"SELECT {one}, {two} FROM {three} WHERE {four} {sign} {number}",
        f"for {letter} in {two}: {three}({letter}, {number})",
        f"if {one} {sign} {other}: {two}({number}, {letter})",
        f"{other} = {one}.{two}({three}={number})",
        f"print({four}, {other} {sign} {letter})",
        f"// {voice.say('fact')}",
        f"{one}: {number}",
    )
    return "\n".join(voice.pick(lines) for _ in range(voice.between(2, 6)))


def foreign(voice: Voice) -> str:
    """One or two sentences in another language."""
    tongue = voice.pick(tuple(LANGUAGES))
    said = [_foreign_sentence(voice, tongue) for _ in range(voice.between(1, 2))]
    return ("" if tongue in ("zh", "ja") else " ").join(said)


def _foreign_sentence(voice: Voice, tongue: str) -> str:
    words = LANGUAGES[tongue]
    noun, other = voice.pick(words["noun"]), voice.pick(words["noun"])
    link, end, verb = voice.pick(words["link"]), voice.pick(words["end"]), voice.pick(words["verb"])
    opener = voice.pick(words["opener"])
    if tongue == "zh":
        return f"{opener}{verb}{noun}{link}{other}，{end}{voice.between(2, 99)}？"
    if tongue == "ja":
        return f"{opener}{end}{noun}{link}{other}{verb}（{voice.between(2, 99)}）。"
    if tongue == "hi":
        return f"{opener} {end} {noun} {link} {other} {verb} {voice.between(2, 99)}?"
    if tongue == "de":
        return f"{opener} {noun} {link} {voice.name()} {end} {verb}?"
    return f"{opener} {verb} {noun} {link} {other} {end} {voice.between(2, 99)}?"


def organic(voice: Voice) -> str:
    """What a person asks who has no template: any length, any manner."""
    voice.about()
    chance = voice.random.random()
    if chance < 0.30:
        return voice.say("question")
    if chance < 0.45:
        return voice.say("task")
    if chance < 0.57:
        return voice.say("chat")
    if chance < 0.75:
        return _document_and_task(voice)
    if chance < 0.84:
        return _code_question(voice)
    if chance < 0.90:
        return voice.say("sum")
    return foreign(voice)


def _document_and_task(voice: Voice) -> str:
    document, over = passage(voice), voice.say("over") + voice.pick(("", ".", ":", "?", "!"))
    return f"{over}\n\n{document}" if voice.chance(0.5) else f"{document}\n\n{over}"


def _code_question(voice: Voice) -> str:
    question = voice.fill(
        voice.pick(("{question}", "why {adj}?", "{opener} {ask}", "{adv} fails: {noun}", "add {np} to this"))
    )
    return f"{question}\n\n{snippet(voice)}" if voice.chance(0.6) else f"{snippet(voice)}\n{question}"


def short_payload(voice: Voice) -> str:
    """What fills a template's slot: a subject, a question, a statement, a piece of code."""
    chance = voice.random.random()
    if chance < 0.35:
        return question(voice)
    if chance < 0.65:
        return topic(voice)
    if chance < 0.85:
        return passage(voice, 1, 2)
    return snippet(voice)


def payload(voice: Voice) -> str:
    """Any filling, short or a document."""
    return passage(voice, 3, 8) if voice.chance(0.35) else short_payload(voice)
