"""`promptsim demo`: the main job on simulated traffic, for someone who has never seen the program."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from promptsim import settings
from promptsim.cli.options import open_engine
from promptsim.cli.output import console, number
from promptsim.cli.progress import progress
from promptsim.cli.reports import print_families, print_networks
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
) -> None:
    """The main job on simulated traffic, and what was found in it.

    Example: promptsim demo --events 20000
    """
    from promptsim.simulate.plan import Plan
    from promptsim.simulate.traffic import simulate
    from promptsim.simulate.writer import write_events, write_truth

    folder = fresh_folder(home or settings.load().home / "demo")
    bars = progress()
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
        example = families[0] if families else None
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
    out.print("What was really planted stands in " + str(folder / "truth.jsonl") + ". What to try next:", markup=False)
    for command in suggestions(
        built, example.family_id if example else None, networks[0].network_id if networks else None
    ):
        out.print(f"  {command}", markup=False)


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
    """Commands that work on this very home."""
    commands = [f'promptsim search "Act as an impartial grader and score the answer" --home {home}']
    if family_id:
        commands.append(f"promptsim family {family_id} --home {home}")
    if network_id:
        commands.append(f"promptsim network {network_id} --home {home}")
    return [*commands, f"promptsim export members --out members.jsonl --home {home}", "promptsim --help"]
