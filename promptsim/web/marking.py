"""Text of strangers ─► HTML: escaped, hidden characters named, slots and differences marked. The only place that makes
markup outside of the templates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

from promptsim.families.difference import Difference
from promptsim.records import Slot
from promptsim.visible import one_line, pieces

MOST_SHOWN = 4_000  # characters of a prompt in a list
_SLOT = re.compile(r"\{\{|\}\}|\{(\d+)\}")


def plain(text: str, most: int = 0) -> Markup:
    """A text as it is; with `most`, its beginning and how much is left out."""
    cut = len(text) - most if 0 < most < len(text) else 0
    body = Markup("").join(_piece(piece.text, piece.label, piece.title if piece.label else "") for piece in
                           pieces(text[: len(text) - cut]))  # fmt: skip
    return body + Markup('<span class="cut">… {:,} more characters</span>').format(cut) if cut else body


def _piece(text: str, label: str, title: str) -> Markup:
    return Markup('<span class="hid" title="{}">{}</span>').format(title, label) if label else escape(text)


def brief(text: str, most: int) -> Markup:
    """The beginning of a text as running text, its line ends as spaces."""
    words = " ".join(text[: 4 * most].split())
    more = len(words) > most or len(text) > 4 * most
    return plain(words[:most]) + ("…" if more else "")


def line(text: str, width: int = 120) -> str:
    """One safe line; the template escapes it."""
    return one_line(text, width)


def template(text: str, slots: Sequence[Slot] = (), most: int = 0) -> Markup:
    """A template with its slots as marks and doubled braces made single."""
    known = {slot.name: slot for slot in slots}
    shown, cut = (text[:most], len(text) - most) if 0 < most < len(text) else (text, 0)
    parts, last = [], 0
    for found in _SLOT.finditer(shown):
        parts.append(plain(shown[last : found.start()]))
        parts.append(_slot(found[1], known) if found[1] else escape(found[0][0]))
        last = found.end()
    parts.append(plain(shown[last:]))
    if cut:
        parts.append(Markup('<span class="cut">… {:,} more characters</span>').format(cut))
    return Markup("").join(parts)


def _slot(name: str, known: Mapping[str, Slot]) -> Markup:
    slot = known.get(name)
    title = f"slot {name}" if slot is None else f"slot {name}: {slot.kind}, {slot.distinct:,} different fillings"
    return Markup('<span class="slot" title="{}">{}</span>').format(title, name)


def sides(found: Difference) -> tuple[Markup, Markup]:
    """Both texts of a comparison with what the other has not marked."""
    first = _marked(found.first, sorted(span.first for span in found.spans))
    return first, _marked(found.second, sorted(span.second for span in found.spans))


def _marked(text: str, shared: Sequence[tuple[int, int]]) -> Markup:
    parts, last = [], 0
    for start, end in shared:
        parts.append(_own(text[last:start]))
        parts.append(plain(text[start:end]))
        last = max(last, end)
    parts.append(_own(text[last:]))
    return Markup("").join(parts)


def _own(text: str) -> Markup:
    """A stretch that only one side has; white space around it stays unmarked."""
    body = text.strip()
    if not body:
        return plain(text)
    start = text.index(body)
    return plain(text[:start]) + Markup("<mark>{}</mark>").format(plain(body)) + plain(text[start + len(body) :])
