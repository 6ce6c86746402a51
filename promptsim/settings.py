"""Settings: command line before environment (`PROMPTSIM_…`) before default. Cast once, errors name the key.

Only what an operator decides stands here; parameters of a method stand beside the method.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from promptsim.errors import UsageError

HOME_VARIABLE = "PROMPTSIM_HOME"
MODEL_VARIABLE = "PROMPTSIM_MODEL"
WORDING_MODEL_VARIABLE = "PROMPTSIM_WORDING_MODEL"
THREADS_VARIABLE = "PROMPTSIM_THREADS"
KNOWN_VARIABLE = "PROMPTSIM_KNOWN_PROMPTS"  # a file of public prompts whose use accuses nobody
WEBHOOK_ALLOW_VARIABLE = "PROMPTSIM_WEBHOOK_ALLOW"  # networks beside public addresses: "10.2.0.0/16, 127.0.0.0/8"


@dataclass(frozen=True, slots=True)
class Settings:
    """`home`: the folder that keeps everything; `model`: None for the shipped encoder; `wording_model`: what compares
    the fixed texts of families in a clustering run, None for `model`; `threads`: at most so many."""

    home: Path
    model: str | None = None
    threads: int = 2
    wording_model: str | None = None


def load(home: Path | None = None, model: str | None = None, wording_model: str | None = None) -> Settings:
    """What the caller gave, else the environment, else the defaults of the contract."""
    chosen = home or Path(os.environ.get(HOME_VARIABLE) or "index")
    return Settings(
        chosen,
        model or os.environ.get(MODEL_VARIABLE) or None,
        _threads(),
        wording_model or os.environ.get(WORDING_MODEL_VARIABLE) or None,
    )


def known_prompts() -> Path | None:
    """The operator's file of known public prompts, for every clustering run."""
    path = os.environ.get(KNOWN_VARIABLE)
    return Path(path) if path else None


def webhook_allow() -> str:
    """Networks that webhooks may be sent to although they are not public; only the operator can say so."""
    return os.environ.get(WEBHOOK_ALLOW_VARIABLE, "")


def _threads() -> int:
    raw = os.environ.get(THREADS_VARIABLE)
    if raw is None:
        return min(os.cpu_count() or 1, 8)
    if not raw.isdecimal() or int(raw) < 1:
        raise UsageError(f"{THREADS_VARIABLE}={raw!r}: give a whole number from 1")
    return int(raw)
