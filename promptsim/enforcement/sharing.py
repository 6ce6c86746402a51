"""A family → what may leave the house about its text: the template and hashes, never a raw prompt.

Where nothing varies the "template" is a prompt as somebody sent it: then only its hash goes out.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from promptsim.records import Family

_SLOT = re.compile(r"(?<!\{)\{\d+\}(?!\})")


@dataclass(frozen=True, slots=True)
class SharedText:
    """`template` is None where it would be a raw prompt; `sha256` is of the text either way."""

    template: str | None
    sha256: str


def shared_texts(family: Family) -> tuple[SharedText, ...]:
    """The family's fixed text and that of its wordings, each once, the main one first."""
    texts = dict.fromkeys([family.template, *(wording.template for wording in family.wordings)])
    return tuple(_shared(text) for text in texts if text)


def _shared(template: str) -> SharedText:
    raw = _SLOT.search(template) is None
    text = template.replace("{{", "{").replace("}}", "}") if raw else template
    return SharedText(None if raw else template, hashlib.sha256(text.encode()).hexdigest())
