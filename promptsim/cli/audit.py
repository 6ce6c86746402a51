"""`promptsim audit` and `promptsim policy`: who did what, and what takes two persons."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from promptsim.cli.options import HomeOption, JsonOption, LimitOption, open_engine
from promptsim.cli.output import day, print_json, say, table
from promptsim.contract import rfc3339

if TYPE_CHECKING:
    from promptsim.engine import Engine


def register(app: typer.Typer) -> None:
    app.command("audit")(audit)
    app.command("policy")(policy)


def note_read(engine: Engine, action: str, subject: str) -> None:
    """Note in the audit log that whoever runs this command was shown prompt text."""
    from promptsim.enforcement.audit import read_entry

    engine.store.add_audit([read_entry(engine.store, getpass.getuser(), action, subject)])


def audit(
    head: Annotated[bool, typer.Option("--head", help="Print the signed head, to be noted elsewhere.")] = False,
    verify: Annotated[str | None, typer.Option("--verify", metavar="HEAD", help="Check against a noted head.")] = None,
    limit: LimitOption = 50,
    home: HomeOption = None,
    json: JsonOption = False,
) -> int:
    """List decisions and reads of prompt text, newest first.

    The log is chained, and `promptsim check` verifies it.

    Example: promptsim audit --limit 20
    """
    with open_engine(home) as engine:
        entries, signed = engine.store.audit(limit=limit), engine.store.audit_head()
        problems = [str(p) for p in engine.store.audit_problems(verify)] if verify else []
    if head:
        print(signed or "")
        return 0
    if verify:
        for problem in problems:
            say(problem)
        say(f"{len(problems)} problems" if problems else "the log goes on from the noted head, unchanged")
        return 1 if problems else 0
    if json:
        rows = [
            {"entry_no": e.entry_no, "timestamp": rfc3339(e.time), "actor": e.actor, "action": e.action,
             "subject": e.subject, "detail": dict(e.detail)}
            for e in entries
        ]  # fmt: skip
        print_json(rows)
        return 0
    columns = [("", "right"), ("when", "left"), ("who", "left"), ("what", "left"), ("of", "left"), ("", "wrap")]
    table(columns, [[str(e.entry_no), day(e.time), e.actor, e.action, e.subject, _shown(e.detail)] for e in entries])
    return 0


def _shown(detail: object) -> str:
    assert hasattr(detail, "items")
    return ", ".join(f"{name} {value}" for name, value in detail.items() if name != "digest")


def policy(
    two_persons: Annotated[
        int | None, typer.Option("--two-persons", metavar="N", min=0, help="Over N accounts a verdict takes two.")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who decides this.")] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show or change which verdicts take two persons.

    A change goes into the audit log.

    Example: promptsim policy --two-persons 100 --by ada
    """
    with open_engine(home) as engine:
        if two_persons is not None:
            engine.store.set_two_persons_from(two_persons, by=by or getpass.getuser())
        accounts = engine.store.two_persons_from()
    if json:
        print_json({"two_persons_over_accounts": accounts})
        return
    say(f"a verdict with an effect on more than {accounts} accounts takes two persons")
