"""Lists in pages: an opaque, signed cursor says where the next page of the very same question begins."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from typing import Annotated, TypeVar

from fastapi import Query

from promptsim.api.problems import Problem

LimitQuery = Annotated[int, Query(ge=1, le=1000, description="At most so many rows.")]
CursorQuery = Annotated[
    str, Query(max_length=200, description="`next_cursor` of the page before, with the same other parameters.")
]
Row = TypeVar("Row")
_SIGNATURE = 12


class Pages:
    """Cursors of one list with its filters."""

    def __init__(self, secret: bytes, *question: object) -> None:
        self._key = hashlib.blake2b(repr(question).encode(), key=secret, person=b"page-cursor").digest()[:64]

    def offset(self, cursor: str) -> int:
        """Where the page begins; a 400 problem for a cursor that was not made here, or for another question."""
        if not cursor:
            return 0
        try:
            raw = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        except (binascii.Error, UnicodeEncodeError, ValueError):
            raw = b""
        body, signature = raw[:-_SIGNATURE], raw[-_SIGNATURE:]
        if not body or not hmac.compare_digest(self._sign(body), signature):
            raise Problem(400, "bad-cursor", "the cursor is not one of this list with these parameters: begin again")
        return int.from_bytes(body, "big")

    def page(self, rows: Sequence[Row], offset: int, limit: int) -> tuple[Sequence[Row], str | None]:
        """The rows to show of `limit + 1` that were looked up, and the cursor of the next page if there is one."""
        if len(rows) <= limit:
            return rows, None
        body = (offset + limit).to_bytes(5, "big")
        return rows[:limit], base64.urlsafe_b64encode(body + self._sign(body)).decode().rstrip("=")

    def _sign(self, body: bytes) -> bytes:
        return hashlib.blake2b(body, key=self._key, digest_size=_SIGNATURE).digest()
