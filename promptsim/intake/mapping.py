"""`--map text=prompt,account_id=metadata.user_api_key_hash`: other names → the contract's fields."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from promptsim.errors import UsageError

TARGETS = ("id", "account_id", "timestamp", "text", "messages", "metadata", "system")
REQUIRED = ("account_id", "timestamp", "text", "messages", "system")
_MISSING = object()


def parse_map(text: str) -> dict[str, str]:
    """What stands after `--map`: `field=path` pairs with commas between.

    An empty path leaves the field out; a path that begins with = is a literal value for every event
    (`timestamp==2026-03-01T00:00:00Z`).
    """
    mapping: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        target, equals, path = pair.partition("=")
        if not equals:
            raise UsageError(f"--map {pair!r}: write FIELD=NAME, for example text=prompt")
        mapping[target.strip()] = path.strip()
    return mapping


def look_up(record: object, path: str) -> object:
    """The value at a dotted path, `_MISSING` where there is none; a key that itself holds dots is found too."""
    if isinstance(record, Mapping):
        if path in record:
            return record[path]
        for cut in range(len(path) - 1, 0, -1):
            if path[cut] == "." and path[:cut] in record:
                found = look_up(record[path[:cut]], path[cut + 1 :])
                if found is not _MISSING:
                    return found
    elif isinstance(record, Sequence) and not isinstance(record, str | bytes):
        first, _, rest = path.partition(".")
        if first.isdecimal() and len(first) < 6 and int(first) < len(record):
            item: object = record[int(first)]
            return look_up(item, rest) if rest else item
    return _MISSING


class Mapper:
    """Applies a mapping and remembers which paths were ever found, so that a misspelt one is named."""

    def __init__(self, mapping: Mapping[str, str]) -> None:
        for target in mapping:
            if target not in TARGETS and not target.startswith("metadata."):
                known = ", ".join((*TARGETS, "metadata.KEY"))
                raise UsageError(f"--map {target}={mapping[target]}: no such field; fields are {known}")
        self.mapping = dict(mapping)
        self.found: set[str] = set()
        self.records = 0
        self._keys: dict[str, None] = {}
        self._taken = {path[:cut] for path in self.mapping.values() for cut in _cuts(path)} - set(TARGETS)

    def __bool__(self) -> bool:
        return bool(self.mapping)

    def apply(self, record: Mapping[str, object], fields: Mapping[str, object] | None = None) -> dict[str, object]:
        """The record under the contract's names; what is not mapped stays as `fields` (or the record) has it."""
        named = record if fields is None else fields
        self.records += 1
        if len(self._keys) < 40:
            self._keys.update(dict.fromkeys(list(record)[:40]))
        mapped = {name: value for name, value in named.items() if name not in self.mapping and name not in self._taken}
        extra: dict[str, object] = {}
        system: object = None
        for target, path in self.mapping.items():
            value = path[1:] if path.startswith("=") else look_up(record, path) if path else _MISSING
            if value is _MISSING:
                continue
            self.found.add(target)
            if target == "system":
                system = value
            elif target.startswith("metadata."):
                extra[target.removeprefix("metadata.")] = value
            else:
                mapped[target] = value
        if extra:
            own = mapped.get("metadata")
            mapped["metadata"] = {**own, **extra} if isinstance(own, dict) else extra
        return with_system(mapped, system)

    def check_found(self, source: str) -> None:
        """After the first batch: a required path that no record had is a misspelling, not bad data."""
        for target in REQUIRED:
            path = self.mapping.get(target)
            if path and not path.startswith("=") and self.records and target not in self.found:
                raise UsageError(_no_column(source, target, path, self._keys))

    def check_columns(self, source: str, columns: Collection[str]) -> None:
        """Before the first row: mapped columns must exist, and those that every event needs."""
        for target, path in self.mapping.items():
            if path and not path.startswith("=") and not any(path[:cut] in columns for cut in _cuts(path)):
                raise UsageError(_no_column(source, target, path, columns))
        for target in ("account_id", "timestamp"):
            if target not in self.mapping and target not in columns:
                raise UsageError(_no_column(source, target, target, columns))
        if not any(self.mapping.get(x) if x in self.mapping else x in columns for x in ("text", "messages")):
            raise UsageError(_no_column(source, "text", "text", columns))


def _cuts(path: str) -> list[int]:
    """Where the name of a field may end in a dotted path: it may hold dots itself."""
    return [cut for cut in range(1, len(path) + 1) if cut == len(path) or path[cut] == "."]


def with_system(fields: dict[str, object], system: object) -> dict[str, object]:
    """Put a separate system text in front, as a message of that role."""
    if system is None or system == "":
        return fields
    text, messages = fields.pop("text", None), fields.get("messages")
    turns = messages if isinstance(messages, list) else [{"role": "user", "content": text}]
    fields["messages"] = [{"role": "system", "content": system}, *turns]
    return fields


def _no_column(source: str, target: str, path: str, columns: Collection[str]) -> str:
    where = source or "the input"
    known = ", ".join(list(columns)[:20]) or "none"
    return f"{where} has no {path!r} for {target}; it has: {known}. Say which is it with --map {target}=NAME"
