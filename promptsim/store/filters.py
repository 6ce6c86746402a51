"""What a search may be narrowed to: one account, a span of time, metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions on events, all of which must hold; `since` is included, `until` is not.

    `metadata` compares values as text: numbers as JSON writes them, `true`, `false` and `null`, lists and objects as
    compact JSON with sorted keys.
    """

    account_id: str | None = None
    since: int | None = None
    until: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything is asked at all."""
        return self.account_id is not None or self.since is not None or self.until is not None or bool(self.metadata)

    def accepts(self, metadata: Mapping[str, object]) -> bool:
        """Whether an event's metadata has all that is asked."""
        return all(key in metadata and as_text(metadata[key]) == value for key, value in self.metadata.items())


def as_text(value: object) -> str:
    """A metadata value as the text that filters compare and that accounts are tied by."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
