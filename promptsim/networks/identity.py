"""Account sets of this run and networks of the last → network ids that persist.

A network keeps its id while it shares at least half of the smaller account set with its predecessor; a new one is
named after its accounts, so that the same traffic gives the same id.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from promptsim.records import Network


def name_networks(account_sets: Sequence[tuple[str, ...]], previous: Sequence[Network]) -> list[str]:
    """One id for each account set, in their order; the largest overlap takes an old id first."""
    old = {network.network_id: frozenset(network.account_ids) for network in previous}
    ids_of: dict[str, list[str]] = {}  # of each account: most sets have none in common
    for network_id, theirs in old.items():
        for account in theirs:
            ids_of.setdefault(account, []).append(network_id)
    pairs = []
    for at, accounts in enumerate(account_sets):
        mine = frozenset(accounts)
        for network_id, shared in Counter(name for account in mine for name in ids_of.get(account, ())).items():
            if 2 * shared >= min(len(mine), len(old[network_id])):
                pairs.append((-shared, network_id, at))
    ids: dict[int, str] = {}
    taken: set[str] = set()
    for _, network_id, at in sorted(pairs):
        if at not in ids and network_id not in taken:
            ids[at] = network_id
            taken.add(network_id)
    for at, accounts in enumerate(account_sets):
        if at not in ids:
            ids[at] = _fresh(accounts, taken)
            taken.add(ids[at])
    return [ids[at] for at in range(len(account_sets))]


def _fresh(accounts: Sequence[str], taken: set[str]) -> str:
    digest = hashlib.blake2b("\n".join(sorted(accounts)).encode(), digest_size=16).hexdigest()
    return next(name for length in range(12, 33) if (name := f"net_{digest[:length]}") not in taken or length == 32)
