"""A folder ─► Home: where the files of a home lie, and whether the folder can be one at all.

The first step of every command that opens a home: `prepare` refuses with one sentence and its fix what could not work
later.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from promptsim.errors import HomeError

DATABASE = "promptsim.db"
VARIABLE = "PROMPTSIM_HOME"
# What may lie in a folder that is to become a home: the repository's own README, and what leaves no doubt.
HARMLESS = frozenset({"README.md", ".gitignore", ".gitkeep", ".DS_Store", "lost+found"})


@dataclass(frozen=True, slots=True)
class Home:
    """The layout of a home; `index` belongs to the index room and can be deleted at any time."""

    path: Path

    @property
    def database(self) -> Path:
        return self.path / DATABASE

    def vectors(self, generation: int = 1) -> Path:
        """Vectors by another encoder are a further generation; the database says which one counts."""
        return self.path / ("vectors.f16" if generation == 1 else f"vectors-{generation}.f16")

    @property
    def columns(self) -> Path:
        return self.path / "events.cols"

    @property
    def keys(self) -> Path:
        return self.path / "keys"

    @property
    def index(self) -> Path:
        return self.path / "index"


def prepare(path: Path, *, create: bool) -> Home:
    """The home at `path`; makes the folder when `create` allows it."""
    home = Home(path)
    try:
        if path.exists() and not path.is_dir():
            raise HomeError(f"{path} is a file, not a folder: name a folder with --home or ${VARIABLE}")
        if home.database.is_file():
            _require_writable(path)
            return home
        _require_new_or_empty(home, create)
        path.mkdir(parents=True, exist_ok=True)
        _require_writable(path)
    except OSError as error:
        raise HomeError(f"{path} cannot be used as a home: {error.strerror or error}") from error
    return home


def _require_new_or_empty(home: Home, create: bool) -> None:
    path = home.path
    if home.vectors().exists():
        raise HomeError(f"{path} has vectors but no {DATABASE}: restore a snapshot, or move the folder away")
    if not create:
        raise HomeError(
            f"there is no home at {path}: ingest something first, or name another with --home or ${VARIABLE}"
        )
    foreign = sorted(entry.name for entry in path.iterdir() if entry.name not in HARMLESS) if path.is_dir() else []
    # An interrupted first start leaves the database's companions; they are ours.
    foreign = [name for name in foreign if not name.startswith(DATABASE)]
    if foreign:
        shown = ", ".join(foreign[:3]) + (", …" if len(foreign) > 3 else "")
        raise HomeError(f"{path} holds other files ({shown}): choose an empty or new folder with --home or ${VARIABLE}")


def _require_writable(path: Path) -> None:
    if not os.access(path, os.W_OK | os.X_OK):
        raise HomeError(
            f"{path} is not writable: mend its permissions, or choose another folder with --home or ${VARIABLE}"
        )
