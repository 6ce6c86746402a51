"""`promptsim ingest` and `promptsim simulate`: events in, and events to try with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from promptsim.cli.options import HomeOption, JsonOption, ModelOption, open_engine
from promptsim.cli.output import number, print_json, say
from promptsim.cli.progress import progress
from promptsim.errors import UsageError

SOME_REJECTED = 3


def register(app: typer.Typer) -> None:
    app.command("ingest")(ingest)
    app.command("simulate")(simulate)


def ingest(
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="Files of events; - for standard input.")],
    format: Annotated[str, typer.Option("--format", help="auto, jsonl, csv, tsv, parquet, …")] = "auto",
    map: Annotated[
        str | None, typer.Option("--map", metavar="FIELD=COLUMN,…", help="Where fields stand, e.g. text=prompt.")
    ] = None,
    rejects: Annotated[Path | None, typer.Option("--rejects", metavar="FILE", help="Keep rejected lines here.")] = None,
    home: HomeOption = None,
    model: ModelOption = None,
    json: JsonOption = False,
) -> int:
    """Store events from log files, each event once.

    Each distinct prompt is embedded once, each send is remembered. Sending an event again changes nothing.

    Example: promptsim ingest logs.jsonl.gz --map text=prompt,account_id=org --rejects rejected.jsonl
    """
    mapping = parse_map(map)
    for name in files:
        _check_file(name)
    with open_engine(home, model, create=True) as engine:
        report = engine.ingest_files(
            [sys.stdin.buffer if name == "-" else Path(name) for name in files],
            format=format,
            mapping=mapping,
            rejects=rejects,
            progress=progress(quiet=json),
        )
    if json:
        print_json(report.as_row())
    else:
        say(report.sentence())
        if report.counts:
            say(f"  {report.notes()}")
        for rejection in report.first_rejections:
            say(f"  {rejection.source}:{rejection.line}: {rejection.code}: {rejection.reason}")
        if report.rejected and rejects is None:
            say("  Give --rejects FILE to keep rejected lines, mend them there and ingest that file.")
        for warning in report.warnings:
            say(f"warning: {warning}")
    return SOME_REJECTED if report.rejected else 0


def _check_file(name: str) -> None:
    """Before anything is stored: a pipe is as good as a file, a folder is none."""
    if name != "-" and not Path(name).exists():
        raise UsageError(f"{name}: no such file")
    if Path(name).is_dir():
        raise UsageError(f"{name} is a folder; name its files (for example {name}/*.jsonl)")


def parse_map(text: str | None) -> dict[str, str]:
    """`text=prompt,account_id=org` → {"text": "prompt", "account_id": "org"}."""
    mapping: dict[str, str] = {}
    for item in (text or "").split(","):
        if not item:
            continue
        field, sign, column = item.partition("=")
        if not sign or not field.strip() or not column.strip():
            raise UsageError(f"--map {item!r}: write FIELD=COLUMN, e.g. text=prompt")
        mapping[field.strip()] = column.strip()
    return mapping


def simulate(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Events as JSONL (.gz to compress).")],
    truth: Annotated[Path | None, typer.Option("--truth", metavar="FILE", help="What was planted.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same bytes.")] = 0,
    events: Annotated[int, typer.Option("--events", metavar="N", min=100, help="About so many events.")] = 5000,
    null: Annotated[bool, typer.Option("--null", help="Plant no campaign: nothing may be flagged.")] = False,
    json: JsonOption = False,
) -> None:
    """Write traffic with planted campaigns, to try and to drill with.

    Real-looking traffic: organic prompts, benign look-alikes, and campaigns of which --truth tells.

    Example: promptsim simulate --out traffic.jsonl --truth truth.jsonl --seed 7
    """
    from promptsim.simulate.plan import Plan
    from promptsim.simulate.traffic import simulate as make
    from promptsim.simulate.writer import write_events, write_truth

    made = make(events=events, seed=seed, plan=Plan.null() if null else Plan())
    write_events(made, out)
    if truth is not None:
        write_truth(made, truth)
    if json:
        left_out = list(made.left_out)
        print_json({"out": str(out), "events": len(made.events), "accounts": len(made.accounts), "left_out": left_out})
        return
    say(f"{number(len(made.events))} events of {number(len(made.accounts))} accounts in {out}")
    if made.left_out:
        say(f"no room for the campaigns {', '.join(made.left_out)}: ask for more --events")
