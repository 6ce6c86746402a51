"""A row of a table (column → cell) → a record with the contract's names; shared by CSV, TSV and Parquet."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from promptsim.intake.batch import Feed, Item
from promptsim.intake.event import make_event, raw_text
from promptsim.intake.jsonl import decode
from promptsim.intake.problems import BadEvent

_JSON_COLUMNS = {"messages": "bad-messages", "metadata": "bad-metadata"}
_PREFIX = "metadata."


def row_item(feed: Feed, row: Mapping[str, object]) -> Item:
    """The row's event, or its rejection with the row as JSON, so that it can be sent again as a line."""
    try:
        fields = assemble(row, feed.mapper.mapping.values())
        return make_event(feed.mapper.apply(fields) if feed.mapper else fields, key=feed.key, counts=feed.counts)
    except BadEvent as problem:
        return feed.reject(problem, raw_text(dict(row)))


def assemble(row: Mapping[str, object], mapped: Collection[str] = ()) -> dict[str, object]:
    """JSON cells decoded, `metadata.KEY` columns gathered; `mapped` names columns that a mapping reads itself."""
    fields: dict[str, object] = {}
    extra: dict[str, object] = {}
    for column, cell in row.items():
        if cell is None or cell == "":
            continue
        if column.startswith(_PREFIX) and column not in mapped:
            extra[column.removeprefix(_PREFIX)] = cell
        elif column in _JSON_COLUMNS or _is_parent(column, mapped):
            fields[column] = _json_cell(cell, column)
        else:
            fields[column] = cell
    if extra:
        own = fields.get("metadata")
        fields["metadata"] = {**own, **extra} if isinstance(own, dict) else extra
    return fields


def _is_parent(column: str, mapped: Collection[str]) -> bool:
    return any(path.startswith(column + ".") for path in mapped)


def _json_cell(cell: object, column: str) -> object:
    """A nested value as it is; text is JSON. Arrow gives maps as lists of pairs, and null for an absent member."""
    if isinstance(cell, str):
        if cell.lstrip()[:1] not in ("{", "["):
            return cell
        try:
            return decode(cell.encode())
        except (BadEvent, UnicodeEncodeError) as error:
            raise BadEvent(_JSON_COLUMNS.get(column, "bad-json"), f"the cell {column} is no JSON: {error}") from None
    return dict(pairs) if (pairs := _pairs(cell)) is not None else _without_nulls(cell)


def _pairs(cell: object) -> list[tuple[object, object]] | None:
    if isinstance(cell, list) and cell and all(isinstance(item, tuple) and len(item) == 2 for item in cell):
        return cell
    return None


def _without_nulls(cell: object) -> object:
    if isinstance(cell, dict):
        return {name: _without_nulls(item) for name, item in cell.items() if item is not None}
    if isinstance(cell, list):
        return [_without_nulls(item) for item in cell]
    return cell


def row_items(feed: Feed, rows: Iterator[Mapping[str, object]]) -> Iterator[Item]:
    """Rows numbered on from where the feed stands."""
    for row in rows:
        feed.at += 1
        yield row_item(feed, row)
