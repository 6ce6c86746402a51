"""`promptsim search`: who else sent prompts like this?"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from promptsim.cli.audit import note_read
from promptsim.cli.options import HomeOption, JsonOption, ModelOption, moment, open_engine
from promptsim.cli.output import day, number, print_json, say, table
from promptsim.contract import hit_row
from promptsim.errors import UsageError
from promptsim.visible import one_line


def register(app: typer.Typer) -> None:
    app.command("search")(search)


def search(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The prompt; - reads it from standard input.")],
    k: Annotated[int, typer.Option("--k", metavar="N", min=1, help="How many hits.")] = 10,
    account: Annotated[str | None, typer.Option("--account", metavar="ID", help="Only what this account sent.")] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="T", help="Only sends from this time on.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="T", help="Only sends before this time.")] = None,
    min_similarity: Annotated[
        float | None, typer.Option("--min-similarity", metavar="X", min=-1.0, max=1.0, help="Least cosine.")
    ] = None,
    metadata: Annotated[
        list[str] | None, typer.Option("--metadata", metavar="KEY=VALUE", help="Only sends with this; repeatable.")
    ] = None,
    by: Annotated[
        str, typer.Option("--by", metavar="account|prompt", help="One hit per account, or per prompt.")
    ] = "account",
    home: HomeOption = None,
    model: ModelOption = None,
    json: JsonOption = False,
) -> None:
    """Find who else sent prompts like this.

    Copies come first, then shared fixed text, then texts that mean the like.

    Example: promptsim search "You are an expert data analyst …" --k 20 --since 2026-02-01
    """
    query = sys.stdin.read() if text == "-" else text
    with open_engine(home, model) as engine:
        found = engine.search(
            query,
            k=k,
            by=by,
            account_id=account,
            since=moment(since, "--since"),
            until=moment(until, "--until"),
            min_similarity=min_similarity,
            metadata=_pairs(metadata or []),
        )
        note_read(engine, "search", f"{len(found.hits)} hits")
    if json:
        print_json({"hits": [hit_row(hit) for hit in found.hits], "notes": list(found.notes)})
        return
    if not found.hits:
        say("Nobody sent a prompt like this.")
    else:
        table(
            [("account", "left"), ("alike", "right"), ("relation", "left"), ("sent", "right"), ("first", "left"),
             ("last", "left"), ("family", "left"), ("prompt", "wrap")],
            [
                [h.account_id, f"{h.similarity:.2f}", h.relation, number(h.event_count), day(h.first_seen)[:10],
                 day(h.last_seen)[:10], h.family_id or "", one_line(h.text)]
                for h in found.hits
            ],
        )  # fmt: skip
    for note in found.notes:
        say(f"note: {note}")


def _pairs(items: list[str]) -> dict[str, str]:
    pairs = dict(item.partition("=")[::2] for item in items)
    if any("=" not in item for item in items):
        raise UsageError(f"--metadata {items!r}: write KEY=VALUE, e.g. org_id=acme")
    return pairs
