"""The options that several commands share, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptsim import settings
from promptsim.errors import UsageError

if TYPE_CHECKING:
    from promptsim.engine import Engine

HomeOption = Annotated[
    Path | None, typer.Option("--home", metavar="PATH", help="Home folder; else $PROMPTSIM_HOME, else index/.")
]
ModelOption = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME|PATH", help="A sentence-transformers model; else the shipped one."),
]
WordingModelOption = Annotated[
    str | None,
    typer.Option(
        "--wording-model", metavar="NAME|PATH",
        help="A sentence-transformers model that only tells reworded instructions; the vectors stay as they are.",
    ),
]  # fmt: skip
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
LimitOption = Annotated[int, typer.Option("--limit", metavar="N", min=1, help="At most so many rows.")]
FlaggedOption = Annotated[bool, typer.Option("--flagged", help="Only what is flagged.")]


def open_engine(
    home: Path | None,
    model: str | None = None,
    *,
    wording_model: str | None = None,
    create: bool = False,
    reindex: bool = False,
) -> Engine:
    """The engine on the chosen home; only `ingest` and `demo` may make one."""
    from promptsim.engine import Engine

    chosen = settings.load(home, model, wording_model)
    return Engine.open(
        chosen.home, model=chosen.model, wording_model=chosen.wording_model, create=create, reindex=reindex
    )


def moment(text: str | None, option: str) -> int | None:
    """A time given by a person → microseconds; RFC 3339, a date, or epoch seconds."""
    if text is None:
        return None
    from promptsim.intake.timestamp import parse_time

    try:
        return parse_time(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r}: {error}; write e.g. 2026-02-28 or 2026-02-28T13:00:00Z") from None
