"""Texts → unit vectors: what an encoder is, and how one is opened.

    canonical texts ─► Encoder.encode ─► float32 [n, dimension], rows of length one ─► store, index

Two kinds exist: the static model that is shipped with the package (`static.py`, no torch) and any
sentence-transformers model (`transformer.py`). `digest` says which vectors may be compared: it covers the model's
files and the version of the code that reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from promptsim.records import Floats

Progress = Callable[[int, int], None]  # done, of how many


class Encoder(Protocol):
    """One model. `cuts` counts what was left out of texts since it was opened, by the name of the cap."""

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    @property
    def cuts(self) -> Mapping[str, int]: ...

    def encode(self, texts: Sequence[str]) -> Floats:
        """[n, dimension] float32 with rows of length one; a text without any content has a row of zeros."""
        ...


def open_encoder(
    model: str | None = None,
    *,
    device: str = "auto",
    precision: str = "auto",
    revision: str | None = None,
    trust_remote_code: bool = False,
    progress: Progress | None = None,
) -> Encoder:
    """The shipped static model for None, else the sentence-transformers model of that name or path.

    The keyword arguments concern the latter only; see `TransformerEncoder.open`.
    """
    if model is None:
        from promptsim.encode.static import shipped

        return shipped()
    from promptsim.encode.transformer import TransformerEncoder

    return TransformerEncoder.open(
        model,
        device=device,
        precision=precision,
        revision=revision,
        trust_remote_code=trust_remote_code,
        progress=progress,
    )
