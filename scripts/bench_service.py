"""Load on a running `promptsim serve`, over loopback, from this second process: latency by number of clients.

    python scripts/bench_service.py URL --queries traffic.jsonl.gz [--seconds 10] [--clients 1,8,32] [--ingest]

Queries are texts of the file with a word put before them, so that none is known as it stands. `--ingest` sends new
events meanwhile, 200 a request, from one client. Prints one line of JSON for each setting.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import random
import time
from pathlib import Path

import httpx2


def texts(path: Path, count: int) -> list[str]:
    """Texts from the gzipped file, at random, the same each time."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    found = [row["text"] for row in random.Random(0).sample(rows, len(rows)) if isinstance(row.get("text"), str)]
    return found[:count]


async def ask(client: httpx2.AsyncClient, path: str, bodies: list[bytes], until: float, times: list[float]) -> int:
    """One client that asks again as soon as it is answered; how many answers were no 200."""
    wrong = 0
    rng = random.Random(len(times) + id(bodies) % 97)
    while time.perf_counter() < until:
        began = time.perf_counter()
        answer = await client.post(path, content=rng.choice(bodies), headers={"Content-Type": "application/json"})
        times.append(time.perf_counter() - began)
        wrong += answer.status_code != 200
    return wrong


async def send(client: httpx2.AsyncClient, sample: list[str], until: float) -> tuple[int, int]:
    """Events that were acknowledged, and requests that failed."""
    sent = wrong = 0
    mark = time.time_ns()
    while time.perf_counter() < until:
        batch = [
            {"account_id": f"load{i % 50}", "timestamp": 1_772_000_000 + i, "text": f"{mark} {sent + i} {sample[i]}"}
            for i in range(200)
        ]
        answer = await client.post("/v1/prompts", json=batch)
        wrong += answer.status_code != 200
        sent += answer.json().get("accepted", 0)
    return sent, wrong


async def measure(
    url: str, key: str | None, path: str, sample: list[str], clients: int, seconds: float, ingest: bool
) -> dict[str, object]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    bodies = [json.dumps({"text": f"Hello! {text}"}).encode() for text in sample]
    times: list[float] = []
    async with httpx2.AsyncClient(
        base_url=url, headers=headers, timeout=60, limits=httpx2.Limits(max_connections=100)
    ) as client:
        await client.post(path, content=bodies[0], headers={"Content-Type": "application/json"})
        began = time.perf_counter()
        until = began + seconds
        jobs = [asyncio.create_task(ask(client, path, bodies, until, times)) for _ in range(clients)]
        sending = asyncio.create_task(send(client, sample, until)) if ingest else None
        wrong = sum(await asyncio.gather(*jobs))
        sent, unsent = await sending if sending else (0, 0)
        took = time.perf_counter() - began
    times.sort()
    at = lambda share: round(1000 * times[min(len(times) - 1, int(share * len(times)))], 1)  # noqa: E731
    row: dict[str, object] = {
        "path": path, "clients": clients, "answers": len(times), "per_second": round(len(times) / took, 1),
        "p50_ms": at(0.5), "p99_ms": at(0.99), "errors": wrong + unsent, "load": round(os.getloadavg()[0], 1),
    }  # fmt: skip
    return row | ({"events_per_second": round(sent / took)} if ingest else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--queries", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--clients", default="1,8,32")
    parser.add_argument("--paths", default="/v1/search,/v1/match")
    parser.add_argument("--ingest", action="store_true")
    parser.add_argument("--key")
    given = parser.parse_args()
    sample = texts(given.queries, 2000)
    for path in given.paths.split(","):
        for clients in map(int, given.clients.split(",")):
            row = asyncio.run(measure(given.url, given.key, path, sample, clients, given.seconds, given.ingest))
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
