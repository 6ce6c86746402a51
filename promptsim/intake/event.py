"""One decoded record (the fields of the contract) → Event, or BadEvent with a code and a reason.

Every format ends here, so that the same rules hold for a line, a row and an item of a request. Liberties taken
are counted, never silent: see `counts`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from promptsim.intake.messages import Conversation, is_placeholder, split_messages
from promptsim.intake.metadata import check_metadata, with_unknown
from promptsim.intake.problems import BadEvent
from promptsim.intake.timestamp import BadTime, event_time, has_offset
from promptsim.records import Event, Rejection
from promptsim.text.canonical import capped
from promptsim.text.fingerprint import event_key, fingerprint

FIELDS = frozenset({"id", "account_id", "timestamp", "text", "messages", "metadata"})
MAX_ID_CHARS = 1024
_EXACT_FLOATS = 2**53
_TEXT_ONLY = Conversation("", "")


def make_event(fields: Mapping[str, object], *, key: bytes = b"", counts: Counter[str] | None = None) -> Event:
    """The event that the fields describe. `key` keys the derived id; `counts` takes note of liberties."""
    counts = Counter() if counts is None else counts
    if type(fields) is not dict and not isinstance(fields, Mapping):
        raise BadEvent("not-an-object", f"an event is a JSON object, not {type(fields).__name__}")
    account = _identifier(fields.get("account_id"), "account_id", "bad-account", counts)
    if not account:
        raise BadEvent("missing-field", f"no account_id{_hint(fields, 'account_id')}")
    time = _time(fields, counts)
    text = fields.get("text")
    if type(text) is str and fields.get("messages") is None and not is_placeholder(text):
        talk, system, user = _TEXT_ONLY, "", _canonical(text, counts)
    else:
        talk = _conversation(fields, counts)
        system, user = _canonical(talk.system, counts), _canonical(talk.user, counts)
    if not user and (not system or talk.redacted):
        raise _no_text(talk)
    metadata = check_metadata(fields.get("metadata"))
    if not fields.keys() <= FIELDS:
        metadata = with_unknown(metadata, fields, FIELDS, counts)
    event_id = _identifier(fields.get("id"), "id", "bad-id", counts)
    if not event_id:
        counts["ids-derived"] += 1
        event_id = event_key(account, time, fingerprint(system, user, key))
    return Event(event_id, account, time, system, user, metadata, talk.turns_left_out)


def parse_events(
    items: Iterable[object], *, key: bytes = b"", counts: Counter[str] | None = None, source_name: str = ""
) -> Iterator[Event | Rejection]:
    """Decoded items (of a request, of a Python caller) → each its event or its rejection, in order, counted from 1."""
    for number, item in enumerate(items, 1):
        try:
            yield make_event(item, key=key, counts=counts)  # type: ignore[arg-type]  # checked inside
        except BadEvent as problem:
            yield Rejection(number, problem.code, problem.reason, raw_text(item), source_name)


def parse_prompt(text: str | None, messages: object = None) -> tuple[str, str]:
    """The canonical (system, user) of a text or of messages that are no event: what a search asks for.

    BadEvent where an event with them would be rejected.
    """
    counts: Counter[str] = Counter()
    talk = _conversation({"text": text, "messages": messages}, counts)
    system, user = _canonical(talk.system, counts), _canonical(talk.user, counts)
    if not system and not user:
        raise _no_text(talk)
    return system, user


def raw_text(item: object) -> str:
    """A decoded item as the JSON line that it could have been, for the file of rejections."""
    import json

    return json.dumps(item, ensure_ascii=True, default=str)


def _identifier(value: object, field: str, code: str, counts: Counter[str]) -> str:
    """The id as text; "" where absent. A number is taken as its digits, and counted."""
    if (
        type(value) is str
        and value.isascii()
        and value.isprintable()
        and value[:1] > " "
        and len(value) <= MAX_ID_CHARS
    ):
        return value
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        value = _digits(value, field, code)
        counts[f"{field}-from-number"] += 1
    if len(value) > MAX_ID_CHARS:
        raise BadEvent(code, f"{field} has {len(value):,} characters; at most {MAX_ID_CHARS:,} are kept")
    if not value.strip():
        raise BadEvent(code, f"{field} is white space only")
    _check_characters(value, field)
    return value


def _digits(value: object, field: str, code: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT_FLOATS:
        return str(int(value))
    raise BadEvent(code, f"{field} must be a string (a whole number is taken as its digits), not {value!r:.60}")


def _check_characters(text: str, field: str) -> None:
    if "\0" in text:
        raise BadEvent("nul-character", f"{field} holds a NUL character")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise BadEvent("lone-surrogate", f"{field} holds half of a surrogate pair") from None


def _time(fields: Mapping[str, object], counts: Counter[str]) -> int:
    value = fields.get("timestamp")
    if value is None or value == "":
        raise BadEvent("missing-field", f"no timestamp{_hint(fields, 'timestamp')}")
    try:
        time = event_time(value)
    except BadTime as error:
        raise BadEvent("time-out-of-range" if error.out_of_range else "bad-timestamp", str(error)) from None
    if type(value) is str and value[-1:] != "Z" and not has_offset(value):
        counts["times-without-offset-read-as-utc"] += 1
    return time


def _conversation(fields: Mapping[str, object], counts: Counter[str]) -> Conversation:
    text, messages = fields.get("text"), fields.get("messages")
    has_messages = messages is not None and messages != "" and messages != []
    if text is None or (text == "" and has_messages):
        if not has_messages:
            code = "missing-field" if messages is None else "empty-text"
            raise BadEvent(code, f"neither text nor messages{_hint(fields, 'text')}")
        return split_messages(messages, counts)
    if has_messages:
        raise BadEvent(
            "text-and-messages", "both text and messages are given; leave one out (--map text= or messages=)"
        )
    if text == {}:
        return Conversation("", "", redacted=1)
    if not isinstance(text, str):
        raise BadEvent("bad-text", f"text must be a string, not {type(text).__name__}")
    return Conversation("", "", redacted=1) if is_placeholder(text) else Conversation("", text)


def _canonical(text: str, counts: Counter[str]) -> str:
    if "\0" in text:
        raise BadEvent("nul-character", "the text holds a NUL character")
    try:
        text, cut = capped(text)
    except ValueError as error:
        raise BadEvent("lone-surrogate", str(error)) from None
    if cut:
        counts["texts-cut"] += 1
        counts["characters-cut"] += cut
    return text


def _no_text(talk: Conversation) -> BadEvent:
    if talk.redacted:
        return BadEvent("redacted", "the text was replaced by a place-holder before it came here: nothing to compare")
    if talk.turns_left_out:
        return BadEvent("empty-text", f"only assistant or tool turns ({talk.turns_left_out}): no system or user text")
    return BadEvent("empty-text", "the text is empty or white space")


def _hint(fields: Mapping[str, object], field: str) -> str:
    names = ", ".join(sorted(str(name)[:40] for name in fields)[:12])
    return f"; the fields here are: {names}; say which is it with --map {field}=NAME" if names else ""
