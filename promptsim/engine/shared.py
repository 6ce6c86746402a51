"""One home for the many threads of a server: an `Engine` whose index is refreshed behind a gate, never in a search.

The store gives each thread its own connection and the encoder is a pure function; the index is what must not change
while it is read. It is brought up to date between searches, built by another process (`build_index`), and adopted here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptsim.encode.encoder import Encoder
from promptsim.engine.engine import Engine, identity
from promptsim.engine.engine import _index_of as index_of
from promptsim.engine.gate import Gate
from promptsim.engine.known import known
from promptsim.engine.likeness import Neighbour, neighbours
from promptsim.engine.picture import FamilyPicture, NetworkPicture, family_picture, network_picture
from promptsim.engine.receiving import Receipt, read_items, receive
from promptsim.engine.searching import Found
from promptsim.engine.timeline import Bucket, buckets
from promptsim.errors import BusyError
from promptsim.progress import Progress
from promptsim.records import Floats, MemberPrompt, Prompt, Run
from promptsim.store.access import AccessKey
from promptsim.store.core import Counts
from promptsim.store.erasure import Erased
from promptsim.store.members import Membership
from promptsim.store.store import Store

QUICK = 0.02  # seconds of a refresh that nobody notices: then every search sees everything acknowledged before it
REST = 4.0  # a slower refresh is followed by so many times its length without one, under a stream of new events
SENDERS_SHOWN = 100
WARMING = "Who else sent prompts like this?"


@dataclass(frozen=True, slots=True)
class Sender:
    """One account that sent a prompt."""

    account_id: str
    event_count: int
    first_seen: int
    last_seen: int


@dataclass(frozen=True, slots=True)
class PromptView:
    """A prompt with who sent it (the first of them) and the families that it belongs to."""

    prompt: Prompt
    event_count: int
    account_count: int
    last_seen: int
    senders: tuple[Sender, ...]
    families: tuple[Membership, ...]


class OneAtATime:
    """An encoder for many threads, where the model itself is for one."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder, self._lock = encoder, threading.Lock()
        self.name, self.digest, self.dimension = encoder.name, encoder.digest, encoder.dimension

    @property
    def cuts(self) -> Any:
        return self._encoder.cuts

    def encode(self, texts: Sequence[str]) -> Floats:
        with self._lock:
            return self._encoder.encode(texts)


