"""Canonical texts → keyed fingerprints: the identity of a prompt, and of an event that brought no id.

    (system, user) ─► keyed BLAKE2b ─► 16 bytes;      (account, time, fingerprint) ─► "ev_…"

The key is the home's own, so that a fingerprint says nothing to those who lack it and collisions cannot be prepared.
Every part is preceded by its length, so that ("ab", "c") and ("a", "bc") differ.
"""

from __future__ import annotations

from hashlib import blake2b

FINGERPRINT_BYTES = 16


def fingerprint(system: str, user: str, key: bytes) -> bytes:
    """The identity of one prompt: its system and user text, both canonical."""
    return _digest(b"prompt", key, system.encode(), user.encode())


def event_key(account: str, time: int, fingerprint: bytes) -> str:
    """The id of an event that came without one: the same account, time and text give the same event."""
    return "ev_" + _digest(b"event", b"", account.encode(), str(time).encode(), fingerprint).hex()


def _digest(purpose: bytes, key: bytes, *parts: bytes) -> bytes:
    digest = blake2b(digest_size=FINGERPRINT_BYTES, key=key, person=purpose)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()
