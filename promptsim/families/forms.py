"""Prompts of one fixed text → those with more fields, or with their fields in another order, apart.

Before consensus. The closure of a text knows which shingles stand together, but not in which order; and a field that
many templates have, such as a list of choices, is a text of its own that belongs to none of them. Fields are known by
their names, a word and a mark at a line's start ("Question:", "B."), which stand once in a prompt.

    names that many prompts of a text have ─► their order in each prompt ─► few orders in nearly all: one text for each
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptsim.families.corpus import Corpus
from promptsim.families.options import MineOptions
from promptsim.order import firsts
from promptsim.records import Int32s, Int64s, UInt64s

Order = tuple[int, ...]  # names of fields as they follow one another


@dataclass(frozen=True, slots=True)
class _Named:
    """Names of fields in the order of the text: prompt `prompt[i]` names `token[i]`."""

    prompt: Int64s
    token: UInt64s


def in_forms(corpus: Corpus, label: Int32s, options: MineOptions) -> Int32s:
    """The labels, with prompts of another form than most of theirs under new ones."""
    n = int(label.max(initial=-1)) + 1
    size = np.bincount(label[label >= 0], minlength=n)
    named = _common(_names(corpus, label), label, size, options)
    code = _codes(named, len(label))
    rows = np.flatnonzero(label >= 0)
    rows = rows[np.lexsort((code[rows], label[rows]))]
    start = np.flatnonzero(firsts(label[rows], code[rows]))
    count = np.diff(np.append(start, len(rows)))
    enough = count >= np.maximum(options.support, options.reordered * size[label[rows[start]]])
    start, count = start[enough], count[enough]
    of_label = label[rows[start]]
    label = label.copy()
    for one in np.flatnonzero(np.bincount(of_label, minlength=n) > 1).tolist():
        own = slice(*np.searchsorted(of_label, [one, one + 1]))
        forms = {
            _order(named, int(rows[i])): rows[i : i + many]
            for i, many in zip(start[own].tolist(), count[own].tolist(), strict=True)
        }
        for other in _others(forms, int(size[one]), options):
            label[forms[other]] = n
            n += 1
    return label


def _names(corpus: Corpus, label: Int32s) -> _Named:
    """Which fields each prompt with a label names: a word and a mark at a line's start, which stand so once in it."""
    first, flags = corpus.flags[:-1], corpus.flags[1:]
    at = np.flatnonzero((first & 1 > 0) & (first & 4 == 0) & (flags & 4 > 0) & (flags & 1 == 0))
    prompt = np.searchsorted(corpus.bounds[2::2], at, side="right")
    with np.errstate(over="ignore"):
        token = corpus.tokens[at] * np.uint64(0xD6E8FEB86659FD93) + corpus.tokens[at + 1]
    chosen = label[prompt] >= 0
    prompt, token = prompt[chosen], token[chosen]
    order = np.lexsort((token, prompt))
    again = np.flatnonzero(~firsts(prompt[order], token[order]))
    once = np.ones(len(prompt), np.bool_)
    once[order[again]] = once[order[again - 1]] = False
    return _Named(prompt[once], token[once])


def _common(named: _Named, label: Int32s, size: Int64s, options: MineOptions) -> _Named:
    """The names that many prompts with the same label have; the others are of single payloads."""
    own = label[named.prompt]
    _, token = np.unique(named.token, return_inverse=True)
    _, pair, count = np.unique(own * (token.max(initial=0) + 1) + token, return_inverse=True, return_counts=True)
    many = (own >= 0) & (count[pair] >= options.reordered * np.append(size, 0)[own])  # -1 is the last
    return _Named(named.prompt[many], named.token[many])


def _codes(named: _Named, n_prompts: int) -> UInt64s:
    """For each prompt a number that those share which have the same names in the same order; 0: none."""
    first = np.searchsorted(named.prompt, np.arange(n_prompts))
    place = np.arange(len(named.prompt)) - first[named.prompt]
    code = np.zeros(n_prompts, np.uint64)
    with np.errstate(over="ignore"):
        np.add.at(code, named.prompt, named.token * (2 * place + 1).astype(np.uint64))
    return code


def _order(named: _Named, prompt: int) -> Order:
    first, last = np.searchsorted(named.prompt, [prompt, prompt + 1])
    return tuple(named.token[first:last].tolist())


def _others(forms: dict[Order, Int64s], size: int, options: MineOptions) -> list[Order]:
    """The forms besides the one of most prompts, in an order of their own, if these are nearly all of the text's.

    That some prompts have the fields in another order is no filling of a slot. More fields may be, where few have
    it; and where some have one name and some another, the names are what stands in a slot.
    """
    main, *others = sorted(forms, key=lambda order: (-len(forms[order]), order))
    same = [order for order in others if sorted(order) == sorted(main)]
    more = [order for order in others if _more(main, order) and len(forms[order]) >= options.field * size]
    kept = same + more
    enough = sum(len(forms[order]) for order in [main, *kept]) >= options.formed * size
    return kept if enough and len(more) <= 1 else []


def _more(one: Order, other: Order) -> bool:
    """Whether one of two orders is the other and one more name, or several in a row."""
    short, long = sorted((one, other), key=len)
    more = len(long) - len(short)
    return more > 0 and any(long[:i] + long[i + more :] == short for i in range(len(short) + 1))
