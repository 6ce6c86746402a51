"""`Engine`: one home, opened. Each method is one use of the program; the work stands in the modules beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, get_args

from promptsim import settings
from promptsim.encode.encoder import Encoder, open_encoder
from promptsim.engine import ingestion, searching
from promptsim.engine.explaining import Explanation, explain
from promptsim.engine.ingestion import IngestReport
from promptsim.engine.judgement import decide, judged
from promptsim.engine.known import known
from promptsim.engine.known_prompts import read_known
from promptsim.engine.matching import Match, match
from promptsim.engine.searching import Found, Query
from promptsim.errors import BusyError, UsageError
from promptsim.index.index import TAIL_ROWS, Index
from promptsim.intake.event import parse_events, parse_prompt
from promptsim.intake.problems import BadEvent
from promptsim.progress import Progress, Silent
from promptsim.records import (
    AccountSummary,
    Event,
    Evidence,
    Family,
    MemberEvent,
    MemberPrompt,
    Network,
    Rejection,
    Run,
    Verdict,
    Verdict_,
)  # fmt: skip
from promptsim.store.backup import restore
from promptsim.store.core import EncoderIdentity
from promptsim.store.erasure import Erased
from promptsim.store.filters import Filters
from promptsim.store.store import Store

STATUSES = ("open", *get_args(Verdict_))


class Engine:
    """One home with its store, its index and its encoder. Use it as a context manager; it is not shared by threads.

    The encoder and the index are opened when they are first needed: listing families needs neither.
    """

    def __init__(
        self, store: Store, model: str | None = None, *, wording_model: str | None = None, reindex: bool = False
    ) -> None:
        self._store, self._model, self._wording_model, self._reindexing = store, model, wording_model, reindex
        self._seen = -1  # version of the store that the index was last shown

    @classmethod
    def open(
        cls,
        home: Path | str = "index",
        *,
        model: str | None = None,
        wording_model: str | None = None,
        create: bool = True,
        reindex: bool = False,
    ) -> Engine:
        """Open a home, or make one. `model` names a sentence-transformers model; None is the shipped encoder.

        `wording_model` names one that only compares the fixed texts of families in a clustering run; None is `model`.

        Raises HomeError when the folder cannot be used. What needs the encoder raises EncoderMismatchError when the
        stored vectors are another model's (unless `reindex` says that they are about to be made again).
        """
        return cls(Store.open(home, create=create), model, wording_model=wording_model, reindex=reindex)

    @cached_property
    def _encoder(self) -> Encoder:
        encoder = open_encoder(self._model)
        if not self._reindexing:
            self._store.use_encoder(identity(encoder))
        return encoder

    @cached_property
    def _index(self) -> Index:
        made_by = self._store.encoder() or identity(self._encoder)
        return _index_of(self._store, made_by, reindex=self._reindexing)

    def wording_encoder(self) -> Encoder:
        """What tells reworded instructions: a model of its own where one was named, else that of the vectors."""
        return self._encoder if self._wording_model is None else open_encoder(self._wording_model)

    def close(self) -> None:
        self._close_index()
        self._store.close()

    def _close_index(self) -> None:
        index = self.__dict__.pop("_index", None)
        if index is not None:
            index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---------------------------------------------------------------- ingest
    def ingest(self, events: Iterable[Event | Mapping[str, object]]) -> IngestReport:
        """Store events: `Event` records, or mappings with the fields of the contract. Bad ones are counted."""
        rejected: list[Rejection] = []
        counts: Counter[str] = Counter()

        def good() -> Iterator[Event]:
            for number, item in enumerate(events, 1):
                if isinstance(item, Event):
                    yield item
                    continue
                for parsed in parse_events([item], key=self._store.key, counts=counts):
                    if isinstance(parsed, Event):
                        yield parsed
                    else:
                        rejected.append(replace(parsed, line=number))

        report = ingestion.ingest_events(self._store, self._encoder, good())
        report.reject(rejected)
        report.counts.update(counts)
        self._index_many(report.new_prompts)
        return report

    def ingest_files(
        self,
        sources: Sequence[Path | BinaryIO],
        *,
        format: str = "auto",
        mapping: Mapping[str, str] | None = None,
        rejects: Path | None = None,
        progress: Progress | None = None,
    ) -> IngestReport:
        """Read and store files; see `promptsim.engine.ingestion.ingest_files`."""
        report = ingestion.ingest_files(
            self._store, self._encoder, sources, format=format, mapping=mapping, rejects=rejects, progress=progress
        )
        self._index_many(report.new_prompts, progress)
        return report

    def _index_many(self, prompts: int, progress: Progress | None = None) -> None:
        """Fold many new prompts into the index now rather than before the next search; a few wait for it."""
        if prompts <= TAIL_ROWS:
            return
        with suppress(BusyError):  # another process is building it: it, or the next search, takes these too
            self._refresh(progress)

    # ---------------------------------------------------------------- search
    def search(
        self,
        text: str | None = None,
        *,
        messages: Sequence[Mapping[str, object]] | None = None,
        prompt_id: str | None = None,
        k: int = 10,
        by: str = "account",
        account_id: str | None = None,
        since: int | None = None,
        until: int | None = None,
        min_similarity: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Found:
        """Who else sent prompts like this? Give one of text, messages or prompt_id; times in microseconds."""
        if by not in ("account", "prompt"):
            raise UsageError(f"by={by!r}: hits are grouped by account or prompt")
        if k < 1:
            raise UsageError(f"k={k}: ask for at least one hit")
        query = self._query(text, messages, prompt_id)
        self._refresh()
        return searching.search(
            self._store, self._index, self._encoder, query, k=k, by=by, min_similarity=min_similarity,
            filters=Filters(account_id, since, until, metadata or {}),
        )  # fmt: skip

    def _query(self, text: str | None, messages: Sequence[Mapping[str, object]] | None, prompt_id: str | None) -> Query:
        if sum(given is not None for given in (text, messages, prompt_id)) != 1:
            raise UsageError("a search needs exactly one of text, messages or prompt_id")
        if prompt_id is not None:
            prompt = self._store.prompt_by_id(prompt_id)
            return Query(prompt.system, prompt.user)
        try:
            return Query(*parse_prompt(text, messages))
        except BadEvent as problem:
            raise UsageError(f"the query cannot be searched for: {problem.reason}") from None

    def match(self, text: str | None = None, *, messages: Sequence[Mapping[str, object]] | None = None) -> Match | None:
        """Is this a prompt of a known family? For a request path: nothing is stored, nothing embedded."""
        return match(self._store, known(self._store, newest=False), text, messages)

    def _refresh(self, progress: Progress | None = None) -> None:
        """See what any process has stored since; fold the newest prompts into the index when there are many."""
        version = self._store.version()
        if version == self._seen:
            return
        self._seen = version
        self._index.refresh(self._store.vectors(), self._store.alive())
        if self._index.needs_rebuild:
            self._index.rebuild(progress)

    # ---------------------------------------------------------------- clustering and its results
    def cluster(self, *, full: bool = False, known: Path | None = None, progress: Progress | None = None) -> Run:
        """One clustering run: families, then networks. BusyError while another process runs one.

        `known`: a file of public prompts whose use accuses nobody; else that of $PROMPTSIM_KNOWN_PROMPTS.
        """
        from promptsim.engine import clustering  # brings all of statistics with it, which no search needs

        public = read_known(known or settings.known_prompts())
        self._refresh(progress)
        encoder = self.wording_encoder()
        return clustering.run_clustering(self._store, encoder, full=full, progress=progress or Silent(), known=public)

    def families(
        self, *, flagged: bool = False, status: str | None = None, sort: str = "score", limit: int | None = None
    ) -> list[Family]:
        """Families of the last run with the verdicts laid over them."""
        if status is not None and status not in STATUSES:
            raise UsageError(f"status {status!r}: choose one of {', '.join(STATUSES)}")
        narrow = flagged or status is not None
        found = self._store.families(sort=sort, limit=None if narrow else limit)
        verdicts = self._store.latest_verdicts()
        shown = [judged(family, verdicts.get(family.family_id)) for family in found]
        kept = [f for f in shown if (f.flagged or not flagged) and status in (None, f.status)]
        return kept[:limit]

    def family(self, family_id: str) -> Family:
        """One family; NotFoundError if the last run has none of this id."""
        return judged(self._store.family(family_id), self._store.latest_verdicts().get(family_id))

    def family_count(self) -> int:
        return self._store.counts().families

    def members(self, family_id: str, *, limit: int = 50) -> list[MemberPrompt]:
        """Prompts of one family."""
        return self._store.member_prompts(family_id, limit=limit)

    def explain(self, event_id: str) -> Explanation:
        """Why an event is in its families; NotFoundError if there is no such event."""
        return explain(self._store, event_id)

    def member_events(self, *, flagged: bool = False) -> Iterator[MemberEvent]:
        """Every event of every family, or of the flagged ones; an event's main family first."""
        chosen = [family.family_id for family in self.families(flagged=True)] if flagged else None
        return self._store.member_events(chosen)

    def networks(self, *, flagged: bool = False, limit: int | None = None) -> list[Network]:
        """Networks of the last run with the verdicts laid over them."""
        verdicts = self._store.latest_verdicts()
        shown = [judged(network, verdicts.get(network.network_id)) for network in self._store.networks()]
        return [network for network in shown if network.flagged or not flagged][:limit]

    def network(self, network_id: str) -> Network:
        """One network; NotFoundError if the last run has none of this id."""
        return judged(self._store.network(network_id), self._store.latest_verdicts().get(network_id))

    def account(self, account_id: str) -> AccountSummary:
        """One account with what the last run says of it; NotFoundError if it never sent anything."""
        return self._store.account_summary(account_id)

    def accounts(self, *, flagged: bool = False) -> Iterator[AccountSummary]:
        """Every account, in the order in which they were first seen here."""
        return (summary for summary in self._store.account_summaries() if summary.flagged or not flagged)

    def account_evidence(self, account_id: str) -> tuple[Evidence, ...]:
        """The reasons for what is said of an account."""
        finding = self._store.account_finding(account_id)
        return finding.evidence if finding else ()

    def runs(self, limit: int = 20) -> list[Run]:
        """Clustering runs, the newest first."""
        return self._store.runs(limit)

    # ---------------------------------------------------------------- review
    @property
    def store(self) -> Store:
        """The truth of the home, for the rooms above: review and enforcement."""
        return self._store

    def review(self, subject_id: str, *, verdict: str, reason: str, by: str) -> Verdict:
        """Record a person's word on a family, network or account; over many accounts it waits for a second person."""
        return decide(self._store, [subject_id], verdict, reason=reason, by=by)[0]

    def verdicts(self) -> list[Verdict]:
        """Every verdict ever given, in order."""
        return self._store.verdicts()

    # ---------------------------------------------------------------- upkeep
    def status(self) -> dict[str, object]:
        """What the home holds, as names and figures."""
        last, made_by = self._store.last_run(), self._store.encoder()
        return {
            "home": str(self._store.home.path),
            **asdict(self._store.counts()),
            "encoder": None if made_by is None else {"name": made_by.name, "dimension": made_by.dimension},
            "index": None if made_by is None else asdict(self._index.status()),
            "last_run": None if last is None else last.run_id,
            "new_since_last_run": self._store.counts().prompts - self._store.covered_prompts(),
        }

    def check(self) -> list[str]:
        """What is damaged, each with the command that mends it; nothing when all is well."""
        index = self._index.check() if self._store.encoder() else []
        return [*map(str, self._store.check()), *index]

    def reindex(self, *, progress: Progress | None = None) -> str:
        """Build the index again; where the stored vectors are another encoder's, embed every prompt again first."""
        progress = progress or Silent()
        changed = self._store.encoder() != identity(self._encoder)
        if changed:
            ingestion.embed_again(self._store, self._encoder, identity(self._encoder), progress)
            self._close_index()
        self._index.refresh(self._store.vectors(), self._store.alive())
        self._index.rebuild(progress, full=True)
        prompts = self._store.counts().prompts
        return f"index of {prompts:,} prompts built" + (", each embedded again" if changed else "")

    def snapshot(self, destination: Path) -> None:
        """Copy the home while it is in use."""
        self._store.copy_to(destination)

    def erase(self, account_id: str) -> Erased:
        """Erase an account and every text that only it sent, from all files."""
        done = self._store.erase_account(account_id)
        self._after_erasure()
        return done

    def retain(self, since: int) -> Erased:
        """Erase every event from before a time."""
        done = self._store.retain(since)
        self._after_erasure()
        return done

    def _after_erasure(self) -> None:
        self._index.refresh(self._store.vectors(), self._store.alive())
        self._index.rebuild(full=True)


def restore_home(source: Path, home: Path) -> None:
    """Make a home from a snapshot."""
    restore(source, home)


def identity(encoder: Encoder) -> EncoderIdentity:
    """What a home remembers of its encoder."""
    return EncoderIdentity(encoder.name, encoder.digest, encoder.dimension)


def _index_of(store: Store, made_by: EncoderIdentity, *, reindex: bool = False) -> Index:
    return Index.open(
        store.home.index,
        store.vectors(),
        encoder_name=made_by.name,
        encoder_digest=made_by.digest,
        documents=store.documents,
        alive=store.alive(),
        reindex=reindex,
    )
