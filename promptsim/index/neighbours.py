"""many stored prompts → the k nearest others of each: what clustering asks for, in blocks.

Searching is the same as for one query, through fewer lists: a neighbour missed here is a link missed among many.
"""

from __future__ import annotations

import numpy as np

from promptsim.index.vectors import VectorIndex
from promptsim.progress import Progress, Silent
from promptsim.records import Bools, Floats, Int64s

PROBES = 64
BLOCK = 4096


def neighbours(
    index: VectorIndex,
    prompts: Int64s,
    k: int,
    allowed: Bools | None = None,
    progress: Progress | None = None,
) -> tuple[Floats, Int64s]:
    """For each of the prompts its k nearest others.

    Returns cosines float32 [p, k] and prompt numbers int64 [p, k], by cosine descending, then number ascending, padded
    with -inf and -1. A prompt is never its own neighbour; one without a vector has none. About 1 ms each and thread.
    """
    scores, found = np.full((prompts.size, k), -np.inf, np.float32), np.full((prompts.size, k), -1, np.int64)
    with (progress or Silent()).stage("finding neighbours", total=prompts.size) as stage:
        for low in range(0, prompts.size, BLOCK):
            block = prompts[low : low + BLOCK]
            queries = index.vectors[block].astype(np.float32)
            near, named = index.search(queries, k + 1, allowed, probes=PROBES)
            scores[low : low + BLOCK], found[low : low + BLOCK] = _others(near, named, block)
            stage.advance(block.size)
    return scores, found


def _others(scores: Floats, found: Int64s, own: Int64s) -> tuple[Floats, Int64s]:
    """Each line without its own prompt, or without its last one where the prompt itself was not found."""
    drop = found == own[:, None]
    drop[~drop.any(axis=1), -1] = True
    shape = (found.shape[0], found.shape[1] - 1)
    return scores[~drop].reshape(shape), found[~drop].reshape(shape)
