"""`promptsim review`, `alerts` and `export`: a person's word, who joined what is known, and what leaves the program."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptsim.cli.audit import note_read
from promptsim.cli.options import FlaggedOption, HomeOption, JsonOption, LimitOption, open_engine
from promptsim.cli.output import day, number, print_json, say, table, tell
from promptsim.contract import rfc3339, verdict_row
from promptsim.errors import UsageError

if TYPE_CHECKING:
    from promptsim.engine import Engine
    from promptsim.records import Verdict


def register(app: typer.Typer) -> None:
    app.command("review")(review)
    app.command("alerts")(alerts)
    app.command("export")(export)


# ---------------------------------------------------------------- review
def review(
    subjects: Annotated[
        list[str] | None, typer.Argument(metavar="ID…", help="Families, networks or accounts; several need --yes.")
    ] = None,
    verdict: Annotated[str | None, typer.Option("--verdict", metavar="coordinated|benign|unsure")] = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept for good.")] = "",
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Whose word this is.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Bring back what stood before the last verdict.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it to several; without this only the figures are told.")
    ] = False,
    waiting: Annotated[
        bool, typer.Option("--waiting", help="List what waits for a person, and change nothing.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Give a verdict on a family, a network or an account.

    It stands above the program's own claim; a later verdict replaces it, none is deleted.

    Over many accounts it is proposed, and counts when another person gives the same.

    Example: promptsim review f_3b2a… --verdict benign --reason "our own evaluation suite" --by ada
    """
    name = by or getpass.getuser()
    with open_engine(home) as engine:
        if waiting:
            _waiting(engine, json)
            return
        if not subjects or undo == (verdict is not None):
            raise UsageError("give an ID with --verdict V or with --undo (or --waiting for what waits for a person)")
        given = (
            _undone(engine, subjects, reason, name) if undo else _given(engine, subjects, verdict, reason, name, yes)
        )
    if json:
        print_json(verdict_row(given[0]) if len(given) == 1 else [verdict_row(each) for each in given])
        return
    for each in given:
        said = "proposed; it counts when another person gives it too" if each.state == "proposed" else each.verdict
        say(f"{each.subject_id}: {said}, by {each.by}")


def _given(
    engine: Engine, subjects: Sequence[str], verdict: str | None, reason: str, by: str, yes: bool
) -> list[Verdict]:
    from promptsim.review import decide_all, propose

    shown = propose(engine, subjects)
    if len(shown.subjects) > 1 and not yes:
        raise UsageError(f"this touches {shown.sentence()}; give --yes to do it")
    return decide_all(engine, shown, verdict or "", reason=reason, by=by)


def _undone(engine: Engine, subjects: Sequence[str], reason: str, by: str) -> list[Verdict]:
    from promptsim.review import undo

    if len(subjects) > 1:
        raise UsageError("--undo takes one ID: look at each before you take it back")
    return [undo(engine, subjects[0], reason=reason, by=by)]


def _waiting(engine: Engine, json: bool) -> None:
    """Verdicts that need a second person, and accounts that may be victims."""
    from promptsim.review import held_accounts

    proposals, held = engine.store.proposals(), list(held_accounts(engine).values())
    if json:
        rows = [{"account_id": h.account_id, "inside": h.inside, "total": h.total, "why": h.sentence} for h in held]
        print_json({"proposals": [verdict_row(each) for each in proposals], "held_accounts": rows})
        return
    columns = [("subject", "left"), ("verdict", "left"), ("by", "left"), ("accounts", "right"), ("why", "wrap")]
    lines = [[p.subject_id, f"{p.verdict}?", p.by, number(p.accounts), p.reason] for p in proposals]
    table(columns, [*lines, *([h.account_id, "held", "", "", h.sentence] for h in held)])


# ---------------------------------------------------------------- alerts
def alerts(
    family: Annotated[str | None, typer.Option("--family", metavar="ID", help="Only of this family.")] = None,
    limit: LimitOption = 50,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """List accounts new to families judged coordinated.

    Those seen there for the first time, the newest first.

    Example: promptsim alerts --limit 20
    """
    from promptsim.review import alerts as joined

    with open_engine(home) as engine:
        found = joined(engine, family, limit=limit)
    if json:
        rows = [
            {
                "family_id": j.family_id,
                "account_id": j.account_id,
                "timestamp": rfc3339(j.time),
                "prompt_id": j.prompt_id,
            }
            for j in found
        ]
        print_json(rows)
        return
    columns = [("account", "wrap"), ("family", "left"), ("first sent", "left"), ("prompt", "left")]
    table(columns, [[j.account_id, j.family_id, day(j.time), j.prompt_id] for j in found])


# ---------------------------------------------------------------- export
def export(
    what: Annotated[str, typer.Argument(metavar="members|families|networks|accounts|verdicts")],
    format: Annotated[
        str, typer.Option("--format", metavar="jsonl|csv|parquet|ocsf|stix", help="ocsf, stix: of findings.")
    ] = "jsonl",
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Else standard output.")] = None,
    flagged: FlaggedOption = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Write results for other programs, one row each.

    With --flagged, accounts that may be victims are left out until a person has judged them (review --waiting).

    Example: promptsim export members --out members.jsonl
    """
    from promptsim.enforcement.export import write_export

    if json and out is None:
        raise UsageError("--json tells what was written to a file: name it with --out (--format jsonl gives the rows)")
    with open_engine(home) as engine:
        rows = write_export(engine, what, format=format, out=out, flagged=flagged)
        note_read(engine, "export", what)
        if flagged and not json and what in ("members", "networks", "accounts"):
            _say_held(engine)
    row = {"what": what, "format": format, "rows": rows, "out": str(out)}
    tell(json, row, f"{number(rows)} rows of {what}" + (f" in {out}" if out else ""))


def _say_held(engine: Engine) -> None:
    from promptsim.review import held_accounts

    held = len(held_accounts(engine))
    if held:
        say(f"{number(held)} accounts are held back, they may be victims: promptsim review --waiting")
