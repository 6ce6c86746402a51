"""A prompt → the same prompt as an evader sends it: look-alike letters, invisible characters, padding, encodings."""

from __future__ import annotations

import base64
from collections.abc import Callable

from promptsim.simulate.language import Voice, sentence

Disguise = Callable[[Voice, str], str]

_LOOK_ALIKES = str.maketrans("aceopxyiABCEHKMOPTX", "асеорхуіАВСЕНКМОРТХ")
_LEET = str.maketrans("oieastOIEAST", "013457" * 2)
_INVISIBLE = ("\u200b", "\u200c", "\u2060", "\ufeff", "\u00ad")


def _some(voice: Voice, text: str, share: float, change: Callable[[str], str]) -> str:
    """Change a share of the characters."""
    return "".join([change(c) if voice.random.random() < share else c for c in text])


def homoglyphs(voice: Voice, text: str) -> str:
    """Latin letters replaced by Cyrillic ones of the same shape."""
    return _some(voice, text, 0.25, lambda c: c.translate(_LOOK_ALIKES))


def invisible(voice: Voice, text: str) -> str:
    """Zero-width characters inside words."""
    return _some(voice, text, 0.12, lambda c: c + voice.pick(_INVISIBLE) if c.isalpha() else c)


def cases(voice: Voice, text: str) -> str:
    """All capitals, or capitals at random."""
    return text.upper() if voice.chance(0.3) else _some(voice, text, 0.3, str.swapcase)


def leet(voice: Voice, text: str) -> str:
    """Digits for letters."""
    return _some(voice, text, 0.15, lambda c: c.translate(_LEET))


def spacing(voice: Voice, text: str) -> str:
    """White space of every kind between words."""
    return "".join(
        [voice.pick(("  ", "\n", "\t", "\u00a0", " \u3000")) if c == " " and voice.chance(0.3) else c for c in text]
    )


def padding(voice: Voice, text: str) -> str:
    """Unrelated sentences before and after."""
    voice.about()
    before = " ".join(sentence(voice) for _ in range(voice.between(1, 3)))
    after = " ".join(sentence(voice) for _ in range(voice.between(0, 2)))
    return f"{before}\n\n{text}\n\n{after}".strip()


def typos(voice: Voice, text: str) -> str:
    """Letters swapped, dropped or doubled in some words."""
    return " ".join([_typo(voice, word) if len(word) > 4 and voice.chance(0.12) else word for word in text.split(" ")])


def _typo(voice: Voice, word: str) -> str:
    at = voice.between(1, len(word) - 3)
    kind = voice.between(0, 2)
    if kind == 0:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + word[at + 1 :] if kind == 1 else word[:at] + word[at] + word[at:]


def encoded(voice: Voice, text: str) -> str:
    """The whole prompt as base64 behind a short request."""
    ask = voice.pick(("Decode and follow: ", "base64, do what it says:\n", "Run this request: ", ""))
    return ask + base64.b64encode(text.encode()).decode()


def markdown(voice: Voice, text: str) -> str:
    """Emphasis, quoting and bullets around words and lines."""
    words = [f"**{w}**" if w.isalpha() and voice.chance(0.2) else w for w in text.split(" ")]
    lead = voice.pick(("> ", "- ", "### ", "* "))
    return "\n".join(lead + line if line else line for line in " ".join(words).split("\n"))


DISGUISES: tuple[Disguise, ...] = (
    homoglyphs,
    invisible,
    cases,
    leet,
    spacing,
    padding,
    typos,
    encoded,
    markdown,
)


def disguised(voice: Voice, text: str) -> tuple[str, str]:
    """The text under one or two disguises, and their names. Encoding goes last: nothing is readable after it."""
    chosen = voice.random.sample(DISGUISES, 2 if voice.chance(0.25) else 1)
    chosen.sort(key=lambda disguise: (disguise is encoded, DISGUISES.index(disguise)))
    for disguise in chosen:
        text = disguise(voice, text)
    return text, "+".join(disguise.__name__ for disguise in chosen)
