"""`promptsim status`, `check`, `reindex`, `snapshot`, `restore`, `erase`, `retain`: the home and its files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptsim import settings
from promptsim.cli.options import HomeOption, JsonOption, ModelOption, moment, open_engine
from promptsim.cli.output import number, print_json, say, table, tell
from promptsim.cli.progress import progress
from promptsim.contract import rfc3339
from promptsim.errors import UsageError


def register(app: typer.Typer) -> None:
    for command in (status, check, reindex, snapshot, restore, erase, retain):
        app.command(command.__name__)(command)


def status(home: HomeOption = None, json: JsonOption = False) -> None:
    """Show what the home holds, and in which state.

    Events, prompts, accounts, the encoder, the index, the last run.

    Example: promptsim status --json
    """
    with open_engine(home) as engine:
        report = engine.status()
    if json:
        print_json(report)
        return
    table([("", "left"), ("", "wrap")], [[name.replace("_", " "), _shown(value)] for name, value in report.items()])


def _shown(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int):
        return number(value)
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {_shown(item)}" for name, item in value.items() if item != "")
    return str(value)


def check(home: HomeOption = None, json: JsonOption = False) -> int:
    """Verify every file of the home.

    Exit status 1 when something is damaged, with the command that mends it.

    Example: promptsim check
    """
    with open_engine(home) as engine:
        problems = engine.check()
    if json:
        print_json({"ok": not problems, "problems": problems})
    else:
        for problem in problems:
            say(problem)
        say(f"{len(problems)} problems" if problems else "no damage found")
    return 1 if problems else 0


def reindex(home: HomeOption = None, model: ModelOption = None, json: JsonOption = False) -> None:
    """Build the index again, with another model where asked.

    With another --model, every prompt is embedded again first.

    Example: promptsim reindex --model sentence-transformers/all-MiniLM-L6-v2
    """
    with open_engine(home, model, reindex=True) as engine:
        report = engine.reindex(progress=progress(quiet=json))
        status = engine.status()
    tell(json, {"prompts": status["prompts"], "encoder": status["encoder"], "index": status["index"]}, report)


def snapshot(
    destination: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Copy the home while it is in use.

    The copy is a home itself, and its index is built when first opened.

    Example: promptsim snapshot backup-2026-11-23
    """
    with open_engine(home) as engine:
        engine.snapshot(destination)
    tell(json, {"snapshot": str(destination)}, f"snapshot in {destination}")


def restore(
    source: Annotated[Path, typer.Argument(metavar="FOLDER", help="A snapshot.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Make a home from a snapshot.

    It refuses to overwrite one that holds anything.

    Example: promptsim restore backup-2026-11-23 --home index
    """
    from promptsim.engine import restore_home

    chosen = settings.load(home).home
    restore_home(source, chosen)
    tell(json, {"snapshot": str(source), "home": str(chosen)}, f"restored {source} to {chosen}")


def erase(
    account_id: Annotated[str, typer.Argument(metavar="ACCOUNT")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this nothing is erased.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Erase an account from all files of the home.

    Its sends, and every text that only it sent.

    Example: promptsim erase acct_17 --yes
    """
    with open_engine(home) as engine:
        if not yes:
            events = engine.account(account_id).event_count
            raise UsageError(f"{account_id} has {number(events)} sends; give --yes to erase them for good")
        done = engine.erase(account_id)
    tell(
        json,
        {"account_id": account_id, "events": done.events, "prompts": done.prompts},
        f"erased {account_id}: {number(done.events)} sends, {number(done.prompts)} texts that nobody else sent",
    )


def retain(
    since: Annotated[str, typer.Option("--since", metavar="T", help="Keep sends from this time on; erase older ones.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this nothing is erased.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Erase what is older than a time.

    Example: promptsim retain --since 2026-01-01 --yes
    """
    bound = moment(since, "--since")
    assert bound is not None
    with open_engine(home) as engine:
        if not yes:
            raise UsageError("give --yes to erase for good what is older")
        done = engine.retain(bound)
    tell(
        json,
        {"since": rfc3339(bound), "events": done.events, "prompts": done.prompts},
        f"erased {number(done.events)} sends and {number(done.prompts)} texts from before {since}",
    )
