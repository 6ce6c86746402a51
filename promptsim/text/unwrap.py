"""Canonical text → the same with encoded passages decoded, and a note of each.

    "Task: base64:V3JpdGUg…" ─► "Task: base64:Write …", (Layer("base64", …),)

Base64 (both alphabets, in one piece or in lines), hexadecimal and per-cent encoding, at most LAYERS deep. A passage is
decoded only if the whole of it is readable text afterwards; digests, keys and images stay as they are. Decoding never
lengthens a text, and what is looked at is bounded by MAX_BLOBS a layer: `left` counts where that cut in.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote

import numpy as np

from promptsim.records import Bools
from promptsim.text.canonical import canonical
from promptsim.text.unwrap_kernel import suspects

LAYERS = 2
MAX_BLOBS = 1000
MIN_RUN = 24  # characters in a row that may be an encoding
MIN_DECODED = 12
_WRAPPED_LINE = 40  # an encoder that breaks lines breaks them no earlier
_MIN_ESCAPES = 5
_MAX_ESCAPES = 20_000
_SAMPLE = 4096
_LEFT = "left"
_ALPHABET = "A-Za-z0-9+/_-"
_RUN = re.compile(rf"(?<![{_ALPHABET}])[{_ALPHABET}]{{{MIN_RUN},}}+")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})++")
_REST_OF_LINE = re.compile(rf"\n([{_ALPHABET}]++)(?=[=\n]|$)")
_WORD = re.compile(r"\S+")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


@dataclass(frozen=True, slots=True)
class Layer:
    """One decoded passage: characters start:end of the text at that depth (1: the text as given)."""

    kind: str
    start: int
    end: int
    decoded_chars: int
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """The text after decoding; without layers it is the text that was given."""

    text: str
    layers: tuple[Layer, ...] = ()
    left: int = 0


def unwrapped(texts: Sequence[str]) -> list[str]:
    """Each text after decoding; most are told to need none by one look at all of them."""
    out = list(texts)
    for i in np.flatnonzero(_suspects(out)).tolist():
        out[i] = unwrap(out[i]).text
    return out


def unwrap(text: str) -> Unwrapped:
    """Decode what is wrapped and readable."""
    if not _looks_wrapped(text):
        return Unwrapped(text)
    layers: list[Layer] = []
    left = 0
    for depth in range(1, LAYERS + 1):
        blobs = list(_blobs(text))
        left += sum(blob.kind == _LEFT for blob in blobs)
        text, found = _replaced(text, sorted(blob for blob in blobs if blob.decoded), depth)
        layers += found
        if not found or not _looks_wrapped(text):
            break
    return Unwrapped(text, tuple(layers), left)


def _replaced(text: str, blobs: list[_Blob], depth: int) -> tuple[str, list[Layer]]:
    """The text with each passage decoded; of two that overlap the first counts."""
    pieces, layers, end = [], [], 0
    for start, stop, kind, decoded in blobs:
        if start >= end:
            pieces += [text[end:start], decoded]
            layers.append(Layer(kind, start, stop, len(decoded), depth))
            end = stop
    return "".join([*pieces, text[end:]]), layers


def _looks_wrapped(text: str) -> bool:
    """Quick: is there a long enough run of base64 characters, or a per-cent sign often enough?"""
    return bool(_suspects([text])[0])


def _suspects(texts: Sequence[str]) -> Bools:
    """Which texts look wrapped, by their characters as one byte each (others than Latin-1 are "?")."""
    raw = np.frombuffer("".join(texts).encode("latin-1", "replace"), dtype=np.uint8)
    found: Bools = suspects(raw, np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts))), MIN_RUN, _MIN_ESCAPES)
    return found


class _Blob(NamedTuple):
    start: int
    end: int
    kind: str
    decoded: str = ""


def _blobs(text: str) -> Iterator[_Blob]:
    """Every passage that may be wrapped, with what it holds, if that is readable; the last may say what was left."""
    tried_until = 0  # lines that were tried as one are not tried as one again
    for number, run in enumerate(_RUN.finditer(text)):
        if number == MAX_BLOBS:
            yield _Blob(run.start(), len(text), _LEFT)
            break
        start, end = run.span()
        if start < tried_until:
            blob = _decoded_run(text, start, end)
        else:
            blob, tried_until = _decoded_lines(text, start, end)
            blob = blob if blob.decoded else _decoded_run(text, start, end)
        yield blob
    if text.count("%") >= _MIN_ESCAPES:
        yield from _escaped_words(text)


def _escaped_words(text: str) -> Iterator[_Blob]:
    tried = 0
    for word in _WORD.finditer(text):
        escapes = word[0].count("%")
        if escapes < _MIN_ESCAPES or "://" in word[0]:
            continue
        tried += 1
        if escapes > _MAX_ESCAPES or tried > MAX_BLOBS:
            yield _Blob(*word.span(), _LEFT)
            break
        yield _Blob(*word.span(), "percent", _from_escapes(word[0]))


def _decoded_run(text: str, start: int, end: int) -> _Blob:
    run = text[start:end]
    decoded = _readable(bytes.fromhex(run)) if _HEX.fullmatch(run) else ""
    if decoded:
        return _Blob(start, end, "hex", decoded)
    return _Blob(start, _after_padding(text, end), "base64", _from_base64(run))


def _decoded_lines(text: str, start: int, end: int) -> tuple[_Blob, int]:
    """The run read together with the lines below it, and where those end."""
    if end - start < _WRAPPED_LINE:
        return _Blob(start, end, "base64"), start
    lines, stop = _over_lines(text, start, end)
    if stop == end:
        return _Blob(start, end, "base64"), start
    return _Blob(start, _after_padding(text, stop), "base64", _from_base64(lines)), stop


def _over_lines(text: str, start: int, end: int) -> tuple[str, int]:
    """The run with the lines below it that go on as long as it is, and the shorter one that ends them."""
    width, lines = end - start, [text[start:end]]
    while following := _REST_OF_LINE.match(text, end):
        if len(following[1]) > width:
            break
        lines.append(following[1])
        end = following.end()
        if len(following[1]) < width:
            break
    return "".join(lines), end


def _after_padding(text: str, end: int) -> int:
    return end + (text.startswith("=", end) + text.startswith("==", end))


def _from_base64(run: str) -> str:
    if len(run) % 4 == 1:
        return ""
    try:
        return _readable(binascii.a2b_base64(run.encode().translate(_URL_SAFE) + b"=" * (-len(run) % 4)))
    except binascii.Error:
        return ""


def _from_escapes(word: str) -> str:
    try:
        text = unquote(word if "%20" in word else word.replace("+", " "), errors="strict")
    except UnicodeDecodeError:
        return ""
    return _readable(text.encode()) if len(text.split(maxsplit=2)) > 2 else ""  # a single value is no wrapped text


def _readable(raw: bytes) -> str:
    """The text, if it is one: UTF-8, no control characters, at least half of its beginning letters."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return ""
    plain = text.replace("\n", " ").replace("\t", " ").replace("\r", " ")
    sample = plain[:_SAMPLE]
    if len(text) < MIN_DECODED or not plain.isprintable() or 2 * sum(map(str.isalpha, sample)) < len(sample):
        return ""
    return canonical(text)
