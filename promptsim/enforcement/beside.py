"""What enforcement does beside a server: deliver what is in the outbox, log who reads prompt text."""

from __future__ import annotations

from collections.abc import Sequence

from promptsim.enforcement.addresses import IpNetwork
from promptsim.enforcement.audit import Named, Trail
from promptsim.enforcement.deliver import Courier
from promptsim.store.store import Store


class Enforcement:
    """Its threads over one open store; `after_read` is the service's hook."""

    def __init__(self, store: Store, *, allow: Sequence[IpNetwork] = ()) -> None:
        self._trail, self._courier = Trail(store), Courier(store, allow)
        self._courier.start()

    def after_read(self, engine: object, caller: Named, action: str, what: str) -> None:
        """Note that a caller was shown prompt text."""
        self._trail.after_read(engine, caller, action, what)

    def close(self) -> None:
        """Write what waits, end after the requests under way; before the store is closed."""
        self._courier.stop()
        self._trail.close()
