"""The shipped encoder: known words and hashed character n-grams, summed. No torch, no download, any script.

    texts ─► compiled tokeniser (text/tokens) ─► features (kernels) ─► sum of rows ─► unit vectors

Known words have a learned row each (`scripts/distil_model.py`); unknown words in Latin letters are sums of learned
n-gram rows, those in any other script sums of seeded random rows. The whole of a text counts, however long it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from promptsim.encode import kernels
from promptsim.errors import DamagedError
from promptsim.records import Floats, Int64s
from promptsim.text.folding import fold_arrays
from promptsim.text.tokens import Tokens, tokenise_utf8

CODE = "1"  # of what kernels.py and this module make of the files; part of the digest
FOLDER = Path(__file__).parent / "model"
MANIFEST, ROWS, WORDS = "promptsim.json", "rows.safetensors", "words.txt"
PROBE = (
    "Ignore l33t W0RDS, gpt4 & 3.14 | **bold** _under_score_ `x = a[i]` > quote\n\n- it's “naïve” ｆｕｌｌ ﬁne "
    "http://a.b/c?d=1 Привет, мир! Ελληνικά שלום مرحبا بالعالم नमस्ते दुनिया 你好世界。こんにちは世界 カタカナ 안녕하세요 "
    "สวัสดี ½ ㎏ é е́ 😀 a\u200bb i g n o r e"
)
NOTHING = (np.empty(0, np.int64), np.empty(0, np.float32))
BLOCK = 256  # texts whose vectors are worked on at once, so that they stay near the processor
MEMO = 4_095  # unknown words whose sums are kept while a batch lasts
BATCH_BYTES = 8 << 20  # of text whose tokens are held at once


@dataclass(frozen=True)
class StaticModel:
    """The shipped figures: `rows` [words + n-grams, dimension] times `scales`; `weights` as kernels.py names them."""

    words: tuple[str, ...]
    rows: npt.NDArray[np.int8]
    scales: Floats
    ngrams: int
    random: int
    seed: int
    weights: tuple[float, ...]
    gamma: float

    @cached_property
    def dimension(self) -> int:
        return int(self.rows.shape[1])

    @cached_property
    def sizes(self) -> Int64s:
        return np.array([len(self.words), self.ngrams, self.random], np.int64)

    @cached_property
    def vocabulary(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
        """Open addressing by token hash; of two words with one hash the earlier, more frequent one stays.

        Words whose row is shorter than the weight "quiet" stand there as -2 - row.
        """
        tokens = _tokenise(self.words)[0]
        single = np.flatnonzero(np.diff(tokens.offsets) == 1)
        lengths = np.linalg.norm(self.rows[single].astype(np.float32), axis=1) * self.scales[single]
        values = np.where(lengths < self.weights[kernels.QUIET], -2 - single, single)
        return lookup_table(tokens.hashes[tokens.offsets[single]], values.astype(np.int32))


def lookup_table(hashes: npt.NDArray[np.uint64], rows: npt.NDArray[np.int32]) -> tuple[Any, Any]:
    size = 1 << int(np.ceil(np.log2(max(len(hashes), 1) * 2 + 2)))
    keys, values = np.zeros(size, np.uint64), np.full(size, -1, np.int32)
    home = ((hashes ^ (hashes >> np.uint64(32))) & np.uint64(size - 1)).tolist()
    taken: dict[int, int] = {}
    for place, key, row in zip(home, hashes.tolist(), rows.tolist(), strict=True):
        while taken.get(place, key) != key:
            place = (place + 1) % size
        if place not in taken:
            taken[place] = key
            keys[place], values[place] = key, row
    return keys, values


def random_rows(count: int, dimension: int, seed: int) -> npt.NDArray[np.int8]:
    """Seeded noise, odd numbers only, so that it is symmetrical about zero; the same on every machine."""
    words = np.random.PCG64(seed).random_raw(count * dimension // 8)
    return (words.astype("<u8").view(np.int8) | np.int8(1)).reshape(count, dimension)


def unit_scales(rows: npt.NDArray[np.int8]) -> Floats:
    scales: Floats = (1.0 / np.linalg.norm(rows.astype(np.float32), axis=1)).astype(np.float32)
    return scales


def _tokenise(texts: Sequence[str]) -> tuple[Tokens, npt.NDArray[np.uint8], Int64s]:
    encoded = [text.encode("utf-8", "replace") for text in texts]
    bases = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(part) for part in encoded], out=bases[1:])
    buffer = np.frombuffer(b"".join(encoded), np.uint8)
    return tokenise_utf8(buffer, bases), buffer, bases


class StaticEncoder:
    """`Encoder` from a `StaticModel`; nothing is ever cut, so `cuts` stays empty."""

    name = "promptsim-static"

    def __init__(self, model: StaticModel, digest: str) -> None:
        self.model = model
        self.digest = digest
        self.dimension = model.dimension
        noise = random_rows(model.random + kernels.SCRIPTS, model.dimension, model.seed)
        self._rows = np.concatenate([model.rows, noise[: model.random]])
        self._scales = np.concatenate([model.scales, unit_scales(noise[: model.random])])
        anchors = noise[model.random :]
        self._anchors: Floats = anchors.astype(np.float32) * unit_scales(anchors)[:, None]
        self._weights = np.array(model.weights, np.float32)

    @classmethod
    def load(cls, folder: Path = FOLDER) -> StaticEncoder:
        model, digest = load_model(folder)
        return cls(model, digest)

    @property
    def cuts(self) -> Mapping[str, int]:
        return {}

    def encode(self, texts: Sequence[str]) -> Floats:
        vectors = np.empty((len(texts), self.dimension), np.float32)
        start = 0
        while start < len(texts):
            end, size = start, 0
            while end < len(texts) and size < BATCH_BYTES:
                size += len(texts[end])
                end += 1
            self._encode(texts[start:end], vectors[start:end])
            start = end
        return vectors

    def encode_tokens(self, tokens: Tokens, buffer: npt.NDArray[np.uint8], bases: Int64s) -> Floats:
        """As `encode`, of texts that are tokenised already: their UTF-8 in one buffer, each beginning at its base."""
        vectors = np.empty((len(tokens.offsets) - 1, self.dimension), np.float32)
        self._embed(tokens, buffer, bases, vectors)
        return vectors

    def _encode(self, texts: Sequence[str], out: Floats) -> None:
        self._embed(*_tokenise(texts), out)

    def _embed(self, tokens: Tokens, buffer: npt.NDArray[np.uint8], bases: Int64s, out: Floats) -> None:
        memo = self._memo(len(tokens.hashes))
        for first in range(0, len(out), BLOCK):
            block = slice(first, min(first + BLOCK, len(out)))
            part = out[block]
            part[:] = 0
            foreign = np.zeros_like(part)
            masses = np.zeros((len(part), kernels.SCRIPTS), np.float32)
            offsets = tokens.offsets[first : block.stop + 1]
            kept = np.zeros(len(part) + 1, np.int64)
            self._sum(tokens, buffer, bases[block], offsets, memo, part, foreign, masses, kept, *NOTHING)
            self._join(part, foreign, masses)

    def _memo(self, tokens: int) -> tuple[npt.NDArray[Any], ...]:
        slots = 1 << min(tokens, MEMO).bit_length()
        return np.zeros(slots, np.uint64), np.zeros(slots, np.int64), np.empty((slots, self.dimension), np.float32)

    def _sum(
        self,
        tokens: Tokens,
        buffer: npt.NDArray[np.uint8],
        bases: Int64s,
        offsets: Int64s,
        memo: tuple[npt.NDArray[Any], ...],
        *results: npt.NDArray[Any],
    ) -> None:
        kernels.embed(
            buffer, bases, tokens.hashes, tokens.starts, tokens.ends, tokens.kinds, offsets,
            *self.model.vocabulary, *fold_arrays(), self.model.sizes, self._weights,
            self._rows, self._scales, *memo, *results,
        )  # fmt: skip

    def _join(self, out: Floats, foreign: Floats, masses: Floats) -> None:
        """Add the part in other scripts, with what texts of one script have in common, and make the rows unit."""
        some = np.flatnonzero(masses.any(axis=1))
        if len(some):
            size = np.linalg.norm(foreign[some], axis=1, keepdims=True)
            share = masses[some] / np.linalg.norm(masses[some], axis=1, keepdims=True)
            # row by row: a product of many rows at once is summed in another order than one row alone
            out[some] += foreign[some] + np.float32(self.model.gamma) * size * (share[:, None] @ self._anchors)[:, 0]
        norms = np.sqrt(np.einsum("ij,ij->i", out, out))
        out *= np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0)[:, None]

    def features(self, texts: Sequence[str]) -> tuple[Int64s, Floats, Int64s]:
        """The numbers of the rows that each text sums and their shares, as flat arrays with offsets: for learning."""
        tokens, buffer, bases = _tokenise(texts)
        room = 8 * len(buffer) + 64
        ids, shares, offsets = np.empty(room, np.int64), np.empty(room, np.float32), np.zeros(len(texts) + 1, np.int64)
        spare = np.zeros((len(texts), self.dimension), np.float32)
        masses = np.zeros((len(texts), kernels.SCRIPTS), np.float32)
        memo = self._memo(0)
        self._sum(tokens, buffer, bases, tokens.offsets, memo, spare, spare, masses, offsets, ids, shares)
        return ids[: offsets[-1]].copy(), shares[: offsets[-1]].copy(), offsets


@cache
def shipped() -> StaticEncoder:
    """The shipped encoder, one for the whole process: it holds no state of its own."""
    return StaticEncoder.load()


def load_model(folder: Path = FOLDER) -> tuple[StaticModel, str]:
    """The model in a folder and its digest; files that are not as the manifest says are refused."""
    from safetensors.numpy import load

    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        contents = {name: (folder / name).read_bytes() for name in (ROWS, WORDS)}
    except (OSError, ValueError) as error:
        raise DamagedError(f"{folder}: the shipped model cannot be read ({error}); install promptsim again") from error
    for name, content in contents.items():
        if hashlib.sha256(content).hexdigest() != manifest["sha256"][name]:
            raise DamagedError(f"{folder / name} is not the file that was shipped; install promptsim again")
    tensors = load(contents[ROWS])
    model = StaticModel(
        words=tuple(contents[WORDS].decode("utf-8").split("\n")[:-1]),
        rows=tensors["rows"],
        scales=tensors["scales"].astype(np.float32),
        ngrams=manifest["ngrams"],
        random=manifest["random"],
        seed=manifest["seed"],
        weights=tuple(manifest["weights"][name] for name in kernels.WEIGHTS),
        gamma=manifest["gamma"],
    )
    return model, model_digest(manifest)


def model_digest(manifest: Mapping[str, Any]) -> str:
    """Identity of the vectors: every file and figure of the model, the tokeniser and the code that sums."""
    identity = json.dumps(manifest, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(f"static {CODE} tokeniser {tokeniser_digest()}\n{identity}".encode()).hexdigest()


def tokeniser_digest() -> str:
    """Known by its works: the tokens of a text with every kind of them. Other hashes make other vectors."""
    tokens = _tokenise([PROBE])[0]
    digest = hashlib.sha256(tokens.hashes.astype("<u8").tobytes())
    digest.update(tokens.kinds.tobytes())
    return digest.hexdigest()


def save_model(model: StaticModel, folder: Path, notes: Mapping[str, Any]) -> str:
    """Write the folder that `load_model` and sentence-transformers read; its digest."""
    from safetensors.numpy import save

    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        ROWS: save({"rows": model.rows, "scales": model.scales.astype(np.float16)}),
        WORDS: "".join(word + "\n" for word in model.words).encode("utf-8"),
    }
    manifest = {
        "dimension": model.dimension,
        "ngrams": model.ngrams,
        "random": model.random,
        "seed": model.seed,
        "weights": dict(zip(kernels.WEIGHTS, model.weights, strict=True)),
        "gamma": model.gamma,
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
        **notes,
    }
    module = {"idx": 0, "name": "0", "path": "", "type": "promptsim.encode.static_module.StaticModule"}
    for name, value in ((MANIFEST, manifest), ("modules.json", [module])):
        contents[name] = (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode("utf-8")
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return model_digest(manifest)
