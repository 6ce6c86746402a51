"""What Schemathesis needs to know to send JSON lines; loaded by it through SCHEMATHESIS_HOOKS."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(_context: Any, value: Any) -> bytes | None:
    """A text as it is: good lines and bad ones are both for the server to sort out."""
    return value.encode() if isinstance(value, str) else None
