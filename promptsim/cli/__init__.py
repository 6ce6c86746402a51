"""The command line: one module a group of commands; `main` turns errors into one line and an exit status."""

from __future__ import annotations


def main() -> None:
    """Entry of the `promptsim` script."""
    from promptsim.cli.app import run

    run()
