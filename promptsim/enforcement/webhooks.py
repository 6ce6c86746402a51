"""Registering webhooks: a URL, the types of messages it gets, a secret that is shown once."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Sequence

from promptsim.contract import Row, rfc3339
from promptsim.enforcement.addresses import IpNetwork, require_url
from promptsim.errors import ConflictError, UsageError
from promptsim.store.outbox import TYPES, Delivery, Webhook
from promptsim.store.store import Store

SECRET_BYTES = 32
MOST_WEBHOOKS = 50


def new_secret() -> str:
    """A signing secret as Standard Webhooks writes it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def register(store: Store, url: str, *, by: str, types: Sequence[str] = (), allow: Sequence[IpNetwork] = ()) -> Webhook:
    """Add a webhook; no types means all of them. Its secret is in the answer, and nowhere else later."""
    require_url(url, allow)
    unknown = sorted(set(types) - set(TYPES))
    if unknown:
        raise UsageError(f"no message is of type {unknown[0]!r}: choose from {', '.join(TYPES)}")
    if not by.strip():
        raise UsageError("a webhook needs the name of the person who adds it")
    if len(store.webhooks()) >= MOST_WEBHOOKS:
        raise ConflictError(f"there are {MOST_WEBHOOKS} webhooks already: remove one first")
    chosen = tuple(t for t in TYPES if t in types)
    made = Webhook(f"wh_{secrets.token_hex(8)}", url, chosen, new_secret(), time.time_ns() // 1000, by)
    store.add_webhook(made)
    return made


def webhook_row(webhook: Webhook, *, secret: bool = False) -> Row:
    """A webhook as JSON; its secret only in the answer to its making."""
    row: Row = {
        "webhook_id": webhook.webhook_id,
        "url": webhook.url,
        "types": list(webhook.types or TYPES),
        "created": rfc3339(webhook.created),
        "by": webhook.by,
        "disabled": None if webhook.disabled is None else rfc3339(webhook.disabled),
        "why_disabled": webhook.why_disabled,
    }
    return row | ({"secret": webhook.secret} if secret else {})


def delivery_row(delivery: Delivery) -> Row:
    """One message on its way, as JSON."""
    return {
        "message_id": delivery.message_id,
        "webhook_id": delivery.webhook_id,
        "type": delivery.type,
        "state": delivery.state,
        "tries": delivery.tries,
        "due": rfc3339(delivery.due) if delivery.state == "pending" else None,
        "last_status": delivery.last_status,
        "last_error": delivery.last_error,
        "ended": None if delivery.ended is None else rfc3339(delivery.ended),
    }
