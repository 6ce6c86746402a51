"""Documents → Corpus: every distinct prompt as folded token hashes in flat arrays, ordered by content alone.

First stage of `mine`. A prompt has two parts, system and user text; no shingle crosses from one to the other, so an
instruction counts as the same wherever it is sent. Line breaks and markup are no tokens: a flag says where a line
begins or ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numba import njit

from promptsim.lookahead import mapped
from promptsim.records import Bools, DocumentBatch, Int64s, UInt8s, UInt64s
from promptsim.text.tokens import MARKUP, NEWLINE, PUNCT, Tokens, tokenise
from promptsim.text.unwrap import unwrapped

BEGINS_LINE, ENDS_LINE, IS_PUNCT = 1, 2, 4
CHUNK = 8_192  # prompts tokenised at once: bounds the Python strings' worth of tokens in flight


Wanted = Callable[[UInt64s], Bools]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Prompt i has tokens `tokens[bounds[2i]:bounds[2i+1]]` (system) and `[bounds[2i+1]:bounds[2i+2]]` (user)."""

    prompt_no: Int64s
    digest: UInt64s
    tokens: UInt64s
    flags: UInt8s
    bounds: Int64s
    cut_tokens: int

    def __len__(self) -> int:
        return len(self.prompt_no)


@dataclass(frozen=True, slots=True)
class Piece:
    """A few thousand documents with their digests, not tokenised yet."""

    prompt_no: Int64s
    digest: UInt64s
    system: Sequence[str]
    user: Sequence[str]


def digests(system: Sequence[str], user: Sequence[str]) -> UInt64s:
    """Eight bytes that stand for the content of each prompt; they order prompts and break ties."""
    bodies = map(_body, system, user)
    return np.frombuffer(b"".join([blake2b(body, digest_size=8).digest() for body in bodies]), "<u8")


def _body(system: str, user: str) -> bytes:
    head = system.encode("utf-8", "surrogatepass")
    return len(head).to_bytes(8, "little") + head + user.encode("utf-8", "surrogatepass")


class Digests:
    """The digest of each prompt, computed when it is first read, however often documents are read after that."""

    def __init__(self) -> None:
        self._of = np.zeros(0, np.uint64)
        self._known = np.zeros(0, np.bool_)

    def of(self, prompt_no: Int64s, system: Sequence[str], user: Sequence[str]) -> UInt64s:
        """Digests of some documents; `prompt_no` are dense numbers."""
        top = int(prompt_no.max(initial=-1)) + 1
        if top > len(self._of):
            more = max(top, 2 * len(self._of)) - len(self._of)
            self._of = np.concatenate([self._of, np.zeros(more, np.uint64)])
            self._known = np.concatenate([self._known, np.zeros(more, np.bool_)])
        if not self._known[prompt_no].all():
            self._of[prompt_no] = digests(system, user)
            self._known[prompt_no] = True
        found: UInt64s = self._of[prompt_no]
        return found


@njit(cache=True, nogil=True)
def _compact(hashes, kinds, offsets, newline, markup, punct, limit):  # type: ignore[no-untyped-def]
    """Drop line breaks and markup, keep where lines begin and end; at most `limit` tokens of a text."""
    n = len(offsets) - 1
    tokens = np.empty(len(hashes), np.uint64)
    flags = np.empty(len(hashes), np.uint8)
    bounds = np.zeros(n + 1, np.int64)
    filled = 0
    cut = 0
    head = limit * 3 // 4
    for text in range(n):
        lo, hi = offsets[text], offsets[text + 1]
        first = filled
        begins = True
        for i in range(lo, hi):
            if hi - lo > limit and head <= i - lo < hi - lo - (limit - head):
                cut += 1
                begins = True
                continue
            if kinds[i] == newline:
                begins = True
                if filled > first:
                    flags[filled - 1] |= 2
                continue
            if kinds[i] == markup:
                continue
            tokens[filled] = hashes[i]
            flags[filled] = (1 if begins else 0) | (4 if kinds[i] == punct else 0)
            begins = False
            filled += 1
        if filled > first:
            flags[filled - 1] |= 2
        bounds[text + 1] = filled
    return tokens[:filled].copy(), flags[:filled].copy(), bounds, cut


def tokenised(texts: Sequence[str], limit: int) -> tuple[UInt64s, UInt8s, Int64s, int]:
    """Tokens, flags and bounds of texts, line breaks and markup taken out."""
    raw: Tokens = tokenise(texts)
    tokens, flags, bounds, cut = _compact(raw.hashes, raw.kinds, raw.offsets, NEWLINE, MARKUP, PUNCT, limit)
    return tokens, flags, bounds, int(cut)


