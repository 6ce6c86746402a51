"""One clustering run: documents and senders → families → account networks → the current result, at once.

store ─► mine ─► link ─► store        under a lease, so that two processes never run at the same time
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from promptsim.encode.encoder import Encoder
from promptsim.engine.watching import known_members, watch_run
from promptsim.families.lineage import with_lasting_ids
from promptsim.families.mine import mine
from promptsim.networks.changes import network_changes
from promptsim.networks.link import link
from promptsim.progress import Progress
from promptsim.records import FamilySet, NetworkSet, Run
from promptsim.store.runs import LEASE_SECONDS
from promptsim.store.store import Store


@dataclass
class Clock:
    """Wall time by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, progress: Progress) -> Iterator[None]:
        """Time one stage and show it."""
        started = time.perf_counter()
        with progress.stage(name):
            yield
        self.seconds[name] = time.perf_counter() - started


def run_clustering(store: Store, encoder: Encoder, *, full: bool, progress: Progress, run: Run | None = None) -> Run:
    """Find families and networks over all that is stored now, and make them the current result.

    `run` is one whose lease was taken already, by the process that asked for it.
    """
    run = run or store.start_run(full=full)
    with _kept_alive(store, run), _recorded(store, run):
        clock = Clock()
        with store.snapshot():
            covered = store.counts().prompts
            with clock.stage("reading", progress):
                incidence, activity = store.incidence(), store.activity()
                previous, networks_before = store.family_set(), store.networks()
            with clock.stage("finding families", progress):
                found = mine(store.documents, incidence, encode=encoder.encode, previous=None if full else previous)
                if full:  # mined anew, but a verdict must find what it was given to: ids last
                    found = with_lasting_ids(previous, found)[0]
            with clock.stage("linking accounts", progress):
                linked = link(found.families, found.members, activity, previous=networks_before)
        started = time.perf_counter()
        counts = _counts(found, linked, covered, len(activity.accounts))
        finished = replace(
            run, state="finished", finished=time.time_ns() // 1000, counts=counts, seconds=clock.seconds,
            changes={**_changes(previous, found), **network_changes(networks_before, linked.networks)},
        )  # fmt: skip
        watched = known_members(store)
        store.save_run(finished, found, linked, covered=covered)
        watch_run(store, watched)
        clock.seconds["saving"] = time.perf_counter() - started
    return finished


def _counts(found: FamilySet, linked: NetworkSet, prompts: int, accounts: int) -> dict[str, int]:
    counts = {
        "prompts": prompts,
        "accounts": accounts,
        "families": len(found.families),
        "networks": len(linked.networks),
        "flagged_families": sum(finding.flagged for finding in linked.families.values()),
        "flagged_networks": sum(network.flagged for network in linked.networks),
        "flagged_accounts": sum(finding.flagged for finding in linked.accounts.values()),
    }
    return counts | {f"cut_{name}": n for name, n in sorted({**found.cuts, **linked.cuts}.items())}


def _changes(previous: FamilySet, found: FamilySet) -> Mapping[str, int]:
    before = {family.family_id: family for family in previous.families}
    after = {family.family_id: family for family in found.families}
    return {
        "new": sum(1 for name, f in after.items() if name not in before and f.lineage.split_from is None),
        "continued": sum(1 for name in after if name in before),
        "grown": sum(1 for name, f in after.items() if name in before and f.event_count > before[name].event_count),
        "merged": sum(1 for f in after.values() if f.lineage.merged_from),
        "split": sum(1 for f in after.values() if f.lineage.split_from is not None),
        "ended": sum(1 for name in before if name not in after),
    }


@contextmanager
def _recorded(store: Store, run: Run) -> Iterator[None]:
    """A run that breaks is recorded as failed, and its lease is given back; the last result stays."""
    try:
        yield
    except BaseException as error:
        store.fail_run(run.run_id, f"{type(error).__name__}: {error}")
        raise


@contextmanager
def _kept_alive(store: Store, run: Run) -> Iterator[None]:
    """Renew the lease from a thread of its own while a stage computes."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(LEASE_SECONDS / 3):
            store.renew_lease(run.run_id)

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
