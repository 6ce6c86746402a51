"""Arguments → command → exit status. Nothing heavy is imported before a command runs, so `--help` is quick."""

from __future__ import annotations

import os
import sys

import typer

from promptsim.cli import audit, demo, drill, evidence, explain, ingest, reports, search, serve, upkeep, webhooks
from promptsim.errors import PromptsimError

app = typer.Typer(
    name="promptsim",
    help="Who else sent prompts like this? Ingest prompt logs, search them, find families across accounts.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for group in (demo, ingest, search, reports, explain, evidence, audit, webhooks, serve, drill, upkeep):
    group.register(app)


def run(arguments: list[str] | None = None) -> None:
    """Run one command; every expected error is one line on standard error."""
    sys.exit(status_of(arguments))


def status_of(arguments: list[str] | None = None) -> int:
    """The exit status of one command: 0 done, 1 failure, 2 unusable call, 3 some input rejected."""
    try:
        result = app(arguments, standalone_mode=False)
    except typer.TyperException as error:
        print(f"promptsim: {error} (promptsim --help lists commands and options)", file=sys.stderr)
        return 2
    except (typer.Abort, KeyboardInterrupt):
        print("promptsim: interrupted; what was acknowledged is kept, run the command again to go on", file=sys.stderr)
        return 1
    except PromptsimError as error:
        print(f"promptsim: {error}", file=sys.stderr)
        return error.exit_status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader went away: nobody is left to tell
        return 0
    return result if isinstance(result, int) else 0
