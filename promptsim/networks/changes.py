"""Networks of the last run and of this one → how many are new, continued, grown, merged, split, ended.

Told by the accounts, as the ids are: what took in half of another network's accounts, or is half made of them, is
related to it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from promptsim.records import Network


def network_changes(previous: Sequence[Network], found: Sequence[Network]) -> Mapping[str, int]:
    """Counts by kind of change, each named `networks_…`; a network may be of several kinds."""
    before = {network.network_id: len(network.account_ids) for network in previous}
    after = {network.network_id: len(network.account_ids) for network in found}
    shared = _shared(previous, found)
    fresh = after.keys() - before.keys()
    split = {new for (old, new), n in shared.items() if new in fresh and 2 * n >= after[new]}
    merged = {new for (old, new), n in shared.items() if old not in after and 2 * n >= before[old]}
    return {
        "networks_new": len(fresh - split),
        "networks_continued": len(after.keys() & before.keys()),
        "networks_grown": sum(after[name] > before[name] for name in after.keys() & before.keys()),
        "networks_merged": len(merged),
        "networks_split": len(split),
        "networks_ended": len(before.keys() - after.keys()),
    }


def _shared(previous: Sequence[Network], found: Sequence[Network]) -> Counter[tuple[str, str]]:
    """How many accounts each old network has in common with each new one; pairs without any are left out."""
    home: defaultdict[str, list[str]] = defaultdict(list)
    for network in previous:
        for account in network.account_ids:
            home[account].append(network.network_id)
    return Counter((old, network.network_id) for network in found for a in network.account_ids for old in home[a])
