"""A seeded stream → fixed instructions: the templates of campaigns, app developers, organisations and the public.

An instruction is composed of a role, a task, rules and an output format, with words of its own in each sentence, so
that two of them share at most a commonplace sentence.
"""

from __future__ import annotations

from dataclasses import dataclass

from promptsim.simulate.language import Voice
from promptsim.simulate.phrases import (
    ASKED,
    FORMATS,
    INPUTS,
    POINTS,
    REWORDED_INPUTS,
    ROLES,
    RULES,
    TAILS,
    TASKS,
    WORDS,
)

SLOT = "{payload}"


@dataclass(frozen=True, slots=True)
class Template:
    """Fixed text before and after the payload."""

    head: str
    tail: str = ""

    @property
    def text(self) -> str:
        """The template as a person reads it."""
        return f"{self.head}{SLOT}{self.tail}"

    def filled(self, payload: str) -> str:
        """One prompt."""
        return f"{self.head}{payload}{self.tail}"


def instruction(voice: Voice, rules: tuple[int, int] = (2, 4)) -> Template:
    """A fixed instruction of four to eight sentences with a place for the payload."""
    sentences = [voice.pick(ROLES), voice.pick(TASKS)]
    sentences += voice.random.sample(RULES, voice.between(*rules))
    sentences.append(voice.pick(FORMATS))
    joint = "\n" if voice.chance(0.25) else " "
    head = joint.join(_said(voice, sentence) for sentence in sentences if sentence)
    return Template(head + _said(voice, voice.pick(INPUTS)), _said(voice, voice.pick(TAILS)))


def short_instruction(voice: Voice) -> Template:
    """One task and perhaps a format: what popular public prompts and classrooms look like."""
    sentences = [voice.pick(TASKS), voice.pick((*RULES, *FORMATS))]
    return Template(" ".join(_said(voice, sentence) for sentence in sentences) + _said(voice, voice.pick(INPUTS)))


def injection(voice: Voice) -> str:
    """A paragraph of 40 to 80 words that can stand anywhere in another's prompt."""
    sentences = [_said(voice, voice.pick(TASKS))]
    pool = voice.random.sample(RULES, len(RULES))
    while sum(len(sentence.split()) for sentence in sentences) < 46:
        sentences.append(_said(voice, pool.pop()))
    return " ".join([*sentences, _said(voice, voice.pick(FORMATS))])


def wordings(voice: Voice, how_many: int) -> list[Template]:
    """One instruction said in so many ways: the same four points, each in other words, in another order."""
    drawn: dict[str, Template] = {}
    points = voice.random.sample(POINTS, 4)
    asked = voice.pick(ASKED)
    while len(drawn) < how_many:
        chosen = [voice.pick(point) for point in points]
        voice.random.shuffle(chosen)
        head = f"{voice.pick(asked)} {' '.join(chosen)}{voice.pick(REWORDED_INPUTS)}"
        drawn.setdefault(head, Template(head))
    return list(drawn.values())


def _said(voice: Voice, pattern: str) -> str:
    """A pattern of this module filled; "{a}" agrees with what follows."""
    pieces: list[str] = []
    for part in pattern.replace("{", "\0{").replace("}", "}\0").split("\0"):
        pieces.append(_word(voice, part[1:-1]) if part.startswith("{") else part)
    text = "".join(pieces)
    for vowel in "aeiouAEIOU":
        text = text.replace(f"\1 {vowel}", f"an {vowel}")
    text = text.replace("\1", "a")
    return text[:1].upper() + text[1:] if pattern[:1] == "{" and pattern[1:2] in "aD" else text


def _word(voice: Voice, slot: str) -> str:
    if slot == "a":
        return "\1"
    if slot == "name":
        return voice.name()
    if slot == "rule":
        return _said(voice, voice.pick(RULES))
    if slot in ("KEY", "Do"):
        word = voice.pick(WORDS[slot.lower()])
        return word.upper() if slot == "KEY" else word.capitalize()
    return voice.pick(WORDS[slot])
