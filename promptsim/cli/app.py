"""Arguments → command → exit status. Nothing heavy is imported before a command runs, so `--help` is quick."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from promptsim.cli import audit, demo, drill, evidence, explain, ingest, reports, search, serve, upkeep, webhooks
from promptsim.cli.options import HomeOption
from promptsim.errors import PromptsimError

app = typer.Typer(
    name="promptsim",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"max_content_width": 110},
)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"promptsim {version('promptsim')}")
        raise typer.Exit


@app.callback(epilog="Example: promptsim ingest logs.jsonl && promptsim cluster && promptsim families")
def common(
    context: typer.Context,
    home: HomeOption = None,
    version: Annotated[  # noqa: ARG001
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Who else sent prompts like this? Ingest prompt logs, search them, find families across accounts.

    The home is the folder that keeps everything. `--home PATH` may stand before the command or after it; the one after
    it wins.
    """
    if home is not None:
        context.default_map = _as_defaults(home, app)


def _as_defaults(home: Path, group: typer.Typer) -> dict[str, object]:
    """The home as the default of every command of a group, and of the groups inside it."""
    defaults: dict[str, object] = {str(command.name): {"home": home} for command in group.registered_commands}
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        defaults[str(inner.name)] = _as_defaults(home, inner.typer_instance)
    return defaults


for group in (demo, ingest, search, reports, explain, evidence, audit, webhooks, serve, drill, upkeep):
    group.register(app)


INTERRUPTED = 130  # 128 + SIGINT, as shells expect


def run(arguments: list[str] | None = None) -> None:
    """Run one command; every expected error is one line on standard error."""
    sys.exit(status_of(arguments))


def status_of(arguments: list[str] | None = None) -> int:
    """The exit status of one command: 0 done, 1 failure, 2 unusable call, 3 some input rejected, 130 interrupted."""
    try:
        result = app(arguments, prog_name="promptsim", standalone_mode=False)
    except typer.TyperException as error:
        said = str(error)  # the whole help where no command was given, else what is wrong
        hint = "(promptsim --help lists commands and options)"
        print(said if said.startswith("Usage: ") else f"promptsim: {said} {hint}", file=sys.stderr)
        return 2
    except (typer.Abort, KeyboardInterrupt):
        result = INTERRUPTED
    except PromptsimError as error:
        print(f"promptsim: {error}", file=sys.stderr)
        return error.exit_status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader went away: nobody is left to tell
        return 0
    if result == INTERRUPTED:  # typer makes this of a KeyboardInterrupt, and says nothing
        print("promptsim: interrupted; what was acknowledged is kept, run the command again to go on", file=sys.stderr)
    return result if isinstance(result, int) else 0
