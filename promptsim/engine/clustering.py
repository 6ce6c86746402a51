"""One clustering run: documents and senders → families → account networks → the current result, at once.

store ─► mine, or extend the last run's families ─► link ─► store

Under a lease, so that two processes never run at the same time. What is new is added to the families that are known;
all is mined anew when that is asked for, when there is a quarter more than at the last such run, and while there is
little.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from promptsim import settings
from promptsim.encode.encoder import Encoder
from promptsim.engine.known_prompts import read_known
from promptsim.engine.watching import known_members, watch_run
from promptsim.errors import BusyError
from promptsim.families.increment import extend
from promptsim.families.mine import mine
from promptsim.families.options import RULES
from promptsim.memory import kept_for_reuse
from promptsim.networks.changes import network_changes
from promptsim.networks.link import link
from promptsim.networks.options import NetworkOptions
from promptsim.networks.usage import sendings_of
from promptsim.progress import Progress
from promptsim.records import FamilySet, Incidence, Mining, NetworkSet, Run
from promptsim.store.runs import LEASE_SECONDS, new_run_id
from promptsim.store.store import Store

ALWAYS_WHOLE = 20_000  # prompts that are mined in a second or two
GROWN = 1.25  # times the prompts of the last whole run: from here on families may be other than they seemed


def can_be_extended(last: Mining, prompts: int) -> bool:
    """Whether a run over so many prompts need only look at what is new since the last one."""
    return prompts > ALWAYS_WHOLE and last.rules == RULES and prompts <= GROWN * last.whole


@dataclass
class Clock:
    """Wall time by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, progress: Progress) -> Iterator[None]:
        """Time one stage and show it."""
        with self.timed(name), progress.stage(name):
            yield

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time what shows stages of its own."""
        started = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - started


def run_clustering(
    store: Store,
    encoder: Encoder,
    *,
    full: bool,
    progress: Progress,
    run: Run | None = None,
    known: Collection[str] | None = None,
) -> Run:
    """Find families and networks over all that is stored now, and make them the current result.

    `run` is one whose lease was taken already, by the process that asked for it. `known` are public prompts; without
    them, those of the operator's file.
    """
    run_id = run.run_id if run else new_run_id()
    with _recorded(store, run_id):  # from before the lease is taken: an interrupt may come at any moment
        run = run or store.start_run(full=full, run_id=run_id)
        with _kept_alive(store, run), _nothing_collected(), kept_for_reuse():
            return _finished(store, encoder, run, full, progress, known)


def _finished(
    store: Store, encoder: Encoder, run: Run, full: bool, progress: Progress, known: Collection[str] | None
) -> Run:
    """The work of a run whose lease is held."""
    clock = Clock()
    public = read_known(settings.known_prompts()) if known is None else frozenset(known)
    with store.snapshot():
        covered = store.counts().prompts
        with clock.stage("reading", progress), ThreadPoolExecutor(1) as beside:
            sorting = beside.submit(store.incidence, store.numbered_events())
            activity, previous, networks_before = store.activity(), store.family_set(), store.networks()
            incidence = sorting.result()
        last = store.mining()
        whole = full or not can_be_extended(last, covered)
        with ThreadPoolExecutor(1) as beside:
            ordered = beside.submit(sendings_of, activity)  # knows nothing of families
            with clock.timed("finding families" if whole else "finding what is new"):
                found = _found(store, encoder, incidence, previous, None if whole else last.covered, progress)
            sendings = ordered.result()
        with clock.stage("linking accounts", progress):
            linked = link(
                found.families, found.members, activity, options=NetworkOptions(public_templates=public),
                previous=networks_before, sendings=sendings,
            )  # fmt: skip
    started = time.perf_counter()
    counts = _counts(found, linked, covered, len(activity.accounts))
    finished = replace(
        run, state="finished", full=whole, finished=time.time_ns() // 1000, counts=counts, seconds=clock.seconds,
        changes={**_changes(previous, found), **network_changes(networks_before, linked.networks)},
    )  # fmt: skip
    watched = known_members(store)
    mined = covered if whole else last.whole
    store.save_run(finished, found, linked, covered=covered, whole=mined, rules=RULES)
    watch_run(store, watched)
    clock.seconds["saving"] = time.perf_counter() - started
    return finished


def _found(
    store: Store,
    encoder: Encoder,
    incidence: Incidence,
    previous: FamilySet,
    covered: int | None,
    progress: Progress,
) -> FamilySet:
    """All mined anew, under the ids of the run before; or what that run `covered`, with what is new."""
    if covered is not None:
        return extend(store, incidence, previous, covered=covered, encode=encoder.encode, progress=progress)
    return mine(
        store.documents, incidence, encode=encoder.encode, previous=previous, documents_of=store.documents_of,
        progress=progress,
    )  # fmt: skip


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
def _nothing_collected() -> Iterator[None]:
    """Without the search for cycles: a run makes millions of records that live to its end, and no cycles.

    Walking them again and again takes two thirds of the time of reading and writing families.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@contextmanager
def _recorded(store: Store, run_id: str) -> Iterator[None]:
    """A run that breaks is recorded as failed, and its lease is given back; the last result stays."""
    try:
        yield
    except BaseException as error:
        store.fail_run(run_id, f"{type(error).__name__}: {error}")
        raise


@contextmanager
def _kept_alive(store: Store, run: Run) -> Iterator[None]:
    """Renew the lease from a thread of its own while a stage computes."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(LEASE_SECONDS / 3):
            try:
                store.renew_lease(run.run_id)
            except BusyError:  # ended with the result just now, or lost: then storing the result says so
                return

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
