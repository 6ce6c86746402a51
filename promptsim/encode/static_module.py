"""The shipped static model as a module of sentence-transformers, so that it can be used and compared there too.

SentenceTransformer("promptsim/encode/model", trust_remote_code=True)   the flag, as this class is not their own
SentenceTransformer(modules=[StaticModule.load("promptsim/encode/model")])
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from sentence_transformers.base.modules.input_module import InputModule

from promptsim.encode.static import FOLDER, MANIFEST, ROWS, WORDS, StaticEncoder


class StaticModule(InputModule):  # type: ignore[misc]
    """Inference only: the rows are looked up by `StaticEncoder`, no gradient reaches them."""

    def __init__(self, folder: Path = FOLDER) -> None:
        super().__init__()
        self.folder = folder
        self.encoder = StaticEncoder.load(folder)

    @property
    def max_seq_length(self) -> float:
        return math.inf

    def get_embedding_dimension(self) -> int:
        return self.encoder.dimension

    def preprocess(self, inputs: Sequence[str], prompt: str | None = None, **_: Any) -> dict[str, torch.Tensor]:
        texts = [(prompt or "") + text for text in inputs]
        return {"vectors": torch.from_numpy(self.encoder.encode(texts))}

    def forward(self, features: dict[str, torch.Tensor], **_: Any) -> dict[str, torch.Tensor]:
        features["sentence_embedding"] = features["vectors"]
        return features

    def save(self, output_path: str, *_: Any, **__: Any) -> None:
        for name in (MANIFEST, ROWS, WORDS):
            shutil.copyfile(self.folder / name, Path(output_path) / name)

    @classmethod
    def load(cls, model_name_or_path: str, subfolder: str = "", **_: Any) -> StaticModule:
        return cls(Path(model_name_or_path) / subfolder)
