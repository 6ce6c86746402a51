"""Odd data never blocks a review: whatever was stored, every page of it renders, and hides nothing."""

from __future__ import annotations

import re
from pathlib import Path

from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from web_samples import app_of, sends

from promptsim.engine.picture import bars
from promptsim.engine.shared import SharedEngine
from promptsim.records import Event, Slot
from promptsim.web import marking
from promptsim.web.drawing import shade, timeline
from promptsim.web.rendering import address

ODD = [
    "\u202eevil\u202c \u2066x\u2069", "zero\u200bwidth\ufeff", "\x01\x02\x1b[31m", "a" * 60_000, "e" + "\u0301" * 500,
    "{1} {{2}} }{ {", "שלום עולם", "مرحبا", "\U000e0041\U000e0042", "😀👩‍👩‍👧", "\t \n\n x", "&lt;b&gt; &amp; <b>", "x",
]  # fmt: skip


def test_every_page_of_odd_data_renders(tmp_path: Path) -> None:
    lead = "Please rate the following reply for helpfulness and honesty, from one to ten, and say why.\n"
    accounts = ["..", "a/b?c#d", "\u202eabc", "x" * 300, "%2e%2e", " "]
    with SharedEngine.share(tmp_path / "home") as engine:
        engine.ingest(sends([lead + odd for odd in ODD] * 2 + ODD, accounts))
        engine.ingest(
            [Event(f"t{i}", "far", time, "", lead + str(i)) for i, time in enumerate((1, 4_102_444_800_000_000))]
        )
        engine.cluster()
        client = TestClient(app_of(engine))
        client.post("/login", data={"name": "Ann"})
        paths = ["/", "/?status=any", "/runs", "/verdicts", "/search"]
        paths += [f"/families/{one.family_id}" for one in engine.families()]
        paths += [f"/networks/{one.network_id}" for one in engine.networks()]
        known = list(engine.accounts())
        for one in known:
            paths += [address("/account", id=one.account_id), address("/account/neighbours", id=one.account_id)]
            paths += [f"/prompts/{p.prompt_id}" for p, _ in engine.account_prompts(one.account_id, limit=9)]
        for path in paths:
            answer = client.get(path)
            assert answer.status_code == 200, path
            seen = re.sub(r'<input type="hidden"[^>]*>', "", answer.text)
            assert not set("\u202e\u2066\u200b\ufeff\x1b") & set(seen), path
    assert len(known) >= 6


def test_an_empty_home_says_what_to_do(tmp_path: Path) -> None:
    with SharedEngine.share(tmp_path / "home") as engine:
        client = TestClient(app_of(engine))
        client.post("/login", data={"name": "Ann"})
        assert "promptsim ingest" in client.get("/").text
        assert "No run yet" in client.get("/runs").text
        assert client.get("/verdicts").status_code == 200


@given(st.text(), st.integers(0, 30))
def test_text_never_becomes_markup(text: str, most: int) -> None:
    for shown in (
        marking.plain(text, most),
        marking.brief(text, most),
        marking.template(text, [Slot("1", 2, ())], most),
    ):
        bare = shown.replace('<span class="hid" title="', "").replace('<span class="slot" title="', "")
        bare = bare.replace('<span class="cut">', "").replace("</span>", "").replace('">', "")
        assert "<" not in bare
        assert '"' not in bare


@given(st.lists(st.integers(-(10**15), 10**17), min_size=1, max_size=50))
def test_a_timeline_holds_every_event_in_few_bars(times: list[int]) -> None:
    import numpy as np

    drawn = bars(np.array(sorted(times), np.int64), np.zeros(len(times), np.int32))
    assert drawn is not None
    assert sum(drawn.events) == len(times)
    assert len(drawn.events) <= 120
    made = timeline(drawn)
    assert made is not None
    assert len(made.bars) == len(drawn.events)


def test_shades_go_by_orders() -> None:
    assert [shade(value, 1000) for value in (0, 1, 6, 32, 178, 1000)] == [0, 1, 2, 3, 4, 5]
    assert shade(1, 1) == 3
