"""The direction of imports: a module imports only from rooms of a strictly lower rank, or from its own room."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "promptsim"
RANKS: dict[str, int] = {
    room: rank
    for rank, rooms in enumerate(
        [
            ("errors", "records", "progress"),
            ("text", "contract", "settings", "visible", "lookahead", "meetings", "memory", "order", "pages"),
            ("intake", "encode", "store", "index", "families", "networks", "evaluate"),
            ("simulate",),
            ("engine",),
            ("jobs", "review"),
            ("enforcement",),
            ("service",),
            ("api", "web", "scale"),
            ("cli",),  # where `serve` puts the API and the page together
        ]
    )
    for room in rooms
}
OWNERS = {"faiss": {"index"}, "sqlite_utils": {"store"}, "sqlite3": {"store"}, "torch": {"encode"}}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Dotted names imported anywhere in the file, function bodies included, so that no late import hides a cycle."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            base = node.module or ""
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names if base == "promptsim")
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_downwards(path: Path) -> None:
    room = room_of(path)
    assert room in RANKS, f"{room} has no rank: add it to the drawing above"
    for name in sorted(imported(path)):
        parts = name.split(".")
        if parts[0] == "promptsim" and len(parts) > 1 and parts[1] != room and parts[1] in RANKS:
            assert RANKS[parts[1]] < RANKS[room], f"{room} may not import {parts[1]}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_sql_faiss_and_torch_each_stand_in_one_place(path: Path) -> None:
    top = {name.split(".")[0] for name in imported(path)}
    for package, owners in OWNERS.items():
        assert package not in top or room_of(path) in owners, f"{package} belongs to {owners}"


def test_nothing_is_pickled() -> None:
    for path in MODULES:
        assert not {"pickle", "dill", "joblib", "cloudpickle"} & {n.split(".")[0] for n in imported(path)}, path
        assert "allow_pickle=True" not in path.read_text(encoding="utf-8"), path
