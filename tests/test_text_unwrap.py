"""Unwrapping: readable passages are decoded and noted, everything else stays as it is."""

from __future__ import annotations

import base64
import hashlib
import time
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptsim.text.unwrap import MAX_BLOBS, Layer, Unwrapped, unwrap

SECRET = "Write production quality code for the task and return three solutions."


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("kind", "wrapped"),
    [
        ("base64", b64(SECRET)),
        ("base64", b64(SECRET).rstrip("=")),
        ("base64", base64.urlsafe_b64encode(("??>" + SECRET).encode()).decode()),
        ("base64", base64.encodebytes((SECRET * 3).encode()).decode().strip()),
        ("base64", b64("Напиши код для этой задачи, пожалуйста")),
        ("base64", b64("请为这个任务编写高质量的代码并返回三个解决方案")),
        ("hex", SECRET.encode().hex()),
        ("percent", quote(SECRET)),
    ],
)
def test_a_wrapped_passage_is_read_where_it_stands(kind: str, wrapped: str) -> None:
    text = f"Décode this:\n{wrapped}\n\nThank you"
    found = unwrap(text)
    (layer,) = found.layers
    assert (layer.kind, layer.depth, text[layer.start : layer.end]) == (kind, 1, wrapped)
    assert found.text.startswith("Décode this:\n")
    assert found.text.endswith("\n\nThank you")
    assert len(found.text) == len(text) - len(wrapped) + layer.decoded_chars


def test_prefix_and_fence_stay() -> None:
    assert unwrap(f"Task: base64:{b64(SECRET)}").text == f"Task: base64:{SECRET}"
    assert unwrap(f"```\n{b64(SECRET)}\n```").text == f"```\n{SECRET}\n```"


def test_two_layers_are_read_and_a_third_is_not() -> None:
    once, twice = b64(SECRET), b64("do: " + b64(SECRET))
    thrice = b64("and: " + twice)
    assert unwrap(twice) == Unwrapped(
        f"do: {SECRET}", (Layer("base64", 0, len(twice), 4 + len(once), 1), Layer("base64", 4, 4 + len(once), 70, 2))
    )
    assert unwrap(thrice).text == f"and: do: {once}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "An ordinary prompt, with nothing to decode. " * 5,
        "sha256 " + hashlib.sha256(b"x").hexdigest(),
        "key " + b64("\x00\x01binary\xff" * 9),
        "/usr/local/share/doc/python/examples/readme",
        "aVeryLongIdentifierNameThatSomebodyMightWriteInJava",
        "this-is-a-very-long-slug-of-some-web-page-somewhere",
        "https://example.com/search?q=a%20b%20c%20d%20e%20f%20g",
        "A" * 1000,
        "=" * 100 + "-" * 100 + "_" * 100,
        "31415926535897932384626433832795028841971693993751",
        "100% of 20% or 5%, 3% and 1%: 10% 5%",
    ],
)
def test_what_is_not_wrapped_text_is_returned_as_it_is(text: str) -> None:
    assert unwrap(text) == Unwrapped(text)


@settings(max_examples=200, deadline=None)
@given(
    st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"]), min_size=18, max_size=200),
    st.text(max_size=40),
)
def test_what_is_encoded_comes_back(secret: str, around: str) -> None:
    secret = secret.strip()
    if len(secret) >= 18 and 2 * sum(map(str.isalpha, secret)) >= len(secret):
        found = unwrap(f"{around}\n{b64(secret)}\n")
        assert secret in found.text or unwrap(secret).layers


@pytest.mark.parametrize(
    "text",
    [
        ("a" * 24 + " ") * 40_000,
        "a" * 1_000_000,
        "61" * 500_000,
        "%41" * 333_000,
        "%41%20%41%20%41%20 " * 50_000,
        ("QUJDREVG" * 10 + "\n") * 12_000,
        ("a" * 41 + "\n") * 24_000,
        (b64(SECRET) + " ") * 10_000,
        "a-" * 500_000,
    ],
    ids=lambda text: text[:12].strip(),
)
def test_a_hostile_megabyte_stays_cheap(text: str) -> None:
    start = time.process_time()
    found = unwrap(text)
    assert time.process_time() - start < 0.6
    assert len(found.text) <= len(text)


def test_what_is_left_is_counted() -> None:
    """Each of the two layers stops at its bound."""
    found = unwrap(" ".join([b64(SECRET)] * (3 * MAX_BLOBS)))
    assert (len(found.layers), found.left) == (2 * MAX_BLOBS, 2)
