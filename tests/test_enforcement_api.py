"""Webhooks over HTTP: for administrators only, the secret once, and reads of the API in the audit log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from api_samples import LOOPBACK, served
from starlette.testclient import TestClient

from promptsim.api import webhooks
from promptsim.api.app import create_app
from promptsim.enforcement.beside import Enforcement
from promptsim.service import Service

URL = "https://example.org/hook"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    home: Path = tmp_path_factory.mktemp("hooks") / "home"
    with served(home) as opened:
        yield opened


def client(service: Service, role: str = "admin") -> TestClient:
    _, token = service.engine.store.create_access_key(f"{role} key", role)
    app = create_app(service, extra_routers=[webhooks.router])
    headers = {"Authorization": f"Bearer {token}"}
    return TestClient(app, base_url=LOOPBACK, headers=headers, raise_server_exceptions=False)


def test_a_webhook_is_added_listed_and_removed_and_its_secret_is_shown_once(service: Service) -> None:
    admin = client(service)
    made = admin.post("/v1/webhooks", json={"url": URL, "types": ["family.flagged"]})
    assert made.status_code == 201
    body = made.json()
    assert body["secret"].startswith("whsec_")
    assert (body["by"], body["types"]) == ("admin key", ["family.flagged"])
    listed = admin.get("/v1/webhooks")
    assert [each["webhook_id"] for each in listed.json()["webhooks"]] == [body["webhook_id"]]
    assert body["secret"] not in listed.text
    assert admin.delete(f"/v1/webhooks/{body['webhook_id']}").status_code == 204
    assert admin.delete(f"/v1/webhooks/{body['webhook_id']}").status_code == 404


@pytest.mark.parametrize(
    "body",
    [{"url": "http://example.org/"}, {"url": "https://169.254.169.254/"}, {"url": "https://localhost/"},
     {"url": URL, "types": ["family.deleted"]}, {"url": URL, "secret": "whsec_mine"}, {}],
)  # fmt: skip
def test_what_should_not_be_sent_to_is_refused(service: Service, body: dict[str, object]) -> None:
    answer = client(service).post("/v1/webhooks", json=body)
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert service.engine.store.webhooks() == []


@pytest.mark.parametrize("role", ["ingest", "search", "review"])
def test_webhooks_are_for_administrators(service: Service, role: str) -> None:
    other = client(service, role)
    for method, path in (
        ("GET", "/v1/webhooks"), ("POST", "/v1/webhooks"), ("DELETE", "/v1/webhooks/wh_1"),
        ("GET", "/v1/webhooks/deliveries"), ("POST", "/v1/webhooks/messages/msg_1/replay"),
    ):  # fmt: skip
        assert other.request(method, path, json={"url": URL} if path == "/v1/webhooks" else None).status_code == 403


def test_a_verdict_over_http_is_on_its_way_and_can_be_sent_again(service: Service) -> None:
    admin = client(service)
    made = admin.post("/v1/webhooks", json={"url": URL, "types": ["family.verdict"]}).json()
    family = admin.get("/v1/families").json()["families"][0]["family_id"]
    given = admin.post(f"/v1/families/{family}/verdicts", json={"verdict": "unsure", "reason": "odd"})
    assert given.json()["state"] == "given"
    (waiting,) = admin.get("/v1/webhooks/deliveries", params={"state": "pending"}).json()["deliveries"]
    assert (waiting["type"], waiting["webhook_id"]) == ("family.verdict", made["webhook_id"])
    again = admin.post(f"/v1/webhooks/messages/{waiting['message_id']}/replay")
    assert (again.status_code, again.json()) == (202, {"webhooks": 1})
    assert admin.post("/v1/webhooks/messages/msg_none/replay").status_code == 404
    admin.delete(f"/v1/webhooks/{made['webhook_id']}")


def test_who_reads_prompt_text_over_http_is_in_the_audit_log(service: Service) -> None:
    enforcement = Enforcement(service.engine.store)
    hooks = service.hooks
    service.hooks = replace(hooks, after_read=(enforcement.after_read,))
    reader = client(service, "search")
    family = reader.get("/v1/families").json()["families"][0]["family_id"]
    reader.get(f"/v1/families/{family}/members")
    reader.post("/v1/search", json={"text": "You are an expert data analyst"})
    service.hooks = hooks
    enforcement.close()
    entries = service.engine.store.audit(limit=3)[::-1]
    assert [(e.actor, e.action) for e in entries] == [
        ("search key", "read.list"), ("search key", "read.members"), ("search key", "read.search")
    ]  # fmt: skip
    assert [e.subject for e in entries][:2] == ["families", family]
    assert "analyst" not in str(entries)
    assert service.engine.store.audit_problems() == []
