"""What each route of the API answers, and how it refuses."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from io import BytesIO

import pytest
from api_samples import FIXED, LOOPBACK, START, client_of, event, events, served
from starlette.testclient import TestClient

from promptsim.api.bodies import MAX_BODY
from promptsim.api.models import Hit
from promptsim.contract import rfc3339
from promptsim.service import Hooks, Service

JSONL = {"Content-Type": "application/x-ndjson"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with served(tmp_path_factory.mktemp("api") / "home") as opened:
        yield opened


@pytest.fixture(scope="module")
def client(service: Service) -> TestClient:
    return client_of(service)


@pytest.fixture(scope="module")
def family_id(client: TestClient) -> str:
    families = client.get("/v1/families").json()["families"]
    return str(next(f["family_id"] for f in families if f["prompt_count"] == 40))


def problem(response: object, status: int, code: str) -> dict[str, object]:
    """A problem document of this status and code."""
    assert response.status_code == status, response.text  # type: ignore[attr-defined]
    assert response.headers["content-type"] == "application/problem+json"  # type: ignore[attr-defined]
    body: dict[str, object] = response.json()  # type: ignore[attr-defined]
    assert body["status"] == status
    assert body["code"] == code
    assert body["type"] == f"urn:promptsim:problem:{code}"
    assert body["detail"]
    return body


# ---------------------------------------------------------------- ingest
def test_every_item_of_a_batch_has_its_answer_in_order(client: TestClient) -> None:
    batch = [event(500, "n", "a new text"), {"account_id": "n"}, event(0, "a0", "known by its id"), event(501, "n", "")]
    answer = client.post("/v1/prompts", json=batch).json()
    assert [(i["index"], i["status"], i.get("code")) for i in answer["items"]] == [
        (0, "accepted", None), (1, "rejected", "missing-field"), (2, "known", None), (3, "rejected", "empty-text"),
    ]  # fmt: skip
    assert (answer["accepted"], answer["known"], answer["rejected"], answer["new_prompts"]) == (1, 1, 2, 1)
    again = client.post("/v1/prompts", json=batch).json()
    assert (again["accepted"], again["known"]) == (0, 2)


def test_json_lines_and_gzip_are_read(client: TestClient) -> None:
    lines = "\n".join(json.dumps(event(600 + i, "z", f"line {i}")) for i in range(3)).encode() + b"\n\n{broken\n"
    answer = client.post(
        "/v1/prompts", content=gzip.compress(lines), headers={**JSONL, "Content-Encoding": "gzip"}
    ).json()
    assert (answer["accepted"], answer["rejected"]) == (3, 1)
    assert answer["items"][3]["code"] == "bad-json"


def test_what_was_acknowledged_is_found_at_once(client: TestClient) -> None:
    client.post("/v1/prompts", json=[event(700, "quick", "nobody has ever sent this particular sentence")])
    hits = client.post("/v1/search", json={"text": "nobody has ever sent this particular sentence"}).json()["hits"]
    assert (hits[0]["account_id"], hits[0]["relation"]) == ("quick", "exact")


@pytest.mark.parametrize(
    ("item", "code"),
    [
        (b'{"account_id":"a","timestamp":1760000000,"text":"\\ud800"}', "lone-surrogate"),
        (b'{"account_id":"a","timestamp":1760000000,"text":"a\\u0000b"}', "nul-character"),
        (b'{"account_id":"a","timestamp":NaN,"text":"x"}', "bad-json"),
        (
            b'{"account_id":"a","timestamp":1760000000,"text":"x","metadata":' + b"[" * 5000 + b"]" * 5000 + b"}",
            "too-deep",
        ),
        (b'{"account_id":"a","timestamp":1760000000,"text":"\xff"}', "invalid-utf8"),
        (b'{"account_id":"a","account_id":"b","timestamp":1760000000,"text":"x"}', "duplicate-key"),
        (b'"a string"', "not-an-object"),
    ],
)
def test_odd_items_are_rejected_by_themselves(client: TestClient, item: bytes, code: str) -> None:
    good = json.dumps(event(0, "a0", "known by its id")).encode()
    for body, headers in ((item + b"\n" + good, JSONL), (b"[" + item + b"," + good + b"]", JSON)):
        answer = client.post("/v1/prompts", content=body, headers=headers).json()
        assert [i.get("code") for i in answer["items"]] == [code, None]
        assert answer["known"] == 1


def test_bodies_that_are_no_batch_are_problems(client: TestClient) -> None:
    problem(client.post("/v1/prompts", content=b"{}", headers=JSON), 422, "not-an-array")
    problem(client.post("/v1/prompts", content=b'[{"a":1}', headers=JSON), 400, "truncated")
    problem(
        client.post("/v1/prompts", content=b"[]", headers={"Content-Type": "text/csv"}), 415, "unsupported-media-type"
    )
    problem(
        client.post("/v1/prompts", content=b"x", headers={**JSONL, "Content-Encoding": "br"}),
        415,
        "unsupported-media-type",
    )
    problem(
        client.post("/v1/prompts", content=b"x", headers={**JSONL, "Content-Encoding": "gzip"}), 400, "damaged-stream"
    )
    cut = gzip.compress(b"{}\n" * 1000)[:-10]
    problem(
        client.post("/v1/prompts", content=cut, headers={**JSONL, "Content-Encoding": "gzip"}), 400, "damaged-stream"
    )
    many = b"[" + b",".join([b"1"] * 20_001) + b"]"
    problem(client.post("/v1/prompts", content=many, headers=JSON), 422, "unusable-call")


def test_bodies_are_capped_before_they_are_parsed(client: TestClient) -> None:
    large = b"x" * 20_000_000
    problem(client.post("/v1/prompts", content=large, headers=JSONL), 413, "body-too-large")
    problem(client.post("/v1/search", content=large, headers=JSON), 413, "body-too-large")
    bomb = gzip.compress(b"\n" * (20 * MAX_BODY), compresslevel=1)
    assert len(bomb) < MAX_BODY
    problem(
        client.post("/v1/prompts", content=bomb, headers={**JSONL, "Content-Encoding": "gzip"}), 413, "body-too-large"
    )

    def unannounced() -> Iterator[bytes]:
        for _ in range(20):
            yield b"x" * 2**20

    problem(client.post("/v1/prompts", content=unannounced(), headers=JSONL), 413, "body-too-large")


# ---------------------------------------------------------------- search and match
def test_a_search_finds_who_shares_the_fixed_part(client: TestClient, family_id: str) -> None:
    answer = client.post("/v1/search", json={"text": FIXED + "something else", "k": 7}).json()
    assert {hit["account_id"] for hit in answer["hits"]} == {f"a{i}" for i in range(7)}
    assert {hit["relation"] for hit in answer["hits"]} == {"template"}
    assert {hit["family_id"] for hit in answer["hits"]} == {family_id}
    assert list(answer["hits"][0]) == list(Hit.model_fields)


def test_filters_narrow_a_search(client: TestClient) -> None:
    asked = {"text": FIXED, "since": rfc3339((START + 3600 * 30) * 1_000_000), "account_id": "a3", "by": "prompt"}
    hits = client.post("/v1/search", json=asked).json()["hits"]
    assert [hit["account_id"] for hit in hits] == ["a3", "a3"]  # of its six sends only number 31 and 38 lie there
    assert client.post("/v1/search", json={"text": FIXED, "metadata": {"org_id": "none"}}).json()["hits"] == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"text":"\\ud800"}', 400, "lone-surrogate"),
        (b'{"text":"x","min_similarity":NaN}', 400, "bad-json"),
        (b"[" * 100_000, 400, "too-deep"),
        (b'{"text":"x","text":"y"}', 400, "duplicate-key"),
        (b"{", 400, "bad-json"),
        (b'{"text":"a\\u0000b"}', 422, "unusable-call"),
        (b'{"text":"  "}', 422, "unusable-call"),
        (b"{}", 422, "unusable-call"),
        (b'{"text":"x","prompt_id":"p_1"}', 422, "unusable-call"),
        (b'{"text":"x","messages":[]}', 422, "invalid-request"),
        (b'{"text":"x","messages":[{"role":"user","content":"y"}]}', 422, "unusable-call"),
        (b'{"text":"x","k":0}', 422, "invalid-request"),
        (b'{"text":"x","k":"5"}', 422, "invalid-request"),
        (b'{"text":"x","since":"yesterday"}', 422, "unusable-call"),
        (b'{"text":"x","wrong":1}', 422, "invalid-request"),
        (b'{"prompt_id":"p_00"}', 404, "not-found"),
    ],
)
def test_odd_questions_are_problems(client: TestClient, body: bytes, status: int, code: str) -> None:
    problem(client.post("/v1/search", content=body, headers=JSON), status, code)


def test_a_problem_never_repeats_what_was_sent(client: TestClient) -> None:
    response = client.post("/v1/search", json={"text": "canary-7f3a", "k": "canary-7f3a", "canary-7f3b": 1})
    assert "canary-7f3a" not in response.text


def test_match_knows_a_family_by_its_fixed_part_and_stores_nothing(client: TestClient, family_id: str) -> None:
    before = client.get("/metrics").text
    found = client.post("/v1/match", json={"text": FIXED + "entirely new words follow here"}).json()
    assert (found["known"], found["family_id"], found["relation"], found["share"]) == (True, family_id, "template", 1.0)
    exact = client.post("/v1/match", json={"text": events()[0]["text"]}).json()
    assert (exact["known"], exact["relation"]) == (True, "exact")
    messages = [{"role": "system", "content": FIXED}, {"role": "user", "content": "go"}]
    assert client.post("/v1/match", json={"messages": messages}).json()["family_id"] == family_id
    unknown = client.post("/v1/match", json={"text": "Please write a poem about the sea in winter"}).json()
    assert (unknown["known"], unknown["family_id"], unknown["flagged"]) == (False, None, False)

    def stored(page: str) -> list[str]:
        return [line for line in page.splitlines() if line.startswith(("promptsim_events", "promptsim_prompts "))]

    assert stored(client.get("/metrics").text) == stored(before)


def test_match_sees_through_changed_words_and_padding(client: TestClient, family_id: str) -> None:
    words = FIXED.split()
    words[5], words[20] = "CHANGED", "ALTERED"
    text = "Good morning to all of you! " + " ".join(words) + " some payload"
    found = client.post("/v1/match", json={"text": text}).json()
    assert found["family_id"] == family_id
    assert found["aligned"] is True
    assert 0.4 <= found["share"] < 1


# ---------------------------------------------------------------- looking things up
def test_a_prompt_shows_its_senders_and_families(client: TestClient, family_id: str) -> None:
    hit = client.post("/v1/search", json={"text": events()[3]["text"], "by": "prompt"}).json()["hits"][0]
    prompt = client.get(f"/v1/prompts/{hit['prompt_id']}").json()
    assert prompt["text"] == events()[3]["text"]
    assert [s["account_id"] for s in prompt["senders"]] == ["a3"]
    assert [f["family_id"] for f in prompt["families"]] == [family_id]
    similar = client.get(f"/v1/prompts/{hit['prompt_id']}/similar", params={"k": 5}).json()["hits"]
    assert (len(similar), similar[0]["relation"]) == (5, "exact")
    problem(client.get("/v1/prompts/p_ff"), 404, "not-found")


def test_an_account_shows_what_it_sent_and_who_is_like_it(client: TestClient, family_id: str) -> None:
    account = client.get("/v1/accounts/a1").json()
    assert (account["event_count"], account["family_ids"]) == (6, [family_id])
    assert len(account["prompts"]) == 6
    similar = client.get("/v1/accounts/a1/similar").json()["accounts"]
    assert {each["account_id"] for each in similar} == {"a0", "a2", "a3", "a4", "a5", "a6"}
    problem(client.get("/v1/accounts/nobody"), 404, "not-found")
    problem(client.get("/v1/accounts/nobody/similar"), 404, "not-found")


def test_lists_page_by_cursor_and_refuse_a_foreign_one(client: TestClient, family_id: str) -> None:
    seen, cursor = [], ""
    while True:
        page = client.get(f"/v1/families/{family_id}/members", params={"limit": 15, "cursor": cursor}).json()
        seen.extend(member["prompt_id"] for member in page["members"])
        cursor = page["next_cursor"]
        if cursor is None:
            break
        last = cursor
    assert (len(seen), len(set(seen))) == (40, 40)
    forged = last[:-6] + ("B" if last[-6] == "A" else "A") + last[-5:]  # the last character has bits that say nothing
    for path, wrong in (
        ("/v1/families", last),
        (f"/v1/families/{family_id}/members", forged),
        ("/v1/networks", "%%%"),
        ("/v1/runs", "AAAA"),
    ):
        problem(client.get(path, params={"cursor": wrong}), 400, "bad-cursor")
    problem(client.get("/v1/families", params={"limit": 0}), 422, "invalid-request")


def test_a_timeline_counts_events_accounts_and_newcomers(client: TestClient, family_id: str) -> None:
    answer = client.get(f"/v1/families/{family_id}/timeline", params={"step": "day"}).json()
    assert sum(b["event_count"] for b in answer["buckets"]) == 40
    assert sum(b["new_account_count"] for b in answer["buckets"]) == 7
    assert answer["buckets"][0]["start"] == "2025-10-09T00:00:00.000Z"
    problem(client.get("/v1/families/f_none/timeline"), 404, "not-found")


def test_a_verdict_needs_a_reason_and_shows_in_the_family(client: TestClient, family_id: str) -> None:
    problem(
        client.post(f"/v1/families/{family_id}/verdicts", json={"verdict": "benign", "reason": " "}),
        422,
        "unusable-call",
    )
    problem(
        client.post(f"/v1/families/{family_id}/verdicts", json={"verdict": "guilty", "reason": "x"}),
        422,
        "invalid-request",
    )
    problem(client.post("/v1/families/f_none/verdicts", json={"verdict": "benign", "reason": "x"}), 404, "not-found")
    problem(
        client.post(f"/v1/networks/{family_id}/verdicts", json={"verdict": "benign", "reason": "x"}), 404, "not-found"
    )
    given = client.post(f"/v1/families/{family_id}/verdicts", json={"verdict": "coordinated", "reason": "one template"})
    assert given.status_code == 201
    assert (given.json()["by"], given.json()["verdict"]) == ("local", "coordinated")
    assert client.get(f"/v1/families/{family_id}").json()["status"] == "coordinated"
    assert client.post("/v1/match", json={"text": FIXED + "x"}).json()["status"] == "coordinated"
    assert [f["family_id"] for f in client.get("/v1/families?status=coordinated").json()["families"]] == [family_id]


def test_an_undo_brings_back_what_stood_and_the_history_says_what_is_touched(
    client: TestClient, family_id: str
) -> None:
    path = f"/v1/families/{family_id}/verdicts"
    before = client.get(f"/v1/families/{family_id}").json()["status"]
    client.post(path, json={"verdict": "benign", "reason": "ours"})
    undone = client.post(path, json={"verdict": "undo", "reason": "not ours"})
    assert (undone.status_code, undone.json()["verdict"], undone.json()["state"]) == (201, before, "given")
    assert client.get(f"/v1/families/{family_id}").json()["status"] == before
    history = client.get(path).json()
    assert [v["verdict"] for v in history["verdicts"][:2]] == [before, "benign"]
    assert history["verdicts"][0]["reason"] == "undone: not ours"
    assert history["touched"] == {"subject_count": 1, "account_count": 7, "event_count": 40, "two_persons": False}
    problem(client.get("/v1/families/f_none/verdicts"), 404, "not-found")
    problem(client.get(f"/v1/networks/{family_id}/verdicts"), 404, "not-found")


def test_a_bulk_verdict_tells_what_it_touches_and_acts_only_on_that(client: TestClient, family_id: str) -> None:
    others = [f["family_id"] for f in client.get("/v1/families").json()["families"] if f["family_id"] != family_id]
    asked: dict[str, object] = {"subject_ids": [family_id, "a1", *others], "verdict": "unsure", "reason": "look again"}
    given_before = len(client.get("/v1/export/verdicts").text.splitlines())
    told = client.post("/v1/verdicts", json=asked).json()
    assert (told["verdicts"], told["touched"]["subject_count"]) == ([], 2 + len(others))
    assert len(client.get("/v1/export/verdicts").text.splitlines()) == given_before
    count = told["touched"]["account_count"]
    assert count >= 7  # a1 is one of the seven
    problem(client.post("/v1/verdicts", json=asked | {"account_count": count - 1}), 409, "conflict")
    problem(client.post("/v1/verdicts", json=asked | {"subject_ids": [family_id, "f_none"]}), 404, "not-found")
    problem(client.post("/v1/verdicts", json=asked | {"subject_ids": []}), 422, "invalid-request")
    assert len(client.get("/v1/export/verdicts").text.splitlines()) == given_before
    done = client.post("/v1/verdicts", json=asked | {"account_count": count}).json()
    assert [v["subject_id"] for v in done["verdicts"]][:1] == [family_id]
    assert {v["verdict"] for v in done["verdicts"]} == {"unsure"}
    assert client.get(f"/v1/families/{family_id}").json()["status"] == "unsure"
    assert "a1" not in [v["subject_id"] for v in done["verdicts"]]  # an account stands there as a keyed hash


@pytest.mark.parametrize("what", ["members", "families", "networks", "accounts", "verdicts"])
@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet"])
def test_exports_stream_in_every_format(client: TestClient, what: str, format: str) -> None:
    response = client.get(f"/v1/export/{what}", params={"format": format})
    assert response.status_code == 200
    assert f'filename="promptsim-{what}.{format}"' in response.headers["content-disposition"]
    if format == "parquet":
        import pyarrow.parquet as pq

        assert pq.read_table(BytesIO(response.content)).num_columns >= 6
    elif what == "members":
        assert len(response.text.splitlines()) == 40 + (format == "csv")


def test_exports_for_other_systems(client: TestClient, family_id: str) -> None:
    client.post(f"/v1/families/{family_id}/verdicts", json={"verdict": "coordinated", "reason": "one template"})
    found = client.get("/v1/export/families", params={"format": "ocsf", "flagged": True})
    rows = [json.loads(line) for line in found.text.splitlines()]
    assert [(row["class_uid"], row["finding_info"]["uid"]) for row in rows] == [(2004, family_id)]
    assert 'filename="promptsim-families.ocsf.jsonl"' in found.headers["content-disposition"]
    bundle = client.get("/v1/export/families", params={"format": "stix"}).json()
    assert bundle["type"] == "bundle"
    assert [o["name"] for o in bundle["objects"] if o["type"] == "indicator"] == [f"Prompt family {family_id}"]
    assert client.get("/v1/export/networks", params={"format": "ocsf"}).status_code == 200
    for what, format in (("members", "ocsf"), ("networks", "stix"), ("verdicts", "stix")):
        problem(client.get(f"/v1/export/{what}", params={"format": format}), 404, "not-found")


def test_runs_are_listed_and_one_at_a_time(client: TestClient, service: Service) -> None:
    done = client.get("/v1/runs").json()["runs"][0]
    assert (done["state"], done["counts"]["families"] >= 1) == ("finished", True)
    assert client.get(f"/v1/runs/{done['run_id']}").json() == done
    problem(client.get("/v1/runs/r_none"), 404, "not-found")
    held = service.engine.begin_run(full=False)
    problem(client.post("/v1/runs", json={}), 409, "busy")
    service.engine.give_up_run(held.run_id, "only a test")
    assert client.get("/v1/runs").json()["runs"][0]["error"] == "only a test"


def test_health_and_metrics(client: TestClient) -> None:
    for path in ("/livez", "/readyz", "/healthz"):
        assert client.get(path).json()["status"] == "ok"
    client.get("/v1/accounts/a1")
    page = client.get("/metrics").text
    assert 'route="/v1/accounts/{account_id}"' in page
    assert "a1" not in page.replace("promptsim_", "")
    for name in (
        "promptsim_index_lag_prompts",
        "promptsim_last_run_age_seconds",
        "promptsim_ready 1.0",
        "promptsim_outbox_depth 0.0",
    ):
        assert name in page


def test_unknown_paths_and_methods_are_problems(client: TestClient) -> None:
    problem(client.get("/v1/nothing"), 404, "not-found")
    refused = client.put("/v1/search", json={})
    problem(refused, 405, "method-not-allowed")
    assert refused.headers["allow"] == "POST"


def test_pages_of_other_sites_are_refused_while_there_are_no_keys(client: TestClient) -> None:
    problem(client.get("/v1/families", headers={"Origin": "https://evil.example"}), 403, "forbidden")
    problem(client.get("/v1/families", headers={"Host": "evil.example"}), 403, "forbidden")
    assert client.get("/v1/families", headers={"Origin": LOOPBACK}).status_code == 200


def test_erasing_an_account_takes_it_from_every_answer(tmp_path_factory: pytest.TempPathFactory) -> None:
    with served(tmp_path_factory.mktemp("erase") / "home") as service:
        client = client_of(service)
        problem(client.delete("/v1/accounts/nobody"), 404, "not-found")
        assert client.delete("/v1/accounts/a3").json()["events"] == 6
        problem(client.get("/v1/accounts/a3"), 404, "not-found")
        hits = client.post("/v1/search", json={"text": FIXED, "k": 10}).json()["hits"]
        assert {hit["account_id"] for hit in hits} & {f"a{i}" for i in range(7)} == {
            f"a{i}" for i in (0, 1, 2, 4, 5, 6)
        }


def test_hooks_are_told_of_ingest_and_of_reads_and_cannot_do_harm(tmp_path_factory: pytest.TempPathFactory) -> None:
    told: list[object] = []

    def broken(*_: object) -> None:
        raise RuntimeError("a hook that fails")

    hooks = Hooks(
        after_ingest=(broken, lambda _engine, receipt: told.append(receipt.accepted)),
        after_read=(broken, lambda _engine, caller, action, what: told.append((caller.name, action, what))),
    )
    with served(tmp_path_factory.mktemp("hooks") / "home", hooks=hooks, full=False) as service:
        client = client_of(service)
        assert client.post("/v1/prompts", json=events()[:2]).json()["accepted"] == 2
        assert client.get("/v1/accounts/a1").status_code == 200
    assert told == [2, ("local", "account", "a1")]


def test_an_account_that_joins_a_coordinated_family_at_ingest_is_an_alert(client: TestClient, family_id: str) -> None:
    client.post(f"/v1/families/{family_id}/verdicts", json={"verdict": "coordinated", "reason": "one template"})
    for number, account in ((9_001, "late1"), (9_002, "late2"), (9_003, "late1")):
        client.post("/v1/prompts", json=[event(number, account, f"{FIXED} a filling that is new, number {number}")])
    first = client.get("/v1/alerts", params={"limit": 1, "family_id": family_id}).json()
    rest = client.get("/v1/alerts", params={"limit": 1, "family_id": family_id, "cursor": first["next_cursor"]}).json()
    alerts = first["alerts"] + rest["alerts"]
    assert [a["account_id"] for a in alerts] == ["late2", "late1"]  # the newest first, each account once
    assert {a["family_id"] for a in alerts} == {family_id}
    assert client.get(f"/v1/prompts/{alerts[1]['prompt_id']}").json()["text"].endswith("number 9001")
    assert rest["next_cursor"] is None
    problem(client.get("/v1/alerts", params={"cursor": first["next_cursor"]}), 400, "bad-cursor")
    assert "promptsim_alerts 2.0" in client.get("/metrics").text
