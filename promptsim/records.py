"""Frozen records that pass between the rooms.

    Event ─► Prompt ─► Hit                       (ingest, search)
    Documents + Incidence ─► Family ─► Network   (a clustering run)

Times are whole microseconds since 1970-01-01T00:00:00Z (`int`), inside the package; the edges write RFC 3339.
Prompts and accounts are dense integers inside (`prompt_no`, `account_no`) and opaque ids outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Int64s: TypeAlias = npt.NDArray[np.int64]
    Int32s: TypeAlias = npt.NDArray[np.int32]
    UInt64s: TypeAlias = npt.NDArray[np.uint64]
    UInt8s: TypeAlias = npt.NDArray[np.uint8]
    Floats: TypeAlias = npt.NDArray[np.float32]
    Bools: TypeAlias = npt.NDArray[np.bool_]
else:  # the names alone: records are imported by every command, numpy only by those that compute
    Int64s = Int32s = UInt64s = UInt8s = Floats = Bools = object

Relation = Literal["exact", "near-duplicate", "template", "paraphrase"]
PLACE_TEXT_BEFORE, PLACE_TEXT_AFTER, PLACE_SYSTEM = 1, 2, 4  # own text before or after the fixed text; system part
RELATIONS: tuple[Relation, ...] = ("exact", "near-duplicate", "template", "paraphrase")
Verdict_ = Literal["coordinated", "benign", "unsure"]
Given = Literal["coordinated", "benign", "unsure", "open"]  # open: undone, nobody's word stands


# ------------------------------------------------------------------ intake
@dataclass(frozen=True, slots=True)
class Event:
    """One send: who, when, what.

    `system` and `user` are canonical texts (see `promptsim.text.canonical`); several messages of one role are
    joined by a blank line. Assistant and tool turns are not part of a prompt: `turns_left_out` counts them.
    """

    event_id: str
    account_id: str
    time: int
    system: str
    user: str
    metadata: Mapping[str, object] = field(default_factory=dict)
    turns_left_out: int = 0


@dataclass(frozen=True, slots=True)
class Rejection:
    """One input line that could not become an event; `raw` is kept so that it can be mended and sent again."""

    line: int
    code: str
    reason: str
    raw: str
    source: str = ""


# ------------------------------------------------------------------ store
def whole_text(system: str, user: str) -> str:
    """System and user text as one: what is embedded, and what a person reads."""
    return f"{system}\n\n{user}" if system and user else system or user


@dataclass(frozen=True, slots=True)
class Prompt:
    """One distinct canonical text, however often and by whomever it was sent."""

    prompt_no: int
    prompt_id: str
    system: str
    user: str
    first_seen: int

    @property
    def text(self) -> str:
        """Both roles as one text."""
        return whole_text(self.system, self.user)


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of one batch, in the order of its events: accepted (new) or already known."""

    accepted: int
    known: int
    new_prompts: int
    outcomes: tuple[bool, ...]  # True: accepted, False: already known
    conflicts: int = 0  # events known by their id, of another account or prompt than the one that is kept


# ------------------------------------------------------------------ search
@dataclass(frozen=True, slots=True)
class Hit:
    """One answer to "who else sent this?": an account (or a prompt) and its closest prompt."""

    account_id: str
    similarity: float
    relation: str
    prompt_id: str
    text: str
    event_count: int
    first_seen: int
    last_seen: int
    family_id: str | None


# ------------------------------------------------------------------ a clustering run
@dataclass(frozen=True, slots=True)
class DocumentBatch:
    """Some distinct prompts, as the families room reads them: equal lengths, ascending `prompt_no`."""

    prompt_no: Int64s
    system: tuple[str, ...]
    user: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Incidence:
    """Who sent which prompt: one row for each distinct (prompt, account), sorted by prompt, then account."""

    prompt_no: Int64s
    account_no: Int32s
    events: Int32s
    first_seen: Int64s
    last_seen: Int64s


@dataclass(frozen=True, slots=True)
class Skeleton:
    """The fixed part of one wording, as shingle hashes: what a new prompt is matched against at ingest.

    `worth` says how far it counts where a prompt matches several: 1, or less if most of it is a document that recurs.
    """

    wording_id: str
    family_id: str
    shingles: UInt64s
    weights: Floats
    text: str
    worth: float = 1.0


