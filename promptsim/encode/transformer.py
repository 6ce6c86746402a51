"""Any sentence-transformers model, by name or path → `Encoder`. The only module that knows torch.

    name or path ─► folder of files (safetensors only) ─► SentenceTransformer ─► windows ─► vectors

A text longer than the model's window is cut into windows whose vectors are averaged by their numbers of tokens, so
that no part is lost; what exceeds `MAX_WINDOWS` is counted in `cuts`. Imported late: torch takes seconds.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from transformers.utils.logging import disable_progress_bar

from promptsim.encode.encoder import Progress
from promptsim.errors import UsageError
from promptsim.records import Floats

VERSION = "1"  # of what this module makes of a model's output; part of the digest
MAX_WINDOWS = 32
CHUNK = 4_096  # texts of like length between two reports of progress
BATCH = {"cpu": 64, "cuda": 512}
PRECISIONS = ("auto", "float32", "bfloat16")
UNSAFE = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
IGNORED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.h5", "*.msgpack", "*.ot", "onnx/*", "openvino/*")


class TransformerEncoder:
    """A sentence-transformers model with its name, revision and digest; see `open`."""

    def __init__(self, model: Any, name: str, revision: str, digest: str, progress: Progress | None = None) -> None:
        self.name = name
        self.revision = revision
        self.digest = digest
        self.dimension = int(model.get_embedding_dimension())
        self._model = model
        self._progress = progress
        self._cuts = {"tokens_beyond_windows": 0, "texts_beyond_windows": 0}

    @classmethod
    def open(
        cls,
        model: str,
        *,
        device: str = "auto",
        precision: str = "auto",
        revision: str | None = None,
        trust_remote_code: bool = False,
        progress: Progress | None = None,
    ) -> TransformerEncoder:
        """Load `model`, a folder or a name on the Hugging Face Hub.

        `device`: auto, cpu, cuda, cuda:1 …; `precision`: auto takes bfloat16 where the processor multiplies it in
        hardware. The model's own code runs only with `trust_remote_code`, and never from pickled weights.
        """
        if precision not in PRECISIONS:
            raise UsageError(f"precision={precision!r}: give one of {', '.join(PRECISIONS)}")
        folder, commit = _folder(model, revision)
        _refuse_pickles(folder, model)
        where = _device(device)
        disable_progress_bar()  # type: ignore[no-untyped-call]  # its bar for reading weights, which no quiet call asked for
        try:
            loaded = SentenceTransformer(
                str(folder),
                device=where,
                trust_remote_code=trust_remote_code,
                local_files_only=True,
                model_kwargs={"use_safetensors": True},
            )
        except Exception as error:  # whatever a foreign model's files provoke
            raise UsageError(_cannot_load(model, error)) from error
        if _bfloat16(precision, where):
            loaded = loaded.to(torch.bfloat16)
        return cls(loaded.eval(), model, commit, files_digest(folder), progress)

    @property
    def cuts(self) -> Mapping[str, int]:
        return dict(self._cuts)

    def encode(self, texts: Sequence[str]) -> Floats:
        pieces, owners, weights = self._pieces(texts)
        found = self._encode_pieces(pieces)
        sums = np.zeros((len(texts), self.dimension), np.float32)
        np.add.at(sums, owners, found * weights[:, None])
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        np.divide(sums, lengths, out=sums, where=lengths > 0)
        return sums

    def _encode_pieces(self, pieces: Sequence[str]) -> Floats:
        """Unit vectors; sorted by length over all pieces, so that a batch wastes little on padding."""
        order = np.argsort([-len(piece) for piece in pieces], kind="stable")
        found = np.zeros((len(pieces), self.dimension), np.float32)
        batch = BATCH["cpu" if self._model.device.type == "cpu" else "cuda"]
        for start in range(0, len(pieces), CHUNK):
            rows = order[start : start + CHUNK]
            vectors = self._model.encode(
                [pieces[row] for row in rows],
                batch_size=batch,
                convert_to_tensor=True,
                show_progress_bar=False,
                normalize_embeddings=False,
            )
            found[rows] = torch.nn.functional.normalize(vectors.float(), dim=1).cpu().numpy()
            if self._progress is not None:
                self._progress(min(start + CHUNK, len(pieces)), len(pieces))
        return found

    def _pieces(self, texts: Sequence[str]) -> tuple[list[str], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Each text, or its windows: the pieces, the text that each belongs to, and its number of tokens."""
        pieces: list[str] = []
        owners: list[int] = []
        weights: list[float] = []
        for number, text in enumerate(texts):
            for piece, tokens in self._windows(text):
                pieces.append(piece)
                owners.append(number)
                weights.append(tokens)
        return pieces, np.asarray(owners, np.int64), np.asarray(weights, np.float32)

    def _windows(self, text: str) -> Iterator[tuple[str, int]]:
        if not text or text.isspace():
            return
        window = self._window()
        if window is None or len(text) <= window:  # a token is at least one character
            yield text, 1
            return
        offsets = self._model.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        spans = offsets["offset_mapping"]
        for start in range(0, min(len(spans), window * MAX_WINDOWS), window):
            part = spans[start : start + window]
            yield text[part[0][0] : part[-1][1]], len(part)
        if len(spans) > window * MAX_WINDOWS:
            self._cuts["texts_beyond_windows"] += 1
            self._cuts["tokens_beyond_windows"] += len(spans) - window * MAX_WINDOWS

    def _window(self) -> int | None:
        """Tokens of text that fit beside the special ones; None where the model does not cut."""
        limit = self._model.max_seq_length
        fast = getattr(getattr(self._model, "tokenizer", None), "is_fast", False)
        return max(int(limit) - 2, 1) if limit and fast else None


