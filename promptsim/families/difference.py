"""Two prompts, or a prompt and a template → why they are alike: matched spans, how alike, and what had to be folded.

    text ─► decoded ─► tokens ─┐
                               ├─► alignment ─► runs ─► spans in both texts, notes on matched tokens spelled otherwise
    text ─► decoded ─► tokens ─┘

For people: `family ID`, `explain EVENT`, the review page. Nothing is hidden: a homoglyph that was read as a Latin
letter is counted and shown, and a decoded passage is named.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from promptsim.families.alignment import MAX_CELLS, Sequences, align, sequences
from promptsim.records import Int32s, Int64s
from promptsim.text.unwrap import unwrap

LEAST_RUN = 3  # tokens in a row: fewer meet by chance, unless they stand beside a longer run
BESIDE = 2  # tokens between two runs that count as side by side
EXAMPLES = 3

_SLOT = re.compile(r"\{\{|\}\}|\{\d+\}")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch that both texts have: character offsets in the first and in the second, as they were read."""

    first: tuple[int, int]
    second: tuple[int, int]
    tokens: int


@dataclass(frozen=True, slots=True)
class Note:
    """Something that was read over: of what kind, how often, and examples as (first, second)."""

    kind: str
    count: int
    examples: tuple[tuple[str, str], ...] = ()

    @property
    def sentence(self) -> str:
        shown = ", ".join(f"{a!r} for {b!r}" for a, b in self.examples)
        return f"{self.kind}: {self.count}" + (f" ({shown})" if shown else "")


@dataclass(frozen=True, slots=True)
class Difference:
    """`first` and `second` are the texts as they were read (encoded passages decoded); the spans point into them.

    `similarity` is the share of the tokens of both that are matched, `of_first` and `of_second` that of each.
    `whole` is False where the texts are too long to be aligned in full: then only what they begin and end with counts.
    """

    first: str
    second: str
    spans: tuple[Span, ...]
    similarity: float
    of_first: float
    of_second: float
    notes: tuple[Note, ...]
    whole: bool = True


def compare(first: str, second: str) -> Difference:
    """Why two prompts are alike."""
    (first, noted), (second, noted_too) = _decoded(first, "first"), _decoded(second, "second")
    return _compared(first, second, first, noted + noted_too)


def compare_with_template(template: str, text: str) -> Difference:
    """Why a prompt belongs to a template: `of_first` is the share of the fixed text that it has."""
    text, noted = _decoded(text, "prompt")
    return _compared(template, text, blanked(template), noted)


def blanked(template: str) -> str:
    """A template with its slots blanked out and doubled braces made single, every character in its place."""

    def blank(found: re.Match[str]) -> str:
        return found[0][0] + " " if found[0] in ("{{", "}}") else " " * len(found[0])

    return _SLOT.sub(blank, template)


def _decoded(text: str, which: str) -> tuple[str, tuple[Note, ...]]:
    """The text with encoded passages decoded, and a note for each kind of encoding."""
    result = unwrap(text)
    kinds = sorted({layer.kind for layer in result.layers})
    notes = [Note(f"{kind} decoded in the {which}", sum(x.kind == kind for x in result.layers)) for kind in kinds]
    return result.text, tuple(notes)


def _compared(first: str, second: str, read: str, noted: tuple[Note, ...]) -> Difference:
    body = sequences([read, second])
    a, b = body.of(0), body.of(1)
    partner = _without_chance(align(a, b))
    matched = np.flatnonzero(partner >= 0)
    count = len(matched)
    return Difference(
        first,
        second,
        _spans(body, matched, partner),
        2.0 * count / (len(a) + len(b)) if len(a) + len(b) else float(first == second),
        count / len(a) if len(a) else 0.0,
        count / len(b) if len(b) else 0.0,
        noted + _spelling(body, matched, partner),
        len(a) * len(b) <= MAX_CELLS,
    )