@dataclass(frozen=True, slots=True)
class Slot:
    """A varying place in a template; `kind` is a guess: number, name, url, code, choice or text."""

    name: str
    distinct: int
    examples: tuple[str, ...]
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Wording:
    """One fixed text. A family has one wording, or several that say the same in other words."""

    wording_id: str
    template: str
    event_count: int
    account_count: int
    slots: tuple[Slot, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """One figure for or against a claim, with the sentence that a reviewer reads."""

    name: str
    value: float | int | str | bool
    sentence: str
    p_value: float | None = None


@dataclass(frozen=True, slots=True)
class Lineage:
    """How a family came from those of the run before."""

    continues: tuple[str, ...] = ()
    merged_from: tuple[str, ...] = ()
    split_from: str | None = None


@dataclass(frozen=True, slots=True)
class Family:
    """Prompts that are copies, near-copies or fillings of one fixed text, and how widely they are spread.

    `commonplace` marks fixed text that anyone writes ("You are a helpful assistant."): such a family ranks last
    and supports no flag. `role` says where the fixed text stands: system, user or both.
    """

    family_id: str
    kind: Relation
    role: str
    template: str
    slots: tuple[Slot, ...]
    wordings: tuple[Wording, ...]
    event_count: int
    prompt_count: int
    account_count: int
    first_seen: int
    last_seen: int
    commonplace: float = 0.0
    flagged: bool = False
    score: float = 0.0
    p_value: float | None = None
    evidence: tuple[Evidence, ...] = ()
    status: str = "open"
    network_ids: tuple[str, ...] = ()
    lineage: Lineage = Lineage()


@dataclass(frozen=True, slots=True)
class Members:
    """Which prompts belong to which family: one row for each (prompt, family).

    Rows of one prompt stand together, its main family first. `family` and `wording` index the tuples of
    families and of that family's wordings; `relation` indexes `RELATIONS`; `filling` is a hash of what the
    member has beside the fixed text (0: nothing), so that equal fillings have equal hashes. `place`, where
    known, says where the fixed text stands in the member, as a sum of `PLACE_*`: a tool or a person keeps to
    one place, a program that injects an instruction may not.
    """

    prompt_no: Int64s
    family: Int32s
    wording: Int32s
    relation: UInt8s
    filling: UInt64s
    place: UInt8s | None = None


@dataclass(frozen=True, slots=True)
class FamilySet:
    """What the families room found; `cuts` names every cap that bit and how often."""

    families: tuple[Family, ...]
    members: Members
    skeletons: tuple[Skeleton, ...]
    cuts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Mining:
    """What the last finished run knew: it `covered` the prompts numbered below that; there were `whole` prompts when
    all were last mined anew, by these `rules`."""

    covered: int = 0
    whole: int = 0
    rules: str = ""


@dataclass(frozen=True, slots=True)
class Activity:
    """Every event of a run as arrays of one length, sorted by time, with what is known of each account.

    `accounts` are the ids of `account_no` 0…n-1; `metadata` maps a key (`org_id`, `payment_id`, `ip`, `asn`,
    `user_agent`, `account_created_at`, …) to the distinct values seen for each account, for keys that occur.
    """

    account_no: Int32s
    prompt_no: Int64s
    time: Int64s
    accounts: tuple[str, ...]
    metadata: Mapping[str, Mapping[int, tuple[str, ...]]]
    cuts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Network:
    """Accounts that act together beyond chance, with the families that tie them."""

    network_id: str
    account_ids: tuple[str, ...]
    family_ids: tuple[str, ...]
    first_seen: int
    last_seen: int
    flagged: bool
    score: float
    p_value: float | None
    evidence: tuple[Evidence, ...]
    status: str = "open"
    membership: Mapping[str, float] = field(default_factory=dict)  # account_id -> strength in (0, 1]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a run says of one family or one account: the program's own claim, controlled for false discoveries."""

    subject_id: str
    flagged: bool
    score: float
    p_value: float | None
    evidence: tuple[Evidence, ...]
    network_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkSet:
    """What the networks room found: networks, and a finding for each family and each account that has one."""

    networks: tuple[Network, ...]
    families: Mapping[str, Finding]
    accounts: Mapping[str, Finding]
    cuts: Mapping[str, int]


# ------------------------------------------------------------------ reading results
@dataclass(frozen=True, slots=True)
class MemberEvent:
    """One event in one family, as exported."""

    event_id: str
    prompt_id: str
    account_id: str
    time: int
    family_id: str
    wording_id: str
    relation: Relation


@dataclass(frozen=True, slots=True)
class MemberPrompt:
    """One prompt of a family, as a reviewer reads it."""

    prompt_id: str
    text: str
    relation: Relation
    wording_id: str
    event_count: int
    account_count: int


@dataclass(frozen=True, slots=True)
class AccountSummary:
    """One account with what the last run says of it."""

    account_id: str
    event_count: int
    family_ids: tuple[str, ...]
    network_id: str | None
    flagged: bool
    score: float
    p_value: float | None
    first_seen: int
    last_seen: int


# ------------------------------------------------------------------ review
@dataclass(frozen=True, slots=True)
class Verdict:
    """A person's word on a family or network; it stands above the program's claim and is never overwritten."""

    verdict_id: str
    subject_id: str
    verdict: Given
    reason: str
    by: str
    time: int
    state: Literal["given", "proposed"] = "given"  # proposed: it waits for a second person
    confirms: str | None = None  # the proposal of another person that this one makes count
    accounts: int = 0  # what it touched when it was given
    events: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """One clustering run, as recorded."""

    run_id: str
    state: Literal["running", "finished", "failed"]
    started: int
    finished: int | None
    full: bool
    counts: Mapping[str, int]
    seconds: Mapping[str, float]
    changes: Mapping[str, int]
    error: str | None = None
