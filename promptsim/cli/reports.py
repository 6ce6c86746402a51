"""`promptsim cluster`, and what a run found: families, networks, accounts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from promptsim import contract
from promptsim.cli.audit import note_read
from promptsim.cli.options import (
    FlaggedOption,
    HomeOption,
    JsonOption,
    LimitOption,
    ModelOption,
    WordingModelOption,
    open_engine,
)
from promptsim.cli.output import console, day, number, print_json, probability, say, table
from promptsim.cli.progress import progress
from promptsim.records import AccountSummary, Evidence, Family, Network
from promptsim.visible import one_line


def register(app: typer.Typer) -> None:
    for command in (cluster, families, family, networks, network, account):
        app.command(command.__name__)(command)


def cluster(
    full: Annotated[bool, typer.Option("--full", help="Mine everything again, not only what is new.")] = False,
    known: Annotated[
        Path | None,
        typer.Option(
            "--known", metavar="FILE", help="Public prompts that accuse nobody; else $PROMPTSIM_KNOWN_PROMPTS."
        ),
    ] = None,
    home: HomeOption = None,
    model: ModelOption = None,
    wording_model: WordingModelOption = None,
    json: JsonOption = False,
) -> None:
    """One clustering run: families, then account networks. Run again on the same data: the same result.

    Example: promptsim cluster && promptsim families
    """
    with open_engine(home, model, wording_model=wording_model) as engine:
        run = engine.cluster(full=full, known=known, progress=progress(quiet=json))
    if json:
        print_json(contract.run_row(run))
        return
    counts = {name: number(value) for name, value in run.counts.items()}
    say(
        f"{counts['families']} families over {counts['prompts']} prompts of {counts['accounts']} accounts; "
        f"{counts['networks']} networks; flagged: {counts['flagged_families']} families, "
        f"{counts['flagged_accounts']} accounts ({sum(run.seconds.values()):.1f} s)"
    )
    for name, value in run.counts.items():
        if name.startswith("cut_") and value:
            say(f"note: {name.removeprefix('cut_').replace('_', ' ')}: {number(value)}")


def families(
    flagged: FlaggedOption = False,
    status: Annotated[
        str | None, typer.Option("--status", metavar="S", help="open, coordinated, benign, unsure.")
    ] = None,
    sort: Annotated[str, typer.Option("--sort", metavar="score|accounts|events|new")] = "score",
    limit: LimitOption = 20,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """List families, the most telling first.

    A family is prompts that are copies or fillings of one fixed text.

    Example: promptsim families --sort accounts --limit 50
    """
    with open_engine(home) as engine:
        found = engine.families(flagged=flagged, status=status, sort=sort, limit=limit)
        total = engine.family_count()
        ran = engine.status()["last_run"] is not None
    if json:
        print_json([contract.family_row(f) for f in found])
        return
    if not found:
        say(
            _nothing(
                "No families of this kind." if total else "No families: no text is shared by several prompts.", ran
            )
        )
        return
    print_families(found)
    if len(found) < total:
        say(f"{number(len(found))} of {number(total)} families; --limit shows more, `promptsim family ID` shows one.")


def _nothing(why: str, ran: bool) -> str:
    return why if ran else "No clustering run yet: run `promptsim cluster`."


def print_families(found: Sequence[Family]) -> None:
    table(
        [("family", "left"), ("", "left"), ("accounts", "right"), ("sends", "right"), ("prompts", "right"),
         ("kind", "left"), ("score", "right"), ("the text they share", "wrap")],
        [
            [f.family_id, "⚑" if f.flagged else "", number(f.account_count), number(f.event_count),
             number(f.prompt_count), f.kind, f"{f.score:.2f}", one_line(f.template, 110)]
            for f in found
        ],
    )  # fmt: skip


def family(
    family_id: Annotated[str, typer.Argument(metavar="ID")],
    members: Annotated[int, typer.Option("--members", metavar="N", min=0, help="Show so many member prompts.")] = 5,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show one family: template, slots, members, evidence.

    Example: promptsim family f_3b2a…
    """
    with open_engine(home) as engine:
        found = engine.family(family_id)
        shown = engine.members(family_id, limit=members)
        note_read(engine, "family", family_id)
    if json:
        print_json(contract.family_row(found) | {"members": [contract.member_prompt_row(m) for m in shown]})
        return
    out = console()
    role = "system and user" if found.role == "both" else found.role
    out.print(f"{found.family_id}: {found.kind}, fixed text in the {role} text", style="bold", markup=False)
    out.print(found.template, markup=False)
    for slot in found.slots:
        examples = " | ".join(one_line(e, 40) for e in slot.examples[:3])
        out.print(f"  {{{slot.name}}} {slot.kind}, {number(slot.distinct)} fillings: {examples}", markup=False)
    say(
        f"{number(found.event_count)} sends of {number(found.prompt_count)} prompts by {number(found.account_count)} "
        f"accounts, {day(found.first_seen)} to {day(found.last_seen)}"
    )
    if len(found.wordings) > 1:
        table(
            [("wording", "left"), ("accounts", "right"), ("sends", "right"), ("text", "wrap")],
            [
                [w.wording_id, number(w.account_count), number(w.event_count), one_line(w.template)]
                for w in found.wordings
            ],
        )
    _print_claim(found.flagged, found.score, found.p_value, found.evidence)
    if shown:
        table(
            [("prompt", "left"), ("accounts", "right"), ("sends", "right"), ("relation", "left"), ("text", "wrap")],
            [
                [m.prompt_id, number(m.account_count), number(m.event_count), m.relation, one_line(m.text)]
                for m in shown
            ],
        )  # fmt: skip


