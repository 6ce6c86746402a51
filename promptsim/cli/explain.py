"""`promptsim explain EVENT`: why an event is in its families."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from promptsim.cli.options import HomeOption, JsonOption, open_engine
from promptsim.cli.output import console, print_json, say, table
from promptsim.visible import one_line

if TYPE_CHECKING:
    from promptsim.engine.explaining import Explanation, Reason


def register(app: typer.Typer) -> None:
    app.command("explain")(explain)


def explain(
    event_id: Annotated[str, typer.Argument(metavar="EVENT")], home: HomeOption = None, json: JsonOption = False
) -> None:
    """Say why an event is in its families.

    Tells the fixed text that it has, how alike it is, and what disguise was undone.

    Example: promptsim explain ev_10c057e19bb687
    """
    with open_engine(home) as engine:
        found = engine.explain(event_id)
    if json:
        print_json(explanation_row(found))
        return
    if not found.reasons:
        say("The last run put this event in no family.")
    for reason in found.reasons:
        _print_reason(reason)


def explanation_row(found: Explanation) -> dict[str, object]:
    """The explanation as JSON; spans are [start, end) in characters of the texts given beside them."""
    return {
        "event_id": found.event.event_id,
        "account_id": found.event.account_id,
        "text": found.text,
        "families": [
            {
                "family_id": reason.family_id,
                "wording_id": reason.wording_id,
                "relation": reason.relation,
                "template": reason.difference.first,
                "text": reason.difference.second,
                "share_of_template": round(reason.difference.of_first, 4),
                "share_of_text": round(reason.difference.of_second, 4),
                "spans": [
                    {"template": list(span.first), "text": list(span.second)} for span in reason.difference.spans
                ],
                "undone": [{"what": note.kind, "count": note.count} for note in reason.difference.notes],
                "whole": reason.difference.whole,
            }
            for reason in found.reasons
        ],
    }


def _print_reason(reason: Reason) -> None:
    difference = reason.difference
    console().print(f"{reason.family_id}: {reason.relation}", style="bold", markup=False)
    say(
        f"has {difference.of_first:.0%} of the fixed text; that is {difference.of_second:.0%} of what was sent"
        + ("" if difference.whole else " (too long to align in full: compared from both ends)")
    )
    table(
        [("fixed text", "wrap"), ("as it was sent", "wrap")],
        [
            [
                one_line(difference.first[slice(*span.first)], 200),
                one_line(difference.second[slice(*span.second)], 200),
            ]
            for span in difference.spans
        ],
    )
    for note in difference.notes:
        say(f"undone: {note.sentence}")