@njit(cache=True, nogil=True)
def _gather(tokens, flags, bounds, order):  # type: ignore[no-untyped-def]
    """Tokens of the prompts in `order`."""
    out_bounds = np.zeros(2 * len(order) + 1, np.int64)
    size = 0
    for row in order:
        size += bounds[2 * row + 2] - bounds[2 * row]
    out_tokens = np.empty(size, np.uint64)
    out_flags = np.empty(size, np.uint8)
    filled = 0
    for rank in range(len(order)):
        row = order[rank]
        lo, mid, hi = bounds[2 * row], bounds[2 * row + 1], bounds[2 * row + 2]
        out_tokens[filled : filled + hi - lo] = tokens[lo:hi]
        out_flags[filled : filled + hi - lo] = flags[lo:hi]
        out_bounds[2 * rank + 1] = filled + mid - lo
        filled += hi - lo
        out_bounds[2 * rank + 2] = filled
    return out_tokens, out_flags, out_bounds


def rows_of(corpus: Corpus, rows: Int64s) -> Corpus:
    """Some prompts of a corpus, in the order given."""
    tokens, flags, bounds = _gather(corpus.tokens, corpus.flags, corpus.bounds, rows)
    return Corpus(corpus.prompt_no[rows], corpus.digest[rows], tokens, flags, bounds, 0)


def pieces(
    documents: Callable[[], Iterator[DocumentBatch]], seen: Digests | None = None, wanted: Wanted | None = None
) -> Iterator[Piece]:
    """The documents, or those whose digests are `wanted`, at most CHUNK at a time and in the order given."""
    seen = seen or Digests()
    for batch in documents():
        for lo in range(0, len(batch.prompt_no), CHUNK):
            part = slice(lo, lo + CHUNK)
            piece = Piece(
                batch.prompt_no[part], seen.of(batch.prompt_no[part], batch.system[part], batch.user[part]),
                batch.system[part], batch.user[part],
            )  # fmt: skip
            yield piece if wanted is None else _chosen(piece, np.flatnonzero(wanted(piece.digest)))


def _chosen(piece: Piece, rows: Int64s) -> Piece:
    system, user = [piece.system[i] for i in rows], [piece.user[i] for i in rows]
    return Piece(piece.prompt_no[rows], piece.digest[rows], system, user)


def interleaved(system: Sequence[str], user: Sequence[str]) -> list[str]:
    """system, user, system, user, …: the order in which the parts of prompts are tokenised."""
    texts = [""] * (2 * len(system))
    texts[::2] = system
    texts[1::2] = user
    return texts


def read(
    documents: Callable[[], Iterator[DocumentBatch]],
    limit: int,
    wanted: Wanted | None = None,
    seen: Digests | None = None,
) -> Corpus:
    """All documents, or those whose digests are `wanted`, tokenised and sorted by content."""
    return joined(list(mapped(lambda piece: chunk(piece, limit), pieces(documents, seen, wanted))))


def chunk(piece: Piece, limit: int) -> Corpus:
    """A piece tokenised, in the order given; at most `limit` tokens of each part of a prompt."""
    tokens, flags, bounds, cut = tokenised(unwrapped(interleaved(piece.system, piece.user)), limit)
    return Corpus(piece.prompt_no, piece.digest, tokens, flags, bounds, cut)


def joined(parts: list[Corpus]) -> Corpus:
    """Several pieces of a corpus as one, sorted by content; `parts` is emptied, so that memory holds them once."""
    if not parts:
        return Corpus(
            np.empty(0, np.int64), np.empty(0, np.uint64), np.empty(0, np.uint64), np.empty(0, np.uint8),
            np.zeros(1, np.int64), 0,
        )  # fmt: skip
    digest = np.concatenate([part.digest for part in parts])
    order = np.argsort(digest, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    lengths = np.concatenate([np.diff(part.bounds) for part in parts]).reshape(-1, 2)[order]
    bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    number, cut = np.concatenate([part.prompt_no for part in parts])[order], sum(part.cut_tokens for part in parts)
    tokens, flags = np.empty(bounds[-1], np.uint64), np.empty(bounds[-1], np.uint8)

    def taken() -> Iterator[tuple[Corpus, Int64s]]:
        first = 0
        while parts:
            part = parts.pop(0)
            yield part, rank[first : first + len(part)]
            first += len(part)

    def put(part: Corpus, places: Int64s) -> None:
        _put(part.tokens, part.flags, part.bounds, places, bounds, tokens, flags)

    for _ in mapped(lambda item: put(*item), taken()):
        pass
    return Corpus(number, digest[order], tokens, flags, bounds, cut)


@njit(cache=True, nogil=True)
def _put(tokens, flags, bounds, rank, out_bounds, out_tokens, out_flags):  # type: ignore[no-untyped-def]
    """Write prompts to their places."""
    for row in range(len(rank)):
        lo, hi, to = bounds[2 * row], bounds[2 * row + 2], out_bounds[2 * rank[row]]
        out_tokens[to : to + hi - lo] = tokens[lo:hi]
        out_flags[to : to + hi - lo] = flags[lo:hi]
