"""Every page, as a reviewer gets it: it answers, says what it should, and lets nobody in who should not be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import pytest
from fastapi.testclient import TestClient
from web_samples import app_of, authenticate, simulated

from promptsim import review
from promptsim.engine.shared import SharedEngine
from promptsim.records import Event, Network
from promptsim.store.audit import AuditEntry
from promptsim.web.rendering import STATIC

KEYS: dict[str, str] = {}
Noted = list[tuple[str, str, str]]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedEngine]:
    with simulated(tmp_path_factory.mktemp("web") / "home") as opened:
        for role in ("ingest", "search", "review", "admin"):
            KEYS[role] = opened._store.create_access_key(f"{role} person", role)[1]
        opened.review(opened.networks()[-1].network_id, verdict="coordinated", reason="a flag for sure", by="somebody")
        yield opened


@pytest.fixture(scope="module")
def noted() -> Noted:
    return []


@pytest.fixture(scope="module")
def app(engine: SharedEngine, noted: Noted) -> object:
    return app_of(engine, lambda person, action, what: noted.append((person.name, action, what)))


@pytest.fixture
def client(app: object) -> TestClient:
    return logged_in(app, "review")


def logged_in(app: object, role: str) -> TestClient:
    made = TestClient(app)  # type: ignore[arg-type]
    assert made.post("/login", data={"key": KEYS[role]}, follow_redirects=False).status_code == 303
    return made


def text(client: TestClient, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    return unescape(re.sub(r"<[^>]+>", "", answer.text))


def field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None
    return found[1]


def network(engine: SharedEngine) -> Network:
    return max(engine.networks(), key=lambda one: len(one.family_ids))


# ------------------------------------------------------------------ what the pages say
def test_the_queue_shows_flagged_networks_first_and_everything_once(client: TestClient, engine: SharedEngine) -> None:
    page = client.get("/?status=any").text
    listed = re.findall(r'<td class="subject"><a href="/(?:families|networks)/([^"]+)"', page)
    subjects = {*(f.family_id for f in engine.families()), *(n.network_id for n in engine.networks())}
    assert len(listed) == len(set(listed)) == min(50, len(subjects))
    assert set(listed) <= subjects
    flagged = re.findall(r'<tr data-row( class="flagged")?>', page)
    assert flagged == sorted(flagged, reverse=True)
    assert flagged[0]


@pytest.mark.parametrize("sort", ["score", "accounts", "events", "new"])
def test_pages_of_the_queue_neither_repeat_nor_skip(client: TestClient, engine: SharedEngine, sort: str) -> None:
    from promptsim.web import queue

    seen: list[str] = []
    path, full = f"/?status=any&sort={sort}", queue.ROWS
    queue.ROWS = 7
    try:
        while path:
            page = client.get(path).text
            seen += re.findall(r'<td class="subject"><a href="/(?:families|networks)/([^"]+)"', page)
            more = re.search(r'hx-get="([^"]+)"', page)
            path = unescape(more[1]) if more else ""
    finally:
        queue.ROWS = full
    assert sorted(seen) == sorted([f.family_id for f in engine.families()] + [n.network_id for n in engine.networks()])


def test_filters_narrow_the_queue(client: TestClient) -> None:
    assert "/families/" not in client.get("/?kind=networks").text
    assert 'class="flagged"' in client.get("/?status=any&flagged=1").text
    assert "<tr data-row>" not in client.get("/?status=any&flagged=1").text
    assert "Nothing left here" in text(client, "/?least=99999")


def test_a_family_shows_its_text_slots_accounts_reasons_and_two_prompts(
    client: TestClient, engine: SharedEngine
) -> None:
    family = next(f for f in engine.families() if f.kind == "template" and f.slots and f.network_ids)
    page, shown = client.get(f"/families/{family.family_id}").text, text(client, f"/families/{family.family_id}")
    assert '<span class="slot" title="slot 1:' in page
    assert f"{family.account_count} accounts" in shown
    assert f"{family.event_count} events" in shown
    assert all(item.sentence in shown for item in family.evidence)
    assert all(item.sentence in shown for item in engine.network(family.network_ids[0]).evidence)
    assert page.count("<mark>") >= 2
    assert '<svg class="timeline"' in page
    assert "Lineage" in shown


def test_any_two_prompts_of_a_family_can_be_compared(client: TestClient, engine: SharedEngine) -> None:
    family = next(f for f in engine.families() if f.prompt_count > 3)
    a, b = (member.prompt_id for member in engine.members(family.family_id)[2:4])
    page = client.get(f"/families/{family.family_id}?a={a}&b={b}").text
    compared = page[page.index('id="compare"') : page.index('id="h-examples"')]
    assert re.findall(r'href="/prompts/([^"]+)"', compared) == [a, b]


def test_a_network_is_drawn_with_every_account_and_family(client: TestClient, engine: SharedEngine) -> None:
    one = network(engine)
    page = client.get(f"/networks/{one.network_id}").text
    drawn = page[page.index('<svg class="grid"') :]
    assert all(account_id in drawn for account_id in one.account_ids)
    assert all(f'href="/families/{family_id}"' in drawn for family_id in one.family_ids)
    assert page.count('<svg class="grid"') == 2
    assert all(item.sentence in text(client, f"/networks/{one.network_id}") for item in one.evidence)


def test_what_a_drawing_leaves_out_is_said(
    client: TestClient, engine: SharedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from promptsim.web import subjects

    monkeypatch.setattr(subjects, "GRID_ACCOUNTS", 3)
    monkeypatch.setattr(subjects, "GRID_FAMILIES", 1)
    one = network(engine)
    shown = text(client, f"/networks/{one.network_id}")
    assert f"Shown: 3 of {len(one.account_ids)} accounts" in shown
    assert f"1 of {len(one.family_ids)} families" in shown


def test_an_account_shows_prompts_and_families_and_its_neighbours(client: TestClient, engine: SharedEngine) -> None:
    one = network(engine)
    first, second = one.account_ids[:2]
    page = client.get("/account", params={"id": first}).text
    assert all(f"/families/{family_id}" in page for family_id in engine.account(first).family_ids[:5])
    assert "/prompts/p_" in page
    assert second in client.get("/account/neighbours", params={"id": first}).text


def test_search_finds_who_else_sent_it_and_keeps_the_text_out_of_addresses(
    client: TestClient, engine: SharedEngine
) -> None:
    family = max(engine.families(), key=lambda one: one.account_count)
    asked = engine.members(family.family_id)[0]
    token = field(client.get("/search").text, "csrf")
    answer = client.post("/search", data={"csrf": token, "text": asked.text, "k": "5"})
    assert answer.status_code == 200
    assert f"/prompts/{asked.prompt_id}" in answer.text
    assert "exact" in answer.text
    assert asked.prompt_id in client.get(f"/search?prompt_id={asked.prompt_id}").text
    assert "write a number" in client.post("/search", data={"csrf": token, "text": "x", "least": "much"}).text


def test_runs_and_the_verdict_log_answer(client: TestClient) -> None:
    assert "finished" in text(client, "/runs")
    assert "Verdicts" in text(client, "/verdicts")


@pytest.mark.parametrize(
    ("path", "status"),
    [("/families/f_0", 404), ("/networks/n_0", 404), ("/account?id=nobody", 404), ("/account", 400),
     ("/prompts/p_0", 404), ("/?sort=random", 400), ("/?cursor=%00", 400), ("/?cursor=WyJhIl0", 400),
     ("/runs?cursor=WzEuNV0", 400), ("/static/000000000000/page.css", 404)],
)  # fmt: skip
def test_what_is_not_there_is_a_page_too(client: TestClient, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert "<h1>" in answer.text


# ------------------------------------------------------------------ verdicts
def form_of(page: str) -> dict[str, str]:
    return {name: unescape(field(page, name)) for name in ("csrf", "subject", "path", "seen", "accounts")}


def test_a_verdict_is_given_shown_and_undone(client: TestClient, engine: SharedEngine) -> None:
    family = next(f for f in engine.families() if not f.flagged)
    path = f"/families/{family.family_id}"
    form = form_of(client.get(path).text) | {"verdict": "coordinated", "reason": "one & two"}
    given = client.post("/verdicts", data=form, follow_redirects=False)
    assert given.headers["location"] == f"{path}#verdicts"
    assert engine.family(family.family_id).flagged
    assert "one & two" in text(client, path)
    assert "review person" in text(client, "/verdicts")
    assert client.post("/verdicts", data=form).status_code == 409, "this form does not know of the verdict"
    undo = form_of(client.get(path).text) | {"undo": "1", "reason": "a slip"}
    assert client.post("/verdicts", data=undo).status_code == 200
    after = engine.family(family.family_id)
    assert (after.flagged, after.status) == (False, "open")
    log = [one for one in engine.verdicts() if one.subject_id == family.family_id]
    assert [(one.by, one.verdict) for one in log] == [("review person", "coordinated"), ("review person", "open")]


def test_a_verdict_on_an_account(client: TestClient, engine: SharedEngine) -> None:
    account = network(engine).account_ids[0]
    page = client.get("/account", params={"id": account}).text
    assert "touches <strong>1 account</strong>" in page
    form = form_of(page) | {"verdict": "benign", "reason": "a customer that we know"}
    assert "a customer that we know" in client.post("/verdicts", data=form).text


def test_over_many_accounts_a_verdict_waits_for_a_second_person(
    app: object, client: TestClient, engine: SharedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(engine.store), "two_persons_from", lambda _self: 2)
    one = min(engine.networks(), key=lambda n: (n.score, n.network_id))
    path = f"/networks/{one.network_id}"
    assert "take two persons" in text(client, path)
    form = form_of(client.get(path).text) | {"verdict": "benign", "reason": "known"}
    assert "review person proposed benign" in unescape(re.sub("<[^>]+>", "", client.post("/verdicts", data=form).text))
    other = logged_in(app, "admin")
    form = form_of(other.get(path).text) | {"verdict": "benign", "reason": "known to me too"}
    assert other.post("/verdicts", data=form).status_code == 200
    assert engine.network(one.network_id).status == "benign"


@pytest.mark.parametrize(
    ("change", "status"),
    [({"reason": " "}, 400), ({"verdict": "guilty"}, 400), ({"seen": "v_0"}, 409), ({"accounts": "1"}, 409)],
)
def test_a_verdict_needs_a_reason_a_known_word_and_what_was_shown(
    client: TestClient, engine: SharedEngine, change: dict[str, str], status: int
) -> None:
    form = form_of(client.get(f"/networks/{network(engine).network_id}").text)
    before = len(engine.verdicts())
    answer = client.post("/verdicts", data=form | {"verdict": "benign", "reason": "fine"} | change)
    assert answer.status_code == status
    assert len(engine.verdicts()) == before


def marked(client: TestClient, subjects: list[str]) -> str:
    """The page that tells what one verdict on the marked rows would touch."""
    token = unescape(field(client.get("/").text, "csrf"))
    answer = client.post("/several", data={"csrf": token, "subject": subjects})
    assert answer.status_code == 200
    return answer.text


def test_several_are_told_before_they_are_judged(client: TestClient, engine: SharedEngine) -> None:
    chosen = [f for f in engine.families() if f.status == "open" and not f.flagged][:3]
    names = [family.family_id for family in chosen]
    before = len(engine.verdicts())
    page = marked(client, names)
    accounts = {m.account_id for m in engine.member_events() if m.family_id in names}
    assert f"<strong>{len(accounts)} accounts</strong>" in page  # each counted once
    assert f"<strong>{sum(family.event_count for family in chosen):,} events</strong>" in page
    assert len(engine.verdicts()) == before
    form = {name: unescape(field(page, name)) for name in ("csrf", "seen", "accounts")}
    said = form | {"subject": names, "verdict": "benign", "reason": "three of ours"}
    assert client.post("/several/verdict", data=said | {"accounts": "1"}).status_code == 409
    assert client.post("/several/verdict", data=said | {"reason": " "}).status_code == 400
    assert client.post("/several/verdict", data=said | {"csrf": "other"}).status_code == 403
    assert len(engine.verdicts()) == before
    done = client.post("/several/verdict", data=said, follow_redirects=False)
    assert (done.status_code, done.headers["location"]) == (303, "/verdicts")
    assert [engine.family(name).status for name in names] == ["benign"] * 3
    assert client.post("/several/verdict", data=said).status_code == 409, "this form does not know of the verdicts"


def test_nothing_marked_and_too_much_marked_say_so(client: TestClient) -> None:
    token = unescape(field(client.get("/").text, "csrf"))
    nothing = client.post("/several", data={"csrf": token})
    assert (nothing.status_code, "Nothing is marked" in nothing.text) == (400, True)
    many = client.post("/several", data={"csrf": token, "subject": [f"f_{i}" for i in range(501)]})
    assert (many.status_code, "501 rows are marked" in many.text) == (400, True)
    assert client.post("/several", data={"csrf": token, "subject": ["f_none"]}).status_code == 404


def test_who_may_not_judge_cannot_mark(app: object, client: TestClient) -> None:
    reader = logged_in(app, "search")
    page = reader.get("/").text
    assert 'form="bulk"' not in page
    assert 'form="bulk"' in client.get("/").text
    token = unescape(field(page, "csrf"))
    for path in ("/several", "/several/verdict"):
        assert reader.post(path, data={"csrf": token, "subject": ["f_0"]}).status_code == 403


def test_what_waits_for_a_person_is_in_one_place(
    client: TestClient, engine: SharedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = next(f for f in engine.families() if f.status == "open")
    engine.review(family.family_id, verdict="coordinated", reason="one text", by="ada")
    engine.ingest([Event("late", "latecomer", family.last_seen, "", engine.members(family.family_id)[0].text, {})])
    with monkeypatch.context() as patch:
        patch.setattr(type(engine.store), "two_persons_from", lambda _self: 0)
        other = next(f for f in engine.families() if f.status == "open")
        engine.review(other.family_id, verdict="benign", reason="a proposal <b>", by="ada")
    page = client.get("/waiting").text
    assert "a proposal &lt;b&gt;" in page
    assert f'href="/families/{other.family_id}#verdicts"' in page
    assert "latecomer" in page
    review.undo(engine, other.family_id, reason="only a test", by="ada")
    assert "a proposal" not in client.get("/waiting").text


def test_the_audit_log_is_for_administrators_and_says_who_did_what(app: object, engine: SharedEngine) -> None:
    admin = logged_in(app, "admin")
    for role in ("search", "review"):
        client = logged_in(app, role)
        assert client.get("/audit").status_code == 403
        assert 'href="/audit"' not in client.get("/").text
    family = next(f for f in engine.families() if f.status == "open")
    engine.review(family.family_id, verdict="unsure", reason="canary reason", by="ada <i>")
    page = admin.get("/audit").text
    assert "ada &lt;i&gt;" in page
    assert "canary reason" not in page  # the log has figures and ids, never text
    assert str(engine.store.audit_head()) in unescape(page)
    assert f'href="/families/{family.family_id}"' in admin.get("/audit", params={"subject": family.family_id}).text
    assert "Nothing was noted" in admin.get("/audit", params={"subject": "nobody"}).text


def test_the_audit_log_pages_backwards(app: object, engine: SharedEngine) -> None:
    engine.store.add_audit([AuditEntry("robot", "read.prompt", f"p_{i}") for i in range(150)])
    admin = logged_in(app, "admin")
    first = admin.get("/audit").text
    older = admin.get(unescape(re.findall(r'href="(/audit\?[^"]*cursor=[^"]+)"', first)[0])).text
    assert "p_149" in first
    assert "p_49<" not in first
    assert "p_49<" in older


# ------------------------------------------------------------------ who may
PATHS = ["/", "/search", "/runs", "/verdicts", "/waiting", "/audit", "/families/x", "/networks/x", "/prompts/x",
         "/account?id=x", "/account/neighbours?id=x"]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_nobody_reads_without_a_login(app: object, path: str) -> None:
    answer = TestClient(app).get(path, follow_redirects=False)  # type: ignore[arg-type]
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login")


@pytest.mark.parametrize("path", PATHS)
def test_a_key_that_may_only_ingest_reads_nothing(app: object, path: str) -> None:
    assert logged_in(app, "ingest").get(path).status_code == 403


@pytest.mark.parametrize(("role", "status"), [("ingest", 403), ("search", 403), ("review", 400), ("admin", 400)])
def test_only_reviewers_give_verdicts(app: object, engine: SharedEngine, role: str, status: int) -> None:
    made = logged_in(app, role)
    token = field(made.get("/runs").text, "csrf") if role != "ingest" else ""
    form = {"csrf": token, "subject": network(engine).network_id, "verdict": "benign", "reason": ""}
    assert made.post("/verdicts", data=form).status_code == status


def test_a_form_of_another_session_or_site_is_refused(app: object, client: TestClient, engine: SharedEngine) -> None:
    path = "/verdicts"
    other = field(logged_in(app, "review").get("/search").text, "csrf")
    ours = field(client.get("/search").text, "csrf")
    form = {"subject": network(engine).network_id, "verdict": "benign", "reason": "because"}
    before = len(engine.verdicts())
    assert client.post(path, data=form).status_code == 403
    assert client.post(path, data=form | {"csrf": other}).status_code == 403
    far = {"sec-fetch-site": "cross-site"}
    assert client.post(path, data=form | {"csrf": ours}, headers=far).status_code == 403
    assert len(engine.verdicts()) == before


def test_a_revoked_key_ends_its_sessions(app: object, engine: SharedEngine) -> None:
    made, token = engine._store.create_access_key("leaver", "admin")
    client = TestClient(app)  # type: ignore[arg-type]
    client.post("/login", data={"key": token})
    assert client.get("/runs", follow_redirects=False).status_code == 200
    engine._store.revoke_access_key(made.key_id)
    assert client.get("/runs", follow_redirects=False).status_code == 303
    assert client.post("/login", data={"key": token}).status_code == 400


def test_the_cookie_is_strict_hidden_from_scripts_and_holds_no_key(app: object) -> None:
    answer = TestClient(app).post("/login", data={"key": KEYS["review"]}, follow_redirects=False)  # type: ignore[arg-type]
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert KEYS["review"] not in cookie
    secure = TestClient(app, base_url="https://testserver")  # type: ignore[arg-type]
    assert "Secure" in secure.post("/login", data={"key": KEYS["review"]}, follow_redirects=False).headers["set-cookie"]


def test_a_forged_cookie_is_nobody(app: object, client: TestClient) -> None:
    name, value = next(iter(client.cookies.items()))
    forged = TestClient(app, cookies={name: ("A" if value[0] != "A" else "B") + value[1:]})  # type: ignore[arg-type]
    assert forged.get("/", follow_redirects=False).status_code == 303


def test_logging_out_ends_the_session(client: TestClient) -> None:
    client.post("/logout", data={"csrf": field(client.get("/").text, "csrf")})
    assert client.get("/", follow_redirects=False).status_code == 303


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:0", "/\t/x"]
)
def test_a_login_leads_nowhere_else(app: object, target: str) -> None:
    made = TestClient(app)  # type: ignore[arg-type]
    answer = made.post("/login", data={"key": KEYS["search"], "next": target}, follow_redirects=False)
    assert answer.headers["location"] == "/"


def test_without_keys_the_page_is_for_this_machine_by_name_alone(engine: SharedEngine) -> None:
    class NoKeys:
        def __getattr__(self, name: str) -> object:
            return (lambda: False) if name == "has_keys" else getattr(engine, name)

    app = app_of(NoKeys())  # type: ignore[arg-type]
    here, there = TestClient(app), TestClient(app, base_url="http://rebound.example")
    assert here.post("/login", data={"name": ""}).status_code == 400
    assert here.post("/login", data={"name": "Ann"}).status_code == 200
    assert "Ann" in here.get("/").text
    assert there.post("/login", data={"name": "Ann"}).status_code == 403
    assert there.get("/", headers={"cookie": f"promptsim_session={here.cookies['promptsim_session']}"},
                     follow_redirects=False).status_code == 303  # fmt: skip
    assert authenticate(engine)(None) is None


def test_reads_of_prompt_text_are_noted(client: TestClient, engine: SharedEngine, noted: Noted) -> None:
    family = engine.families()[0]
    client.get(f"/families/{family.family_id}")
    assert noted[-1] == ("review person", "family", family.family_id)


# ------------------------------------------------------------------ headers
@pytest.mark.parametrize("path", ["/", "/login", "/families/none", "/?sort=random", "/runs"])
def test_every_answer_has_the_headers_that_keep_text_from_acting(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", sorted(STATIC))
def test_static_files_are_ours_and_may_be_kept(client: TestClient, name: str) -> None:
    from promptsim.web.rendering import static_digest

    answer = client.get(f"/static/{static_digest(name)}/{name}")
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith(STATIC[name])


def test_no_page_asks_for_anything_from_elsewhere_or_carries_script_or_style(client: TestClient) -> None:
    for path in ("/", "/login", "/search", "/runs"):
        page = client.get(path).text
        assert not re.findall(r'(?:src|href|action)="(?!/|#)[^"]*"', page)
        assert not re.findall(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", page)
