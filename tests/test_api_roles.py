"""Every route with every role, by what the routes themselves declare: a new one without a role fails here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from api_samples import FIXED, client_of, event, served
from fastapi.routing import APIRoute

from promptsim.api import webhooks
from promptsim.api.app import create_app
from promptsim.service import Service
from promptsim.store.access import ROLES

OPEN = {"/livez", "/readyz", "/healthz"}
# Only what a program that sends logs, or one that asks for a single answer, must do is below `search`, and so on.
EXPECTED = {
    ("POST", "/v1/prompts"): "ingest",
    ("POST", "/v1/runs"): "admin",
    ("DELETE", "/v1/accounts/{account_id}"): "admin",
    ("POST", "/v1/families/{family_id}/verdicts"): "review",
    ("POST", "/v1/networks/{network_id}/verdicts"): "review",
    ("POST", "/v1/verdicts"): "review",
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with served(tmp_path_factory.mktemp("roles") / "home", full=False) as opened:
        yield opened


@pytest.fixture(scope="module")
def tokens(service: Service) -> dict[str, str]:
    return {role: service.engine._store.create_access_key(f"the {role} key", role)[1] for role in ROLES}


def api_routes(routes: Iterable[Any]) -> Iterator[APIRoute]:
    """Every route of an app, those of included routers too."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif hasattr(route, "original_router"):
            yield from api_routes(route.original_router.routes)


def role_of(route: APIRoute) -> str | None:
    """The role that a route's dependencies declare."""
    roles = {getattr(d.call, "role", None) for d in route.dependant.dependencies} - {None}
    assert len(roles) <= 1, route.path
    return str(roles.pop()) if roles else None


def test_every_route_declares_the_role_that_it_should(service: Service) -> None:
    routes = list(api_routes(create_app(service, extra_routers=[webhooks.router]).routes))
    assert len(routes) > 20
    for route in routes:
        for method in route.methods:
            usual = "admin" if route.path.startswith("/v1/webhooks") else "search"
            expected = None if route.path in OPEN else EXPECTED.get((method, route.path_format), usual)
            assert role_of(route) == expected, f"{method} {route.path}"


def test_every_route_with_every_role(service: Service, tokens: dict[str, str]) -> None:
    app_routes = list(api_routes(create_app(service, extra_routers=[webhooks.router]).routes))
    clients = {role: client_of(service, token, extra_routers=[webhooks.router]) for role, token in tokens.items()}
    for route in app_routes:
        path, needed = route.path_format, role_of(route)
        for name in ("account_id", "prompt_id", "family_id", "network_id", "run_id", "webhook_id", "message_id"):
            path = path.replace(f"{{{name}}}", "none")
        path = path.replace("{what}", "families")
        for method in route.methods:
            if (method, path) == ("POST", "/v1/runs"):
                continue  # it would start one: the next test
            for role, client in clients.items():
                status = client.request(method, path, json={}).status_code
                allowed = needed is None or ROLES.index(role) >= ROLES.index(needed)
                assert (status not in (401, 403)) == allowed, f"{method} {path} as {role}: {status}"
            for nobody in (
                client_of(service, extra_routers=[webhooks.router]),
                client_of(service, "ps_" + "A" * 43, extra_routers=[webhooks.router]),
            ):
                status = nobody.request(method, path, json={}).status_code
                assert (status == 401) == (needed is not None), f"{method} {path} without a key: {status}"


def test_only_an_administrator_starts_runs(service: Service, tokens: dict[str, str]) -> None:
    held = service.engine.begin_run(full=False)
    answers = {role: client_of(service, token).post("/v1/runs", json={}).status_code for role, token in tokens.items()}
    service.engine.give_up_run(held.run_id, "only a test")
    assert answers == {"ingest": 403, "search": 403, "review": 403, "admin": 409}


def test_a_revoked_key_ends_at_once_and_the_others_stay(service: Service) -> None:
    made, token = service.engine._store.create_access_key("short-lived", "search")
    client = client_of(service, token)
    assert client.get("/v1/families").status_code == 200
    service.engine._store.revoke_access_key(made.key_id)
    refused = client.get("/v1/families")
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorised")
    assert refused.headers["www-authenticate"].startswith("Bearer")


def test_no_file_of_the_home_holds_a_key(service: Service, tokens: dict[str, str]) -> None:
    service.engine._store.database.empty_log()
    for path in service.home.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        for token in tokens.values():
            assert token.encode() not in content
            assert token.removeprefix("ps_").encode() not in content


def test_verdicts_are_signed_with_the_name_of_the_key(tmp_path_factory: pytest.TempPathFactory) -> None:
    with served(tmp_path_factory.mktemp("signed") / "home") as service:
        token = service.engine._store.create_access_key("alice", "review")[1]
        client = client_of(service, token)
        family = client.post("/v1/match", json={"text": FIXED}).json()["family_id"]
        given = client.post(f"/v1/families/{family}/verdicts", json={"verdict": "unsure", "reason": "look again"})
        assert given.json()["by"] == "alice"


def test_a_key_has_its_rate(service: Service, tokens: dict[str, str]) -> None:
    client = client_of(service, tokens["ingest"], rate_limit="3/minute")
    statuses = [client.post("/v1/prompts", json=[event(1, "a", "x")]).status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    refused = client.post("/v1/prompts", json=[])
    assert refused.json()["code"] == "rate-limited"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    other = client_of(service, tokens["admin"], rate_limit="3/minute")
    assert other.get("/v1/runs").status_code == 200
