"""The real page over simulated traffic ─► pictures of it in docs/screens. Called by scripts/screenshots.

Needs Chromium (Debian: apt-get install chromium) and, for all scripts, fonts-noto-core and fonts-wqy-microhei.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
import time
from contextlib import closing, nullcontext
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, sync_playwright

from promptsim.engine.shared import SharedEngine
from promptsim.service import LOCAL
from promptsim.simulate.plan import Plan
from promptsim.simulate.traffic import simulate
from promptsim.web.router import create_router

TARGET = Path(__file__).resolve().parent.parent / "docs" / "screens"
EVENTS = int(os.environ.get("EVENTS", "6000"))
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def shots(engine: SharedEngine) -> list[tuple[str, str, dict[str, int], str]]:
    """(name, path, size, colour scheme) of each picture."""
    network = max(engine.networks(), key=lambda one: (one.flagged, len(one.account_ids), one.network_id))
    family = next(f for f in engine.families() if f.network_ids and f.kind == "template")
    account = network.account_ids[0]
    prompt = engine.members(family.family_id)[0].prompt_id
    return [
        ("queue", "/", DESK, "light"),
        ("family", f"/families/{family.family_id}", DESK, "light"),
        ("compare", f"/families/{family.family_id}#compare", DESK, "light"),
        ("network", f"/networks/{network.network_id}#h-grid", DESK, "dark"),
        ("account", f"/account?id={account}", DESK, "light"),
        ("search", f"/search?prompt_id={prompt}", DESK, "dark"),
        ("phone", "/", PHONE, "light"),
    ]


def draw(browser: Browser, base: str, name: str, path: str, size: dict[str, int], scheme: str) -> None:
    context = browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(base)
    page.fill("main [name=name]", "Ann Reviewer")
    page.click("main button[type=submit]")
    page.goto(base + path, wait_until="networkidle")
    page.wait_for_timeout(600)
    page.screenshot(path=TARGET / f"{name}.png")
    context.close()


def main() -> None:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("no Chromium: apt-get install chromium, or name it with CHROMIUM=/path/to/it")
    TARGET.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, SharedEngine.share(Path(folder) / "home") as engine:
        engine.ingest(simulate(events=EVENTS, seed=0, plan=Plan()).events)
        engine.cluster()
        app = FastAPI(openapi_url=None)
        app.include_router(create_router(lambda: nullcontext(engine), lambda _key: LOCAL, engine.secret))
        with closing(socket.socket()) as listening, sync_playwright() as playwright:
            listening.bind(("127.0.0.1", 0))
            server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
            thread.start()
            while not server.started:
                time.sleep(0.02)
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            for shot in shots(engine):
                draw(browser, f"http://127.0.0.1:{listening.getsockname()[1]}", *shot)
            browser.close()
            server.should_exit = True
            thread.join(timeout=10)


if __name__ == "__main__":
    main()
