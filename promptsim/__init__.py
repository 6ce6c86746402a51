"""Who else sent prompts like this?

    a log line ─► intake ─► text ─► encode ─► store (the truth) ─► index (disposable)
                                                │                      │
                 families ─► networks  ◄────────┴──────► search, match ┘
                     └─► review ─► enforcement: export, webhooks, audit

`Engine` joins the rooms:

    from promptsim import Engine

    with Engine.open("index") as engine:
        engine.ingest([{"account_id": "a", "timestamp": 1760000000, "text": "Act as …"}])
        engine.cluster()
        for hit in engine.search("Act as …").hits:
            print(hit.account_id, hit.similarity)
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

# Before anything imports numba: words that are treated alike are treated together. Twice the speed of `index/scan.py`.
os.environ.setdefault("NUMBA_SLP_VECTORIZE", "1")

if TYPE_CHECKING:
    from promptsim.engine import Engine as Engine

__all__ = ["Engine"]


def __getattr__(name: str) -> Any:
    """`Engine` is imported when first used: it brings FAISS and numba with it, `promptsim --help` does not."""
    if name != "Engine":
        raise AttributeError(f"module 'promptsim' has no attribute {name!r}")
    from promptsim.engine import Engine

    return Engine
