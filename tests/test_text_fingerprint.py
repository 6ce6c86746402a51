"""Fingerprints: equal for equal prompts under one key, and for nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from promptsim.text.fingerprint import FINGERPRINT_BYTES, event_key, fingerprint

KEY = bytes(range(32))


def test_it_is_fixed_for_ever() -> None:
    """A change here would make every stored prompt a stranger."""
    assert fingerprint("system", "user", KEY).hex() == "ec5228905fa948e4f5bb0ef499e1bdca"
    assert event_key("acct", 1_700_000_000_000_000, bytes(16)) == "ev_a5d1cd828b26d04dbe5467d6993b7eed"
    assert len(fingerprint("", "", KEY)) == FINGERPRINT_BYTES


def test_parts_do_not_run_together() -> None:
    assert fingerprint("ab", "c", KEY) != fingerprint("a", "bc", KEY)
    assert fingerprint("ab", "", KEY) != fingerprint("", "ab", KEY)
    assert event_key("a1", 2, bytes(16)) != event_key("a", 12, bytes(16))


def test_the_key_matters() -> None:
    assert fingerprint("s", "u", KEY) != fingerprint("s", "u", KEY[::-1])


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_different_prompts_differ(a: tuple[str, str], b: tuple[str, str]) -> None:
    assert (fingerprint(*a, KEY) == fingerprint(*b, KEY)) == (a == b)
