"""`promptsim demo`: the main job on simulated traffic, for someone who has never seen the program."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Annotated

import typer

from promptsim import settings
from promptsim.cli.options import JsonOption, open_engine
from promptsim.cli.output import console, number, print_json
from promptsim.cli.progress import progress
from promptsim.cli.reports import print_families, print_networks
from promptsim.contract import family_row, network_row, run_row
from promptsim.errors import UsageError

MARK = "made-by-demo"  # a folder without this file is never deleted


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo(
    home: Annotated[
        Path | None,
        typer.Option("--home", metavar="PATH", help="Where to build it; else demo/ in the home folder."),
    ] = None,
    events: Annotated[int, typer.Option("--events", metavar="N", min=1000, help="About so many events.")] = 20_000,
    seed: Annotated[int, typer.Option("--seed", help="Another seed, other traffic.")] = 0,
    json: JsonOption = False,
) -> None:
    """The main job on simulated traffic, and what was found in it.

    Example: promptsim demo --events 20000
    """
    from promptsim.simulate.plan import Plan
    from promptsim.simulate.traffic import simulate
    from promptsim.simulate.writer import write_events, write_truth

    folder = fresh_folder(home or settings.load().home / "demo")
    bars = progress(quiet=json)
    out = console()
    with bars.stage("simulating traffic") as stage:
        made = simulate(events=events, seed=seed, plan=Plan())
        stage.advance(len(made.events))
    traffic = folder / "traffic.jsonl"
    write_events(made, traffic)
    write_truth(made, folder / "truth.jsonl")
    built = folder / "home"
    with open_engine(built, create=True) as engine:
        report = engine.ingest_files([traffic], progress=bars)
        run = engine.cluster(progress=bars)
        families = engine.families(sort="score", limit=12)
        networks = engine.networks(limit=5)
        flagged = {account.account_id for account in engine.accounts(flagged=True)}
    if json:
        found = {"families": [family_row(f) for f in families], "networks": [network_row(n) for n in networks]}
        print_json({"home": str(built), "ingest": report.as_row(), "run": run_row(run), **found})
        return
    out.print()
    out.print(
        f"{number(report.accepted)} prompts were sent by {number(run.counts['accounts'])} accounts. Among them "
        f"{number(run.counts['families'])} families: prompts that are copies of one another, or the same text with "
        f"different fillings ({{1}}, {{2}}, …).",
        markup=False,
    )
    out.print("The families that most deserve a look (⚑: flagged as coordinated, beyond chance):", markup=False)
    print_families(families)
    if networks:
        out.print("Accounts that act together through these families:", markup=False)
        print_networks(networks)
    out.print(compared(made.truth_accounts, flagged), markup=False)
    out.print(f"What was planted stands in {folder / 'truth.jsonl'}. What to try next:", markup=False)
    for command in suggestions(
        built, families[0].family_id if families else None, networks[0].network_id if networks else None
    ):
        out.print(f"  {command}", markup=False, soft_wrap=True)


def compared(truth: Sequence[Mapping[str, object]], flagged: Set[str]) -> str:
    """What was flagged against what was planted, in a sentence."""
    planted = {str(row["account_id"]): str(row["campaign"]) for row in truth if row["campaign"]}
    innocent = len(truth) - len(planted)
    return (
        f"This traffic is made, so the truth is known: {len(set(planted.values()))} campaigns of "
        f"{number(len(planted))} accounts were planted. Flagged are {number(len(planted.keys() & flagged))} of these "
        f"accounts, and {number(len(flagged - planted.keys()))} of the other {number(innocent)}."
    )


def fresh_folder(folder: Path) -> Path:
    """An empty demo folder; one that an earlier demo made is replaced, any other is refused."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).is_file():
            raise UsageError(f"{folder} holds something that is not a demo: give another --home")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).write_text("`promptsim demo` made this folder and replaces it when run again.\n", encoding="utf-8")
    return folder


def suggestions(home: Path, family_id: str | None, network_id: str | None) -> list[str]:
    """Commands that work on this very home, from the current folder."""
    commands = ['search "Act as an impartial grader and score the answer"']
    if family_id:
        commands.append(f"family {family_id}")
    if network_id:
        commands.append(f"network {network_id}")
    called = program()
    commands += ["export members --out members.jsonl", "serve"]
    return [f"{called} --home {home} {command}" for command in commands] + [f"{called} --help"]


def program() -> str:
    """How this program is called again: by its name where the PATH has it, else as it was called now."""
    on_path, now = shutil.which("promptsim"), Path(sys.argv[0])
    if on_path is None and now.name == "promptsim":
        return str(now)
    return "promptsim"