class SharedEngine(Engine):
    """Every method may be called from any thread."""

    def __init__(self, store: Store, model: str | None = None, *, reindex: bool = False) -> None:
        super().__init__(store, model, reindex=reindex)
        self._gate = Gate()
        self._writing = threading.Lock()
        self._seen = -1
        self._rested_at = 0.0
        self._serving = False  # searches go on, so that the tail is read however long it is

    @classmethod
    def share(cls, home: Path | str, *, model: str | None = None, create: bool = True) -> SharedEngine:
        """Open a home for a server; see `Engine.open`."""
        engine = cls(Store.open(home, create=create), model)
        try:
            encoder = engine._encoder
            engine._encoder = encoder if model is None else OneAtATime(encoder)
            assert engine._index is not None  # opened now, by one thread
        except BaseException:
            engine.close()
            raise
        return engine

    # ---------------------------------------------------------------- the index
    def _refresh(self, progress: Progress | None = None) -> None:
        """Nothing: `catch_up` does it outside of the searches."""

    def catch_up(self, *, force: bool = False) -> None:
        """See what any process has stored or built since; returns at once when there is nothing new."""
        version = self._store.version()
        if not force and (version == self._seen or time.monotonic() < self._rested_at):
            return
        with self._gate.changing():
            if not force and version <= self._seen:
                return
            began = time.monotonic()
            self._index.refresh(self._store.vectors(), self._store.alive())
            if self._serving or not self._index.needs_rebuild:
                self._index.read_tail()  # once, by one thread, rather than in each search
            self._seen = version
            took = time.monotonic() - began
            self._rested_at = time.monotonic() + (REST * took if took > QUICK else 0.0)

    def warm(self) -> None:
        """Compile, map and read what the first search and the first match would otherwise wait for."""
        self._serving = True
        known(self._store)
        with self._gate.looking():
            if len(self._store.vectors()):
                super().search(WARMING, k=1)
        super().match(WARMING)

    @property
    def needs_rebuild(self) -> bool:
        """Whether another process should build the index now."""
        return self._index.needs_rebuild

    @property
    def index_lag(self) -> int:
        """Prompts that are searched one by one because no generation has them yet."""
        status = self._index.status()
        return status.prompts - status.indexed

    # ---------------------------------------------------------------- search and match
    def search(self, *arguments: Any, **options: Any) -> Found:
        """See `Engine.search`."""
        self.catch_up()
        with self._gate.looking():
            return super().search(*arguments, **options)

    # ---------------------------------------------------------------- writing
    def receive(self, body: bytes) -> Receipt:
        """Store the items of a request; durable when this returns."""
        items, counts = read_items(body, self._store.key)
        with self._writing:
            return receive(self._store, self._encoder, items, counts)

    def erase(self, account_id: str) -> Erased:
        """See `Engine.erase`."""
        with self._writing:
            return super().erase(account_id)

    def retain(self, since: int) -> Erased:
        """See `Engine.retain`."""
        with self._writing:
            return super().retain(since)

    def _after_erasure(self) -> None:
        """The erased prompts are gone from answers at once; then the index is built without them, beside the old."""
        self.catch_up(force=True)
        index = index_of(self._store, identity(self._encoder))  # another opening of it: this one goes on answering
        try:
            index.rebuild(full=True)
        finally:
            index.close()
        self.catch_up(force=True)

    # ---------------------------------------------------------------- looking things up
    def prompt(self, prompt_id: str) -> PromptView:
        """One prompt; NotFoundError if there is none of this id."""
        prompt = self._store.prompt_by_id(prompt_id)
        senders = self._store.senders([prompt.prompt_no])
        shown = senders.account_no[:SENDERS_SHOWN]
        rows = zip(self._store.accounts(shown), senders.events, senders.first_seen, senders.last_seen, strict=False)
        families = self._store.families_of([prompt.prompt_no]).get(prompt.prompt_no, ())
        last = int(senders.last_seen.max(initial=prompt.first_seen))
        listed = tuple(Sender(name, int(n), int(first), int(to)) for name, n, first, to in rows)
        return PromptView(prompt, int(senders.events.sum()), len(senders), last, listed, families)

    def account_prompts(self, account_id: str, *, limit: int, offset: int = 0) -> list[tuple[Prompt, int]]:
        """Prompts of an account, those it sent most often first, and how often it sent each."""
        numbers, counts = self._store.account_prompts(self._store.account(account_id).account_no)
        order = (-counts).argsort(kind="stable")[offset : offset + limit]
        sent = dict(zip(numbers[order].tolist(), counts[order].tolist(), strict=True))
        return [(prompt, sent[prompt.prompt_no]) for prompt in self._store.prompts(numbers[order])]

    def similar_accounts(self, account_id: str, *, k: int) -> list[Neighbour]:
        """Accounts that send from the same families and the same texts."""
        return neighbours(self._store, account_id, k=k)

    def members_from(self, family_id: str, *, limit: int, offset: int) -> list[MemberPrompt]:
        """Prompts of one family, by number."""
        return self._store.member_prompts(family_id, limit=limit, offset=offset)

    def timeline(self, family_id: str, *, step: str) -> list[Bucket]:
        """How a family was sent over time."""
        return buckets(*self._store.family_activity(family_id), step)

    def family_picture(self, family_id: str, *, senders: int) -> FamilyPicture:
        """Who sends a family, and when."""
        return family_picture(self._store, family_id, senders=senders)

    def network_picture(self, network_id: str, *, accounts: int, families: int) -> NetworkPicture:
        """Who of a network sends which of its families, and when."""
        return network_picture(self._store, self._store.network(network_id), accounts=accounts, families=families)

    def run(self, run_id: str) -> Run:
        """One run; NotFoundError if there is none of this id."""
        return self._store.run(run_id)

    def runs_from(self, *, limit: int, offset: int) -> list[Run]:
        """Runs, the newest first."""
        return self._store.runs(limit, offset)

    def last_run(self) -> Run | None:
        """The newest finished run."""
        return self._store.last_run()

    def counts(self) -> Counts:
        """How much there is of everything."""
        return self._store.counts()

    def covered_prompts(self) -> int:
        """How many prompts the last finished run saw."""
        return self._store.covered_prompts()

    def version(self) -> int:
        """Grows with every commit of any process."""
        return self._store.version()

    @property
    def secret(self) -> bytes:
        """The home's own key: for signing what is handed out and must come back unchanged."""
        return self._store.key

    # ---------------------------------------------------------------- keys
    def key_of(self, token: str) -> AccessKey | None:
        """The valid access key that this is."""
        return self._store.access_key_of(token)

    def key_of_id(self, key_id: str) -> AccessKey | None:
        """The key of this id, while it is valid: for sessions, which must end with their key."""
        known = (key for key in self._store.access_keys() if key.key_id == key_id and key.revoked is None)
        return next(known, None)

    def has_keys(self) -> bool:
        """Whether any access key was ever made."""
        return self._store.has_access_keys()

    # ---------------------------------------------------------------- runs
    def begin_run(self, *, full: bool) -> Run:
        """Take the lease for a run that another process is to carry out; BusyError while one is under way."""
        return self._store.start_run(full=full)

    def give_up_run(self, run_id: str, error: str) -> None:
        """Record that a run's process ended without a result; nothing where it did record one."""
        self._store.fail_run(run_id, error)


def build_index(home: Path | str, *, model: str | None = None) -> None:
    """Fold the newest prompts into the index, in a process of its own; nothing while another process does so."""
    with Engine.open(home, model=model, create=False) as engine:
        try:
            engine._refresh()
        except BusyError:
            return


def carry_out(
    home: Path | str,
    run_id: str,
    *,
    model: str | None,
    wording_model: str | None = None,
    progress_to: Callable[[Callable[..., None]], Progress],
) -> Run:
    """The clustering run of a lease that another process has taken; its stages are recorded as they end."""
    from promptsim.engine.clustering import run_clustering

    with Engine.open(home, model=model, wording_model=wording_model, create=False) as engine:
        run, store = engine._store.run(run_id), engine._store

        def record(seconds: Mapping[str, float]) -> None:
            store.renew_lease(run_id, timings=seconds)

        return run_clustering(store, engine.wording_encoder(), full=run.full, progress=progress_to(record), run=run)
