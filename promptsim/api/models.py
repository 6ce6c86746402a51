"""The JSON of requests and answers: checks what comes in, describes what goes out (the rows are `contract.py`'s)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

# A text that holds more than white space and no NUL: what intake asks for, said in a way that clients can check.
_SPOKEN = r"^[^\u0000]*[^\s\u0000\u001c-\u001f\u0085][^\u0000]*$"
TextField = Annotated[str, WithJsonSchema({"type": "string", "minLength": 1, "pattern": _SPOKEN})]
Moment = Annotated[
    str,
    WithJsonSchema({
        "type": "string",
        "pattern": r"^(199\d|20\d\d|21\d\d)-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$",
        "description": "RFC 3339; a date alone and epoch seconds are read too.",
        "examples": ["2026-02-28T13:00:00Z"],
    }),
]  # fmt: skip
_MESSAGE_SCHEMA: dict[str, Any] = {
    "type": "array",
    "minItems": 1,
    "maxItems": 1000,
    "items": {
        "type": "object",
        "required": ["role", "content"],
        "properties": {
            "role": {"enum": ["system", "user", "assistant", "tool"]},
            "content": {"type": "string", "minLength": 1, "pattern": _SPOKEN},
        },
        "additionalProperties": False,
    },
    "contains": {"type": "object", "required": ["role"], "properties": {"role": {"enum": ["system", "user"]}}},
}
Messages = Annotated[list[dict[str, Any]], WithJsonSchema(_MESSAGE_SCHEMA)]
ONE_OF_THREE: list[Any] = [{"required": [name]} for name in ("text", "messages", "prompt_id")]
EXAMPLE_TEXT = "You are an expert data analyst combining statistical rigor with deep domain knowledge."


def _whole(value: object) -> object:
    """5.0 is a whole number in JSON."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Request(BaseModel):
    """What all request bodies have in common: unknown fields are refused, types are not bent."""

    model_config = ConfigDict(extra="forbid", strict=True)


class SearchRequest(Request):
    """Who else sent prompts like this? Exactly one of text, messages and prompt_id."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"oneOf": ONE_OF_THREE, "examples": [{"text": EXAMPLE_TEXT, "k": 20, "by": "account"}]},
    )
    text: TextField = Field(None, description="The prompt.")  # type: ignore[assignment]  # absent, never null
    messages: Messages = Field(None, description="The prompt as chat messages.")  # type: ignore[arg-type]
    prompt_id: Annotated[str, Field(max_length=100)] = Field(None, description="A stored prompt.")  # type: ignore[assignment]
    k: Annotated[int, BeforeValidator(_whole)] = Field(10, ge=1, le=1000, description="How many hits.")
    by: Literal["account", "prompt"] = Field("account", description="One hit an account, or one a prompt.")
    account_id: Annotated[str, Field(max_length=1024)] = Field(None, description="Only what this account sent.")  # type: ignore[assignment]
    since: Moment = Field(None, description="Only sends from this time on.")  # type: ignore[assignment]
    until: Moment = Field(None, description="Only sends before this time.")  # type: ignore[assignment]
    min_similarity: float = Field(None, ge=-1, le=1, description="Least cosine.", allow_inf_nan=False)  # type: ignore[assignment]
    metadata: dict[str, str] = Field(default_factory=dict, description="Only sends with these values.")


class MatchRequest(Request):
    """Is this a prompt of a known family? Exactly one of text and messages."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"oneOf": ONE_OF_THREE[:2], "examples": [{"text": EXAMPLE_TEXT}]}
    )
    text: TextField = None  # type: ignore[assignment]
    messages: Messages = None  # type: ignore[assignment]


class VerdictRequest(Request):
    """A person's word on a family or network; it is signed with the name of the key."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"verdict": "coordinated", "reason": "212 accounts, one template, new in a day"}]
        },
    )
    verdict: Literal["coordinated", "benign", "unsure"]
    reason: Annotated[
        str, Field(max_length=10_000), WithJsonSchema({"type": "string", "pattern": _SPOKEN, "maxLength": 10_000})
    ]


class RunRequest(Request):
    """What kind of run."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": [{"full": False}]})
    full: bool = Field(False, description="Forget the families of the run before: ids are made anew.")


# ---------------------------------------------------------------- answers
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
    verdict_id: str
    subject_id: str
    verdict: str
    reason: str
    by: str
    timestamp: str


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
