"""Who is logged in ◄─► a signed cookie; and the token by which a form proves that it is one of ours.

The cookie holds no key, only the key's id: what a key may do is looked up for each request, so that a revoked key ends
its sessions at once.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from itsdangerous import BadData, URLSafeTimedSerializer

COOKIE = "promptsim_session"
MAX_AGE = 12 * 3600  # seconds: a working day


@dataclass(frozen=True, slots=True)
class Session:
    """`key_id` is None for everyone on this machine, while no key was ever made; then `name` is what they call
    themselves."""

    key_id: str | None
    name: str
    nonce: str

    @classmethod
    def begin(cls, key_id: str | None, name: str) -> Session:
        return cls(key_id, name, secrets.token_urlsafe(16))


class Sessions:
    """Signing and checking, with the home's own secret."""

    def __init__(self, secret: bytes) -> None:
        self._csrf_key = hashlib.blake2b(secret, person=b"web-csrf").digest()
        signing = hashlib.blake2b(secret, person=b"web-session").digest()
        options = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}
        self._serializer = URLSafeTimedSerializer(signing, salt=COOKIE, signer_kwargs=options)

    def cookie(self, session: Session) -> str:
        """The cookie's value."""
        return str(self._serializer.dumps([session.key_id, session.name, session.nonce]))

    def read(self, cookie: str) -> Session | None:
        """The session of a cookie that was signed here less than a day ago."""
        try:
            key_id, name, nonce = self._serializer.loads(cookie, max_age=MAX_AGE)
        except (BadData, ValueError, TypeError):
            return None
        return Session(key_id, name, nonce)

    def csrf(self, session: Session) -> str:
        """The token of this session's forms."""
        return hmac.new(self._csrf_key, session.nonce.encode(), hashlib.sha256).hexdigest()

    def is_ours(self, session: Session, token: str) -> bool:
        """Whether a form was made for this session."""
        return hmac.compare_digest(self.csrf(session).encode(), token.encode())
