"""Why an input line cannot become an event: a stable code and a reason that a person can act on."""

from __future__ import annotations

CODES: dict[str, str] = {
    "bad-json": "the line is no JSON",
    "truncated": "the last line or element ends in its middle",
    "damaged-stream": "the compressed stream ends early or is damaged; what came before it was read",
    "invalid-utf8": "bytes that are no UTF-8",
    "lone-surrogate": "half of a surrogate pair, which is no character",
    "nul-character": "a NUL character in a text or id",
    "line-too-long": "the line is longer than the limit",
    "too-deep": "nested more deeply than the limit",
    "duplicate-key": "one key twice in one object: two readers would see two events",
    "not-an-object": "the line is JSON, but no object",
    "bad-row": "the row of a table has more or fewer cells than its header, or a broken quote",
    "missing-field": "a required field is absent or empty",
    "bad-account": "the account id is no usable text",
    "bad-id": "the event id is no usable text",
    "bad-timestamp": "the time cannot be read",
    "time-out-of-range": "the time lies before 1990 or after 2200",
    "bad-text": "the text is no string",
    "bad-messages": "messages do not have the shape of the contract",
    "text-and-messages": "both text and messages: which was sent?",
    "bad-metadata": "metadata is no object, or holds what JSON cannot",
    "empty-text": "no system or user text is left",
    "redacted": "the logger replaced the text by a place-holder",
}


class BadEvent(Exception):
    """One line, row or item that cannot become an event; costs nobody else anything."""

    def __init__(self, code: str, reason: str) -> None:
        assert code in CODES, code
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason
