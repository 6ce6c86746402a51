"""Masks: values replaced by their kind, in linear time."""

from __future__ import annotations

import time

import pytest

from promptsim.text.masks import MASKS, kind_of, mask

BLOB = "QWN0IGFzIGFuIGltcGFydGlhbCBncmFkZXIuIFVzaW5nIHRoZSBydWJyaWM="


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Order 17 of 3.5% at 12:30", "Order <number> of <number> at <number>"),
        ("the 16th, gpt4 and v1.2b", "the 16th, gpt4 and v1.2b"),
        ("write to bob.smith+x@mail.example.org.", "write to <email>."),
        ("see https://example.com/a?b=c#d now", "see <url> now"),
        ("id 550e8400-e29b-41d4-a716-446655440000", "id <uuid>"),
        ("sha 9f86d081884c7d659a2feaa0c55ad015 or 0xdeadBEEF", "sha <hex> or <hex>"),
        (f"decode {BLOB} please", "decode <base64> please"),
        ("a-very-long-hyphenated-slug-that-is-no-blob-at-all", "a-very-long-hyphenated-slug-that-is-no-blob-at-all"),
        ("say \"hello you\" or 'bye' or “so” to don't", "say <quoted> or <quoted> or <quoted> to don't"),
        ("", ""),
    ],
)
def test_what_is_masked(text: str, expected: str) -> None:
    assert mask(text) == expected


def test_the_kind_of_a_whole_value() -> None:
    assert [kind_of(v) for v in ("17", " https://a.b ", '"x"', BLOB, "two words", "17 apples", "")] == [
        "number",
        "url",
        "quoted",
        "base64",
        None,
        None,
        None,
    ]
    assert {m.name for m in MASKS} == {"url", "email", "uuid", "quoted", "hex", "base64", "number"}


@pytest.mark.parametrize("unit", ["1.", "a@", "a@b.", '"', "“", "'", "a-", "www.", "f0", "ab ", "A1-", "1,1:", "0x"])
def test_time_is_linear(unit: str) -> None:
    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        start = time.process_time()
        mask(text)
        return time.process_time() - start

    small = min(seconds(20_000) for _ in range(3))
    assert seconds(200_000) < 10 * 5 * small + 0.02
