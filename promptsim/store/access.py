"""Keys of the service: made once, shown once, kept as a keyed hash; each with a name and a role.

What is stored cannot be tried out without the home's secret, and a key has 256 random bits.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass

from promptsim.errors import NotFoundError, UsageError
from promptsim.store.core import Core
from promptsim.store.database import explained

PREFIX = "ps_"
ROLES = ("ingest", "search", "review", "admin")  # each may do what those before it may
_COLUMNS = "key_id, name, role, created, revoked, digest"


@dataclass(frozen=True, slots=True)
class AccessKey:
    """What is known of a key after it was made; the key itself is not."""

    key_id: str
    name: str
    role: str
    created: int
    revoked: int | None


class Access(Core):
    """Making, checking and revoking keys."""

    def create_access_key(self, name: str, role: str) -> tuple[AccessKey, str]:
        """A new key: its record, and the key itself, which cannot be had again."""
        if role not in ROLES:
            raise UsageError(f"role {role!r}: choose one of {', '.join(ROLES)}")
        if not name.strip() or len(name) > 100 or not name.isprintable():
            raise UsageError("a key needs a name of at most 100 printable characters: verdicts are signed with it")
        token = PREFIX + secrets.token_urlsafe(32)
        made = AccessKey(f"k_{secrets.token_hex(6)}", name.strip(), role, time.time_ns() // 1000, None)
        with self.database.writing() as connection:
            row = (made.key_id, made.name, made.role, made.created, None, self._key_digest(token))
            connection.execute(f"INSERT INTO access_keys ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", row)
        return made, token

    def access_keys(self) -> list[AccessKey]:
        """Every key ever made, the oldest first; revoked ones too."""
        with explained(self.home.database):
            rows = self.database.reader().execute(f"SELECT {_COLUMNS} FROM access_keys ORDER BY created, key_id")
            return [AccessKey(*row[:5]) for row in rows]

    def has_access_keys(self) -> bool:
        """Whether any key was ever made: from then on nothing is open, even if all are revoked."""
        with explained(self.home.database):
            return self.database.reader().execute("SELECT 1 FROM access_keys LIMIT 1").fetchone() is not None

    def revoke_access_key(self, key_id: str) -> AccessKey:
        """End a key for good, at once for every running server; NotFoundError if there is none of this id."""
        with self.database.writing() as connection:
            sql = "UPDATE access_keys SET revoked = ? WHERE key_id = ? AND revoked IS NULL"
            connection.execute(sql, (time.time_ns() // 1000, key_id))
            row = connection.execute(f"SELECT {_COLUMNS} FROM access_keys WHERE key_id = ?", (key_id,)).fetchone()
        if row is None:
            raise NotFoundError(f"no key has the id {key_id!r}; `promptsim keys list` shows them")
        return AccessKey(*row[:5])

    def access_key_of(self, token: str) -> AccessKey | None:
        """The valid key that this is; None for any other text."""
        if not token.startswith(PREFIX) or len(token) > 100 or not token.isascii():
            return None
        digest = self._key_digest(token)
        sql = f"SELECT {_COLUMNS} FROM access_keys WHERE digest = ? AND revoked IS NULL"
        with explained(self.home.database):
            row = self.database.reader().execute(sql, (digest,)).fetchone()
        if row is None or not hmac.compare_digest(bytes(row[5]), digest):
            return None
        return AccessKey(*row[:5])

    def _key_digest(self, token: str) -> bytes:
        return hashlib.blake2b(token.encode(), digest_size=32, key=self.key, person=b"access-key").digest()
