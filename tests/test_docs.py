"""Every command that the documents show is run, in the order in which they show it, and every command is documented."""

from __future__ import annotations

import inspect
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SET_UP = re.compile(r"^(git clone|cd |scripts/|pip )")  # what makes the environment that this very test runs in
LONG = re.compile(r"^promptsim serve\b")  # runs until it is stopped: tests/test_api_*.py starts it


def commands(document: Path) -> list[str]:
    """The lines after `$ ` in the `console` blocks of a document."""
    blocks = re.findall(r"^```console\n(.*?)^```", document.read_text(encoding="utf-8"), re.S | re.M)
    lines = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return [line for line in lines if not SET_UP.match(line) and not LONG.match(line)]


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if commands(d)], ids=lambda d: d.name)
def test_the_commands_of_a_document_work(document: Path, tmp_path: Path) -> None:
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PROMPTSIM_HOME": str(tmp_path / "index"),
    }
    for command in commands(document):
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {command}"],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{document.name}: {command}\n{done.stdout}\n{done.stderr}"


def test_the_readme_names_every_command() -> None:
    from promptsim.cli.app import app

    names = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = sorted(str(name) for name in names if f"promptsim {name}" not in readme)
    assert missing == []


def every_command() -> Iterator[tuple[str, Callable[..., object]]]:
    from promptsim.cli.app import app

    groups = [("", app), *((f"{group.name} ", group.typer_instance) for group in app.registered_groups)]
    for prefix, group in groups:
        for command in group.registered_commands:
            yield f"{prefix}{command.name}", command.callback


def test_every_command_of_the_program_shows_an_example_of_itself() -> None:
    assert [name for name, run in every_command() if f"Example: promptsim {name}" not in (run.__doc__ or "")] == []


def test_every_command_takes_json_but_the_one_that_never_ends() -> None:
    assert [name for name, run in every_command() if "json" not in inspect.signature(run).parameters] == ["serve"]


def test_documented_programs_exist() -> None:
    for document in DOCUMENTS:
        for command in commands(document):
            program = shlex.split(command)[0]
            assert program in {"promptsim", "python", "head", "cat", "printf", "echo", "export"} or program.startswith(
                "scripts/"
            ), command