def files_digest(folder: Path) -> str:
    """SHA-256 over names and contents of the files that make the model, and over this code's version."""
    digest = hashlib.sha256(f"transformer {VERSION}\n".encode())
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        if path.suffix in {".safetensors", ".json", ".txt", ".model", ".py"} and not _hidden(path, folder):
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _folder(model: str, revision: str | None) -> tuple[Path, str]:
    """Where the model's files are, and the revision that they are of (empty for a plain folder)."""
    path = Path(model).expanduser()
    if path.is_dir():
        if not (path / "modules.json").is_file() and not (path / "config.json").is_file():
            raise UsageError(f"{model}: no model there (neither modules.json nor config.json in the folder)")
        return path, ""
    if path.is_absolute() or model.startswith((".", "~")) or model.count("/") > 1:
        raise UsageError(f"{model}: no such folder; give a folder that holds a sentence-transformers model")
    return _download(model if "/" in model else f"sentence-transformers/{model}", revision)


def _download(name: str, revision: str | None) -> tuple[Path, str]:
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(name, revision=revision, ignore_patterns=list(IGNORED)))
    except Exception as error:
        raise UsageError(
            f"{name}: not on this machine and not to be had from the Hub ({_first_line(error)}); give the path of a "
            "folder that holds the model, made elsewhere by SentenceTransformer(NAME).save_pretrained(FOLDER)"
        ) from error
    return folder, folder.name


def _refuse_pickles(folder: Path, model: str) -> None:
    names = [path.name for path in folder.rglob("*") if path.is_file()]
    if not any(name.endswith(".safetensors") for name in names):
        unsafe = sorted(name for name in names if name.endswith(UNSAFE))
        found = f"only {', '.join(unsafe)}" if unsafe else "no weights"
        raise UsageError(
            f"{model}: {found}; weights are read from safetensors alone: save the model again with "
            "SentenceTransformer(…).save_pretrained(FOLDER)"
        )
    for path in folder.rglob("modules.json"):
        for module in json.loads(path.read_text("utf-8")):
            part = path.parent / str(module.get("path", ""))
            own = [p.name for p in part.glob("*") if p.is_file()] if part.is_dir() else []
            if any(n.endswith(UNSAFE) for n in own) and not any(n.endswith(".safetensors") for n in own):
                raise UsageError(f"{model}: {module.get('path')} has pickled weights only; save it as safetensors")


def _device(device: str) -> str:
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"device={device!r}: not on this machine ({_first_line(error)}); try auto or cpu") from error
    return device


def _bfloat16(precision: str, device: str) -> bool:
    if precision != "auto":
        return precision == "bfloat16"
    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())


def _cannot_load(model: str, error: Exception) -> str:
    reason = _first_line(error)
    if "trust_remote_code" in str(error):
        return f"{model}: runs code of its own; allow it with trust_remote_code if you have read that code"
    return f"{model}: cannot be loaded ({reason}); it must be a sentence-transformers model saved as safetensors"


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:200]


if os.environ.get("TOKENIZERS_PARALLELISM") is None:  # forked workers would warn on every batch
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