def networks(
    flagged: FlaggedOption = False,
    limit: LimitOption = 20,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """List networks of accounts that act together beyond chance.

    None is a right answer.

    Example: promptsim networks --flagged
    """
    with open_engine(home) as engine:
        found = engine.networks(flagged=flagged, limit=limit)
        ran = engine.status()["last_run"] is not None
    if json:
        print_json([contract.network_row(n) for n in found])
        return
    if not found:
        say(_nothing("No networks: no accounts act together beyond chance.", ran))
        return
    print_networks(found)


def print_networks(found: Sequence[Network]) -> None:
    table(
        [("network", "left"), ("", "left"), ("accounts", "right"), ("families", "right"), ("score", "right"),
         ("p", "right"), ("why", "wrap")],
        [
            [n.network_id, "⚑" if n.flagged else "", number(len(n.account_ids)), number(len(n.family_ids)),
             f"{n.score:.2f}", probability(n.p_value), telling(n.evidence)]
            for n in found
        ],
    )  # fmt: skip


def telling(evidence: Sequence[Evidence]) -> str:
    """The sentence to show where there is room for one: that of the strongest test, else the first."""
    if not evidence:
        return ""
    tests = [item for item in evidence if item.p_value is not None]
    return min(tests, key=lambda item: item.p_value or 0.0).sentence if tests else evidence[0].sentence


def network(
    network_id: Annotated[str, typer.Argument(metavar="ID")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show one network: accounts, families, evidence.

    Example: promptsim network n_91c0…
    """
    with open_engine(home) as engine:
        found = engine.network(network_id)
        tied = [engine.family(family_id) for family_id in found.family_ids]
    if json:
        print_json(contract.network_row(found))
        return
    console().print(f"{found.network_id}: {number(len(found.account_ids))} accounts", style="bold", markup=False)
    _print_claim(found.flagged, found.score, found.p_value, found.evidence)
    print_families(tied)
    table(
        [("account", "left"), ("strength", "right")],
        [[a, f"{found.membership.get(a, 1.0):.2f}"] for a in found.account_ids[:50]],
    )
    if len(found.account_ids) > 50:
        say(f"50 of {number(len(found.account_ids))} accounts; --json or `promptsim export networks` has all.")


def account(
    account_id: Annotated[str, typer.Argument(metavar="ID")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show one account: what it sent, its families, its network.

    Example: promptsim account acct_17
    """
    with open_engine(home) as engine:
        found = engine.account(account_id)
        evidence = engine.account_evidence(account_id)
        tied = [engine.family(family_id) for family_id in found.family_ids]
    if json:
        print_json(contract.account_row(found))
        return
    _print_account(found, evidence)
    if tied:
        print_families(tied[:20])


def _print_account(found: AccountSummary, evidence: Sequence[Evidence]) -> None:
    console().print(found.account_id, style="bold", markup=False)
    say(
        f"{number(found.event_count)} sends, {day(found.first_seen)} to {day(found.last_seen)}; "
        f"{number(len(found.family_ids))} families; network: {found.network_id or 'none'}"
    )
    _print_claim(found.flagged, found.score, found.p_value, evidence)


def _print_claim(flagged: bool, score: float, p_value: float | None, evidence: Sequence[Evidence]) -> None:
    claim = "flagged" if flagged else "not flagged"
    out = console()
    out.print(
        f"{claim}; score {score:.2f}" + (f", p = {probability(p_value)}" if p_value is not None else ""), markup=False
    )
    for item in evidence:
        out.print(f"  - {item.sentence}", markup=False)
