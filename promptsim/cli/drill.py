"""`promptsim drill`: what the network claims can find, and how often they accuse anyone of nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from promptsim.cli.options import JsonOption
from promptsim.cli.output import number, print_json, say, table
from promptsim.cli.progress import progress

if TYPE_CHECKING:
    from promptsim.networks.drill import Power


def register(app: typer.Typer) -> None:
    app.command("drill")(drill)


def drill(
    accounts: Annotated[int, typer.Option("--accounts", metavar="N", min=100, help="As many as you have.")] = 2000,
    seeds: Annotated[int, typer.Option("--seeds", metavar="N", min=0, help="Runs of each kind of campaign.")] = 3,
    nulls: Annotated[int, typer.Option("--nulls", metavar="N", min=0, help="Runs without any campaign.")] = 10,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer sizes and dilutions.")] = False,
    json: JsonOption = False,
) -> None:
    """Measure what network claims find, and their false alarms.

    Campaigns of many sizes are planted in synthetic traffic; then traffic with none is looked at.

    Example: promptsim drill --accounts 20000 --seeds 5
    False alarms alone: promptsim drill --accounts 20000 --seeds 0 --nulls 200
    """
    from dataclasses import asdict

    from promptsim.networks.drill import FalseAlarms, measure_false_alarms, measure_power

    sizes, families, dilutions = ((6, 50), (1, 3), (0.3,)) if quick else ((6, 12, 50, 200), (1, 2, 4), (0.0, 0.3, 0.8))
    found, counts = [], []
    if seeds:
        cells = len(sizes) * len(families) * len(dilutions)
        with progress(quiet=json).stage("planting campaigns", total=cells) as stage:
            for cell in measure_power(accounts, seeds, sizes=sizes, families=families, dilutions=dilutions):
                found.append(cell)
                stage.advance(1)
    with progress(quiet=json).stage("planting none", total=nulls) as stage:
        for count in measure_false_alarms(accounts, nulls):
            counts.append(count)
            stage.advance(1)
    alarms = FalseAlarms.of(counts)
    if json:
        print_json({"power": [asdict(cell) for cell in found], "false_alarms": asdict(alarms)})
        return
    if found:
        _show_power(found)
    if counts:
        say(
            f"Without any campaign: something was flagged in {alarms.runs_with_a_flag} of {alarms.seeds} runs "
            f"({number(alarms.most_accounts)} accounts at most), each of {number(accounts)} accounts."
        )


def _show_power(found: Sequence[Power]) -> None:
    table(
        [("accounts in the campaign", "right"), ("families", "right"), ("own cover traffic", "right"),
         ("accounts found", "right"), ("runs that found it", "right"), ("innocents flagged", "right")],
        [
            [
                number(c.size), number(c.families), f"{c.dilution:.0%}", f"{c.recall:.0%}", f"{c.found:.0%}",
                f"{c.strangers:.1f}",
            ]
            for c in found
        ],
    )  # fmt: skip
