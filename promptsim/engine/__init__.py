"""The rooms joined: ingest, search, match and cluster, each readable from top to bottom."""

from __future__ import annotations

from promptsim.engine.engine import Engine, restore_home

__all__ = ["Engine", "restore_home"]
