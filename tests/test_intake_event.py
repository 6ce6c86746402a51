"""The rules of one event: what is accepted, what is rejected and by which code."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptsim.intake.event import make_event, parse_events
from promptsim.intake.problems import CODES, BadEvent
from promptsim.intake.timestamp import BadTime, event_time, parse_time
from promptsim.records import Event, Rejection

NOON = 1_772_366_400_000_000  # 2026-03-01T12:00:00Z
BASE: dict[str, object] = {"account_id": "a", "timestamp": "2026-03-01T12:00:00Z", "text": "Hello there"}


def made(**fields: object) -> Event:
    return make_event({**BASE, **fields})


def code_of(**fields: object) -> str:
    with pytest.raises(BadEvent) as caught:
        made(**fields)
    return caught.value.code


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-01T12:00:00Z",
        "2026-03-01T12:00:00z",
        "2026-03-01t12:00:00Z",
        "2026-03-01 12:00:00+00:00",
        "2026-03-01T17:30:00+05:30",
        "2026-02-28T24:00:00Z".replace("2026-02-28T24", "2026-03-01T12"),
        "2026-03-01T12:00:00.000000000Z",
        "2026-03-01 12:00:00 UTC",
        "2026-03-01T11:59:60Z",
        " 2026-03-01T12:00:00Z ",
        NOON // 1_000_000,
        NOON / 1e6,
        NOON // 1000,
        NOON,
        NOON * 1000,
        str(NOON // 1_000_000),
        f"{NOON // 1_000_000}.000",
        str(NOON // 1000),
        "1.7723664e9",
    ],
)
def test_one_moment_in_many_writings(written: object) -> None:
    assert event_time(written) == NOON


def test_fractions_are_kept_to_the_microsecond() -> None:
    assert event_time("2026-03-01T12:00:00.123456789Z") == NOON + 123_456
    assert event_time("1772366400.123456") == NOON + 123_456
    assert event_time(1_772_366_400_123) == NOON + 123_000


@pytest.mark.parametrize(
    "value",
    ["yesterday", "2026-13-01T00:00:00Z", "2026-03-01", "20260301T120000Z", "", "2026-W09-7T12:00:00Z", "NaN", "inf",
     float("nan"), float("inf"), True, None, [], "12:00", "2026-03-01T25:00:00Z", "0x69"],
)  # fmt: skip
def test_what_is_no_time(value: object) -> None:
    with pytest.raises(BadTime) as caught:
        event_time(value)
    assert not caught.value.out_of_range


@pytest.mark.parametrize(
    "value",
    [0, -1, "1970-01-01T00:00:00Z", "1989-12-31T23:59:59Z", "2200-01-01T00:00:00Z", 1e30, 10**40, "9" * 19, 1.5],
)
def test_absurd_times_are_out_of_range(value: object) -> None:
    with pytest.raises(BadTime) as caught:
        event_time(value)
    assert caught.value.out_of_range


@given(st.datetimes(datetime(1990, 1, 1), datetime(2199, 12, 31)), st.integers(-23 * 60, 23 * 60))
def test_any_offset_gives_the_same_moment(naive: datetime, minutes: int) -> None:
    moment = naive.replace(tzinfo=UTC)
    from datetime import timezone

    shown = moment.astimezone(timezone(timedelta(minutes=minutes))).isoformat()
    expected = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert event_time(shown) == expected


def test_a_person_may_write_a_date_alone() -> None:
    assert parse_time("2026-03-01") == NOON - 12 * 3600 * 1_000_000


def test_a_time_without_offset_is_read_as_utc_and_counted() -> None:
    counts: Counter[str] = Counter()
    event = make_event({**BASE, "timestamp": "2026-03-01 12:00:00"}, counts=counts)
    assert event.time == NOON
    assert counts["times-without-offset-read-as-utc"] == 1


def test_text_is_the_user_text_in_canonical_form() -> None:
    event = made(text="  Cafe\u0301 a\r\nb \n")
    assert (event.system, event.user, event.turns_left_out) == ("", "Café a\nb", 0)


def test_messages_are_kept_apart_by_role() -> None:
    counts: Counter[str] = Counter()
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "One"}, {"type": "image_url", "image_url": {}}]},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "tool", "content": "42"},
        {"role": "user", "content": " Two "},
    ]
    event = make_event({"account_id": "a", "timestamp": NOON, "messages": messages}, counts=counts)
    assert event.system == "Be brief.\n\nBe kind."
    assert event.user == "One\n\nTwo"
    assert event.turns_left_out == 2
    assert counts["parts-left-out"] == 1


def test_a_prompt_of_only_a_system_text_is_a_prompt() -> None:
    event = made(text=None, messages=[{"role": "system", "content": "Be brief."}])
    assert (event.system, event.user) == ("Be brief.", "")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"account_id": None}, "missing-field"),
        ({"account_id": ""}, "missing-field"),
        ({"account_id": "  "}, "bad-account"),
        ({"account_id": True}, "bad-account"),
        ({"account_id": 1.5}, "bad-account"),
        ({"account_id": ["a"]}, "bad-account"),
        ({"account_id": "x" * 1025}, "bad-account"),
        ({"account_id": "a\0b"}, "nul-character"),
        ({"account_id": "a\ud800"}, "lone-surrogate"),
        ({"id": {"a": 1}}, "bad-id"),
        ({"timestamp": None}, "missing-field"),
        ({"timestamp": "soon"}, "bad-timestamp"),
        ({"timestamp": 5}, "time-out-of-range"),
        ({"text": None}, "missing-field"),
        ({"text": ""}, "empty-text"),
        ({"text": " \n\t"}, "empty-text"),
        ({"text": 5}, "bad-text"),
        ({"text": "a\0b"}, "nul-character"),
        ({"text": "a\udc00"}, "lone-surrogate"),
        ({"text": "redacted-by-litellm"}, "redacted"),
        ({"text": " __REDACTED__ "}, "redacted"),
        ({"text": "{}"}, "redacted"),
        ({"text": {}}, "redacted"),
        ({"metadata": []}, "bad-metadata"),
        ({"metadata": "x"}, "bad-metadata"),
        ({"metadata": {"n": 2**70}}, "bad-metadata"),
        ({"metadata": {"a": {1, 2}}}, "bad-metadata"),
        ({"metadata": {"a": "\ud800"}}, "lone-surrogate"),
        ({"messages": [{"role": "user", "content": "x"}]}, "text-and-messages"),
    ],
)
def test_rejections(fields: dict[str, object], code: str) -> None:
    assert code_of(**fields) == code
    assert code in CODES


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([], "empty-text"),
        ({}, "redacted"),
        ("hello", "bad-messages"),
        ({"role": "user"}, "bad-messages"),
        (["hello"], "bad-messages"),
        ([{"role": "wizard", "content": "x"}], "bad-messages"),
        ([{"role": 5, "content": "x"}], "bad-messages"),
        ([{"role": "user", "content": 5}], "bad-messages"),
        ([{"role": "user", "content": ["x"]}], "bad-messages"),
        ([{"role": "user", "content": [{"type": "text", "text": 5}]}], "bad-messages"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "empty-text"),
        ([{"role": "user", "content": "redacted-by-litellm"}], "redacted"),
        ([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "__REDACTED__"}], "redacted"),
        ([{"role": "user", "content": {}}], "redacted"),
        ([{"role": "user", "content": ""}, {"role": "assistant", "content": "hi"}], "empty-text"),
    ],
)
def test_rejected_messages(messages: object, code: str) -> None:
    assert code_of(text=None, messages=messages) == code


def test_only_assistant_turns_say_why_nothing_is_left() -> None:
    with pytest.raises(BadEvent, match="only assistant or tool turns"):
        made(text=None, messages=[{"role": "assistant", "content": "hi"}])


def test_a_redacted_system_text_does_not_spoil_the_user_text() -> None:
    counts: Counter[str] = Counter()
    messages = [{"role": "system", "content": "__REDACTED__"}, {"role": "user", "content": "Hi"}]
    event = make_event({"account_id": "a", "timestamp": NOON, "messages": messages}, counts=counts)
    assert (event.system, event.user) == ("", "Hi")
    assert counts["redacted-turns"] == 1


def test_a_number_as_account_is_its_digits_and_counted() -> None:
    counts: Counter[str] = Counter()
    assert make_event({**BASE, "account_id": 42}, counts=counts).account_id == "42"
    assert make_event({**BASE, "account_id": 42.0}, counts=counts).account_id == "42"
    assert counts["account_id-from-number"] == 2


def test_the_derived_id_depends_on_account_time_and_canonical_text_only() -> None:
    first = made()
    assert first.event_id == made(text=" Hello there ", metadata={"a": 1}, timestamp=NOON).event_id
    others = {made(account_id="b").event_id, made(timestamp=NOON + 1).event_id, made(text="Hello").event_id}
    assert len(others | {first.event_id}) == 4
    assert made(id="mine").event_id == "mine"
    assert made(id="").event_id == first.event_id


def test_long_texts_are_cut_and_counted() -> None:
    counts: Counter[str] = Counter()
    event = make_event({**BASE, "text": "x" * 1_000_010}, counts=counts)
    assert len(event.user) == 1_000_000
    assert counts["characters-cut"] == 10


def test_metadata_is_kept_and_cleaned() -> None:
    nested = {"a": {"b": [1, "x", None]}, "when": datetime(2026, 3, 1, 12, tzinfo=UTC), "gap": float("nan"), "no": None}
    assert made(metadata=nested).metadata == {"a": {"b": [1, "x", None]}, "when": "2026-03-01T12:00:00.000Z"}
    assert made(metadata=None).metadata == {}


def test_deep_metadata_is_rejected() -> None:
    deep: dict[str, object] = {}
    for _ in range(40):
        deep = {"a": deep}
    assert code_of(metadata=deep) == "too-deep"


def test_items_are_answered_in_order() -> None:
    items = list(parse_events([BASE, 5, {**BASE, "text": ""}], source_name="request"))
    assert [type(item) for item in items] == [Event, Rejection, Rejection]
    assert [(r.line, r.code) for r in items if isinstance(r, Rejection)] == [(2, "not-an-object"), (3, "empty-text")]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["id", "account_id", "timestamp", "text", "messages", "metadata", "x"]), JSON))
def test_any_object_is_an_event_or_a_named_rejection(fields: dict[str, object]) -> None:
    (item,) = parse_events([fields])
    assert isinstance(item, Event) or item.code in CODES


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(JSON, st.text(min_size=1))
def test_what_is_accepted_can_be_stored(metadata: object, account: str) -> None:
    import orjson

    (item,) = parse_events([{**BASE, "account_id": account, "metadata": metadata}])
    if isinstance(item, Event):
        orjson.dumps({"account": item.account_id, "metadata": item.metadata})
