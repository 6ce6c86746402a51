"""The JSON of answers, for OpenAPI; the rows themselves are `contract.py`'s."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Hit(BaseModel):
    """Somebody who sent something like it."""

    account_id: str
    similarity: float
    relation: Literal["exact", "near-duplicate", "template", "paraphrase", "similar"]
    prompt_id: str
    text: str
    event_count: int
    first_seen: str
    last_seen: str
    family_id: str | None


class SearchAnswer(BaseModel):
    """Hits, best first; `notes` say what was cut, if anything was."""

    hits: list[Hit]
    notes: list[str]


class MatchAnswer(BaseModel):
    """The known family, if there is one."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "known": True,
                    "family_id": "f_0103107d205b7936",
                    "wording_id": "w_0103107d205b7936",
                    "relation": "template",
                    "share": 1.0,
                    "aligned": False,
                    "template": "You are an expert data analyst … {1}",
                    "account_count": 212,
                    "flagged": True,
                    "score": 41.2,
                    "status": "coordinated",
                }
            ]
        }
    )
    known: bool
    family_id: str | None
    wording_id: str | None
    relation: str | None
    share: float | None = Field(description="How much of the family's fixed text is there.")
    aligned: bool = Field(description="Whether words were changed or put in between, so that alignment had to find it.")
    template: str | None
    account_count: int | None
    flagged: bool
    score: float | None
    status: str | None


class IngestItem(BaseModel):
    """What became of one item, in the order of the request."""

    index: int = Field(description="Its place in the request, counted from 0; blank lines do not count.")
    status: Literal["accepted", "known", "rejected"]
    event_id: str | None = Field(None, description="The event's id, where it has become or is an event.")
    code: str | None = Field(None, description="Why it was rejected; see docs/api.md.")
    reason: str | None = None


class IngestAnswer(BaseModel):
    """Everything accepted is on the disk when this is sent."""

    accepted: int
    known: int
    rejected: int
    new_prompts: int
    counts: dict[str, int] = Field(description="Liberties taken in reading, by name.")
    items: list[IngestItem]


class Sender(BaseModel):
    account_id: str
    event_count: int
    first_seen: str
    last_seen: str


class PromptFamily(BaseModel):
    family_id: str
    wording_id: str
    relation: str


class PromptAnswer(BaseModel):
    """One prompt; `senders` are the first hundred."""

    prompt_id: str
    text: str
    system: str
    user: str
    first_seen: str
    last_seen: str
    event_count: int
    account_count: int
    senders: list[Sender]
    families: list[PromptFamily]


class Account(BaseModel):
    account_id: str
    event_count: int
    family_ids: list[str]
    network_id: str | None
    flagged: bool
    score: float
    p_value: float | None
    first_seen: str
    last_seen: str


class SentPrompt(BaseModel):
    prompt_id: str
    text: str
    event_count: int


class AccountAnswer(Account):
    """An account with the reasons for what is said of it and the prompts that it sent most often."""

    evidence: dict[str, Any]
    prompts: list[SentPrompt]


class Neighbour(BaseModel):
    account_id: str
    similarity: float
    shared_family_ids: list[str]
    shared_prompts: int


class NeighboursAnswer(BaseModel):
    """Accounts that send from the same families and the same texts."""

    accounts: list[Neighbour]


class ErasedAnswer(BaseModel):
    """What was taken away for good."""

    account_id: str
    events: int
    prompts: int
    complete: bool = Field(
        description="False: a reader kept the log from being emptied; it is emptied at the next start."
    )


class Slot(BaseModel):
    name: str
    distinct: int
    examples: list[str]
    kind: str


class Wording(BaseModel):
    wording_id: str
    template: str
    event_count: int
    account_count: int


class Lineage(BaseModel):
    continues: list[str]
    merged_from: list[str]
    split_from: str | None


class Family(BaseModel):
    family_id: str
    kind: str
    role: str
    template: str
    slots: list[Slot]
    event_count: int
    prompt_count: int
    account_count: int
    wordings: list[Wording]
    first_seen: str
    last_seen: str
    commonplace: float
    flagged: bool
    score: float
    p_value: float | None
    evidence: dict[str, Any]
    status: str
    network_ids: list[str]
    lineage: Lineage


class FamilyPage(BaseModel):
    families: list[Family]
    next_cursor: str | None


class MemberPrompt(BaseModel):
    prompt_id: str
    text: str
    relation: str
    wording_id: str
    event_count: int
    account_count: int


class MemberPage(BaseModel):
    members: list[MemberPrompt]
    next_cursor: str | None


class Bucket(BaseModel):
    start: str
    event_count: int
    account_count: int
    new_account_count: int


class TimelineAnswer(BaseModel):
    step: str
    buckets: list[Bucket]


class Network(BaseModel):
    network_id: str
    account_ids: list[str]
    family_ids: list[str]
    first_seen: str
    last_seen: str
    flagged: bool
    score: float
    p_value: float | None
    evidence: dict[str, Any]
    status: str
    membership: dict[str, float]


class NetworkPage(BaseModel):
    networks: list[Network]
    next_cursor: str | None


class Verdict(BaseModel):
    """One verdict; `open` undoes the one before. A proposed one counts when another person gives the same."""

    verdict_id: str
    subject_id: str
    verdict: Literal["coordinated", "benign", "unsure", "open"]
    reason: str
    by: str
    timestamp: str
    state: Literal["given", "proposed"]
    confirms: str | None = Field(description="The proposal of another person that this one makes count.")


class Touched(BaseModel):
    """What a verdict touches, told before it is given."""

    subject_count: int
    account_count: int
    event_count: int
    two_persons: bool = Field(
        description="Whether `coordinated` and `benign` are proposed first over so many accounts."
    )


class VerdictHistory(BaseModel):
    """What was said of a family or network, the newest first, and what a further verdict would touch."""

    verdicts: list[Verdict]
    touched: Touched


class BulkVerdictAnswer(BaseModel):
    """What the verdict touches; `verdicts` is empty where it was only asked for."""

    touched: Touched
    verdicts: list[Verdict]


class Alert(BaseModel):
    """An account that turned up in a family judged coordinated: for a person to look at."""

    account_id: str
    family_id: str
    prompt_id: str
    first_sent: str


class AlertPage(BaseModel):
    alerts: list[Alert]
    next_cursor: str | None


class Run(BaseModel):
    run_id: str
    state: Literal["running", "finished", "failed"]
    started: str
    finished: str | None
    full: bool
    counts: dict[str, int]
    seconds: dict[str, float]
    changes: dict[str, int]
    error: str | None


class RunPage(BaseModel):
    runs: list[Run]
    next_cursor: str | None


class Health(BaseModel):
    status: Literal["ok", "starting"]
    detail: str | None = None
