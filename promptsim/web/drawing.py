"""Figures ─► geometry of the page's drawings; `templates/draw.html` writes it as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from promptsim.contract import rfc3339
from promptsim.engine.picture import Bars

WIDTH, HEIGHT, FLOOR = 960.0, 150.0, 128.0
SHADES = 5
_YEAR = 365 * 86_400_000_000


@dataclass(frozen=True, slots=True)
class Bar:
    """One step of a timeline."""

    x: float
    y: float
    width: float
    height: float
    accounts_y: float
    title: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """Bars of events with a line of accounts over them, and what is written beside."""

    bars: tuple[Bar, ...]
    line: str
    ticks: tuple[tuple[float, str], ...]
    most_events: int
    most_accounts: int
    step: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One square of a grid; `shade` from 1 to SHADES."""

    x: float
    width: float
    shade: int
    title: str


@dataclass(frozen=True, slots=True)
class GridRow:
    name: str
    y: float
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """Accounts down, families or time across."""

    rows: tuple[GridRow, ...]
    columns: tuple[tuple[float, str, str], ...]  # centre, label, id
    label_width: float
    width: float
    height: float
    row_height: float


def timeline(bars: Bars | None) -> Timeline | None:
    """A timeline of at most some hundred bars."""
    if bars is None:
        return None
    most, most_accounts = max(bars.events), max(bars.accounts)
    step = WIDTH / len(bars.events)
    drawn, points = [], []
    for i, (events, accounts) in enumerate(zip(bars.events, bars.accounts, strict=True)):
        height = (FLOOR - 12) * events / most
        accounts_y = FLOOR - (FLOOR - 12) * accounts / most_accounts
        title = f"{moment(bars.start + i * bars.step)}: {events:,} prompts, {accounts:,} accounts"
        gap = min(2.0, step / 5)
        drawn.append(Bar(round(i * step + gap / 2, 2), round(FLOOR - height, 2), round(step - gap, 2),
                         round(height, 2), round(accounts_y, 2), title))  # fmt: skip
        points.append(f"{round((i + 0.5) * step, 1)},{round(accounts_y, 1)}")
    return Timeline(tuple(drawn), " ".join(points), _ticks(bars, WIDTH), most, most_accounts, duration(bars.step))


def _ticks(bars: Bars, width: float, wanted: int = 5) -> tuple[tuple[float, str], ...]:
    count = len(bars.events)
    places = sorted({round(i * (count - 1) / max(1, wanted - 1)) for i in range(min(wanted, count))})
    return tuple((round((place + 0.5) * width / count, 1), _tick(bars, place)) for place in places)


def _tick(bars: Bars, place: int) -> str:
    full = moment(bars.start + place * bars.step)
    if bars.step >= _YEAR:
        return full[:4]
    return full[5:16] if bars.step < 86_400_000_000 else full[:10]


def families_grid(rows: Sequence[tuple[str, Sequence[int]]], family_ids: Sequence[str]) -> Grid:
    """Accounts × families."""
    size, label, high = 30.0, 168.0, 18.0
    most = max((max(values, default=0) for _, values in rows), default=0)
    drawn = []
    for i, (name, values) in enumerate(rows):
        cells = [
            Cell(label + j * size, size - 2, shade(value, most), f"{value:,} prompts of family {j + 1}")
            for j, value in enumerate(values)
            if value
        ]
        drawn.append(GridRow(name, 24 + i * high, tuple(cells)))
    columns = tuple((label + (j + 0.5) * size - 1, str(j + 1), name) for j, name in enumerate(family_ids))
    return Grid(tuple(drawn), columns, label, label + len(family_ids) * size, 26 + len(rows) * high, high)


def lanes_grid(rows: Sequence[tuple[str, Sequence[int]]], bars: Bars | None) -> Grid | None:
    """Accounts × time."""
    if bars is None:
        return None
    label, high = 168.0, 18.0
    size = (WIDTH - label) / len(bars.events)
    most = max((max(values, default=0) for _, values in rows), default=0)
    drawn = []
    for i, (name, values) in enumerate(rows):
        cells = [
            Cell(round(label + j * size, 2), round(max(1.5, size - min(1.0, size / 5)), 2), shade(value, most),
                 f"{moment(bars.start + j * bars.step)}: {value:,} prompts")
            for j, value in enumerate(values)
            if value
        ]  # fmt: skip
        drawn.append(GridRow(name, 4 + i * high, tuple(cells)))
    columns = tuple((label + x, text, "") for x, text in _ticks(bars, WIDTH - label))
    return Grid(tuple(drawn), columns, label, WIDTH, 28 + len(rows) * high, high)


def shade(value: int, most: int) -> int:
    """From 1 for the fewest to SHADES for the most, by orders rather than by differences."""
    if most <= 1 or value <= 0:
        return (SHADES + 1) // 2 if value > 0 else 0
    return 1 + round((SHADES - 1) * math.log(value) / math.log(most))


def moment(time: int) -> str:
    """A time as date and minute in UTC; far-off ones too."""
    try:
        return rfc3339(time)[:16].replace("T", " ")
    except (ValueError, OverflowError):
        return f"{datetime.now(UTC).year + time // _YEAR}"


def duration(microseconds: int) -> str:
    """A length of time in its largest whole unit."""
    seconds = microseconds // 1_000_000
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            count = seconds // size
            return unit if count == 1 else f"{count:,} {unit}s"
    return "moment"
