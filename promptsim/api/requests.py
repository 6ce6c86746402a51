"""The JSON of requests: what comes in is checked, unknown fields are refused, types are not bent."""

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
Messages = Annotated[list[dict[str, Any]], Field(min_length=1, max_length=1000), WithJsonSchema(_MESSAGE_SCHEMA)]
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


Reason = Annotated[
    str, Field(max_length=10_000), WithJsonSchema({"type": "string", "pattern": _SPOKEN, "maxLength": 10_000})
]
REASON_EXAMPLE = "212 accounts, one template, new in a day"


class VerdictRequest(Request):
    """A person's word on a family or network; it is signed with the name of the key."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {"verdict": "coordinated", "reason": REASON_EXAMPLE},
                {"verdict": "undo", "reason": "that was our own evaluation"},
            ]
        },
    )
    verdict: Literal["coordinated", "benign", "unsure", "undo"] = Field(
        description="`undo` is a further verdict that brings back what stood before, or withdraws a proposal."
    )
    reason: Reason


class BulkVerdictRequest(Request):
    """One verdict on several families, networks or accounts; first without `account_count`, to be told what it is."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {"subject_ids": ["f_0103107d205b7936"], "verdict": "benign", "reason": "our own evaluation"},
            ]
        },
    )
    subject_ids: list[Annotated[str, Field(min_length=1, max_length=1024)]] = Field(min_length=1, max_length=1000)
    verdict: Literal["coordinated", "benign", "unsure"]
    reason: Reason
    account_count: Annotated[int, BeforeValidator(_whole)] = Field(
        None, ge=0, le=2**53,
        description="How many accounts it touches, as an answer said; absent: that is told, and nothing is decided.",
    )  # type: ignore[assignment]  # absent, never null  # fmt: skip


class RunRequest(Request):
    """What kind of run."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": [{"full": False}]})
    full: bool = Field(False, description="Mine everything again, not only what is new. Ids last.")
