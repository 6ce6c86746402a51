"""texts → a few fingerprints of each, chosen so that any two texts that share a run of 13 tokens share one.

Tokens ─► shingles of SHINGLE tokens ─► of every WINDOW neighbouring shingles the one with the smallest hash (winnowing,
Schleimer, Wilkerson, Aiken 2003). About two of every nine shingles are kept. System and user text are printed apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from promptsim.records import Int32s, Int64s, UInt64s
from promptsim.text.shingles import winnow
from promptsim.text.tokens import select, tokenise

SHINGLE = 6
WINDOW = 8
RUN = SHINGLE + WINDOW - 1  # tokens: a shared run of this length is sure to share a fingerprint
TEXT_VERSION = f"1-{SHINGLE}-{WINDOW}"  # a new first figure whenever a text's fingerprints change; a test holds it


@dataclass(frozen=True, slots=True)
class Prints:
    """Fingerprints of many texts: those of text i stand at offsets[i]:offsets[i + 1], in text order.

    `places` is the number of the shingle's first token within its text; `tokens` is the length of each text.
    """

    hashes: UInt64s
    places: Int32s
    offsets: Int64s
    tokens: Int64s


def prints_of(texts: Sequence[str]) -> Prints:
    """The fingerprints of each text, markup and newlines aside; a text of fewer than SHINGLE tokens has none."""
    tokens = select(tokenise(texts), newlines=False)
    kept = winnow(tokens.hashes, tokens.offsets, SHINGLE, WINDOW)
    return Prints(kept.hashes, kept.positions, kept.offsets, np.diff(tokens.offsets))