def _runs(partner: Int32s) -> list[tuple[int, int]]:
    """Maximal stretches [first, last) of tokens whose partners stand in a row too."""
    index = np.flatnonzero(partner >= 0)
    if not len(index):
        return []
    new = np.ones(len(index), np.bool_)
    new[1:] = (np.diff(index) != 1) | (np.diff(partner[index]) != 1)
    starts = np.flatnonzero(new)
    ends = np.append(starts[1:], len(index)) - 1
    return list(zip(index[starts].tolist(), (index[ends] + 1).tolist(), strict=True))


def _without_chance(partner: Int32s) -> Int32s:
    """The alignment without short runs that stand alone: any two texts share a comma and a "the"."""
    runs = _runs(partner)
    keep = [last - first >= LEAST_RUN for first, last in runs]
    if not any(keep) and runs and 2 * sum(last - first for first, last in runs) >= len(partner):
        return partner  # hardly more than a few tokens, and most of them matched
    for order in (range(1, len(runs)), range(len(runs) - 2, -1, -1)):
        step = -1 if order.step == 1 else 1
        for i in order:
            left, right = sorted((i, i + step))
            gap = runs[right][0] - runs[left][1]
            gap_there = int(partner[runs[right][0]] - partner[runs[left][1] - 1]) - 1
            keep[i] |= keep[i + step] and max(gap, gap_there) <= BESIDE
    out = np.full_like(partner, -1)
    for kept, (first, last) in zip(keep, runs, strict=True):
        if kept:
            out[first:last] = partner[first:last]
    return out


def _characters(raw: bytes) -> Callable[[int], int]:
    """From a byte offset to a character offset."""
    if raw.isascii():
        return int
    begins = (np.frombuffer(raw, np.uint8) & 0xC0) != 0x80
    before = np.concatenate([[0], np.cumsum(begins)])
    return lambda offset: int(before[offset])


def _spans(body: Sequences, matched: Int64s, partner: Int32s) -> tuple[Span, ...]:
    if not len(matched):
        return ()
    here, there = _characters(body.raw[0]), _characters(body.raw[1])
    base = int(body.offsets[1])
    out = []
    for first, last in _runs(partner):
        p, q = base + int(partner[first]), base + int(partner[last - 1])
        out.append(
            Span(
                (here(int(body.starts[first])), here(int(body.ends[last - 1]))),
                (there(int(body.starts[p])), there(int(body.ends[q]))),
                last - first,
            )
        )
    return tuple(out)


def _spelling(body: Sequences, matched: Int64s, partner: Int32s) -> tuple[Note, ...]:
    """Matched tokens that are written otherwise, by how."""
    seen: dict[str, list[tuple[str, str]]] = {}
    base = int(body.offsets[1])
    for i in matched.tolist():
        j = base + int(partner[i])
        a = body.raw[0][body.starts[i] : body.ends[i]].decode("utf-8", "replace")
        b = body.raw[1][body.starts[j] : body.ends[j]].decode("utf-8", "replace")
        if a != b and not (a.isspace() and b.isspace()):
            seen.setdefault(_how(a, b), []).append((a, b))
    return tuple(
        Note(kind, len(pairs), tuple(sorted(set(pairs), key=pairs.index)[:EXAMPLES]))
        for kind, pairs in sorted(seen.items(), key=lambda item: (-len(item[1]), item[0]))
    )


def _how(a: str, b: str) -> str:
    """In what two spellings of one token differ; of several ways the most telling."""
    if _visible(a) == _visible(b):
        return "invisible characters"
    a, b = _visible(a), _visible(b)
    if a.casefold() == b.casefold():
        return "letter case"
    plain_a, plain_b = unicodedata.normalize("NFKC", a).casefold(), unicodedata.normalize("NFKC", b).casefold()
    if plain_a == plain_b:
        return "letter forms"
    if _bare(plain_a) == _bare(plain_b):
        return "accents"
    if plain_a.isascii() and plain_b.isascii():
        if re.sub(r"\s", "", plain_a) == re.sub(r"\s", "", plain_b):
            return "spaced letters"
        return "digits or signs for letters"
    return "homoglyphs"


def _visible(text: str) -> str:
    return "".join(c for c in text if unicodedata.category(c) != "Cf")


def _bare(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
