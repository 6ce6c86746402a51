"""Results → standard output: one JSON document, or a table for people."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def print_json(document: object) -> None:
    """One JSON document, UTF-8, on standard output."""
    import orjson

    sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


def console() -> Console:
    """Where tables for people go; a pipe gets 120 columns rather than 80."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 120)


def say(text: str) -> None:
    """A line for people, beside the result."""
    print(text, file=sys.stderr)


def tell(json: bool, row: object, sentence: str) -> None:
    """What was done: one JSON document, or a line for people."""
    if json:
        print_json(row)
    else:
        say(sentence)


def table(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]], title: str | None = None) -> None:
    """A table; `columns` are (heading, "left" or "right" or "wrap"). Cells are plain text, never markup."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    headed = any(heading for heading, _ in columns)
    drawn = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, show_header=headed)
    for heading, style in columns:
        drawn.add_column(
            heading,
            justify="right" if style == "right" else "left",
            no_wrap=style != "wrap",
            overflow="fold" if style == "wrap" else "ellipsis",
            ratio=1 if style == "wrap" else None,
        )
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    console().print(drawn)


def day(time: int) -> str:
    """A time as a date and minute in UTC."""
    from promptsim.contract import rfc3339

    return rfc3339(time)[:16].replace("T", " ")


def number(value: int) -> str:
    return f"{value:,}"


def probability(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}" if value < 0.001 else f"{value:.3f}"
