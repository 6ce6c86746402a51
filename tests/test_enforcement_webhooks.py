"""From the outbox to a receiver: signed, tried again, replayed, and never into the operator's own network."""

from __future__ import annotations

import email.utils
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from store_samples import NO_NETWORKS, found, put, sent
from store_samples import family as a_family

from promptsim.enforcement.addresses import BlockedAddressError, networks, require_url, resolve
from promptsim.enforcement.deliver import GAPS, Outcome, Sender, deliver_due, next_gap
from promptsim.enforcement.webhooks import register, webhook_row
from promptsim.errors import NotFoundError, UsageError
from promptsim.records import Verdict
from promptsim.store.core import EncoderIdentity
from promptsim.store.outbox import MOST_BYTES, Message, Webhook, post
from promptsim.store.store import Store

LOOPBACK = networks("127.0.0.0/8")
CANARY = "canary-4711"
SECOND = 1_000_000


@dataclass
class Receiver:
    """A receiver on loopback: what it got, and what it answers next."""

    url: str = ""
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            state.got.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            status, headers = state.answers.pop(0) if state.answers else (204, {})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}/hook?x=1"
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "home") as opened:
        opened.use_encoder(EncoderIdentity("test", "0", 8))
        put(opened, [sent(i, user=f"{CANARY} {i}") for i in range(4)])
        yield opened


def hook(store: Store, url: str, *types: str) -> Webhook:
    return register(store, url, by="ada", types=types, allow=LOOPBACK)


def run(store: Store, *, flagged: bool = True) -> None:
    """A finished run with one family, whose template quotes prompts."""
    started = store.start_run()
    families = found([replace(a_family(0, template=f"{CANARY} {{1}}"), flagged=flagged)], [(0, 0, 0, 2, 1)])
    store.save_run(replace(started, state="finished", finished=7 * SECOND), families, NO_NETWORKS, covered=4)


def tell(store: Store, number: int = 1) -> None:
    """Something that happens, without a run."""
    with store.database.writing() as connection:
        post(connection, [Message("run.finished", {"run_id": f"r_{number}"}, 5 * SECOND)])


def deliver(store: Store, now: int | None = None) -> int:
    return deliver_due(store, Sender(LOOPBACK), now=now)


def now_us() -> int:
    import time

    return time.time_ns() // 1000


# ------------------------------------------------------------------ what is told
def test_a_run_tells_of_what_is_flagged_now_and_was_not_before(store: Store) -> None:
    run(store)
    run(store)
    run(store, flagged=False)
    told = [json.loads(body)["type"] for _, body in store.messages()][::-1]
    assert told == ["family.flagged", "run.finished", "run.finished", "run.finished"]


def test_a_family_that_a_person_judged_benign_is_not_told_of(store: Store) -> None:
    run(store, flagged=False)
    store.add_verdict(Verdict("v_1", "f_0", "benign", "our own", "ada", 6 * SECOND))
    run(store)
    assert [json.loads(body)["type"] for _, body in store.messages()][::-1] == [
        "run.finished", "family.verdict", "run.finished",
    ]  # fmt: skip


def test_no_message_has_prompt_text_or_a_reviewers_words(store: Store, receiver: Receiver) -> None:
    hook(store, receiver.url)
    run(store)
    store.add_verdict(Verdict("v_1", "f_0", "coordinated", f"they send {CANARY}", "ada", 6 * SECOND))
    while deliver(store):
        pass
    assert len(receiver.got) == 3
    assert not any(CANARY.encode() in body for _, _, body in receiver.got)
    assert all(len(body) < MOST_BYTES for _, _, body in receiver.got)


def test_a_message_that_is_too_large_is_refused_with_what_caused_it(store: Store) -> None:
    with pytest.raises(ValueError, match="bytes"), store.database.writing() as connection:
        post(connection, [Message("run.finished", {"x": "y" * MOST_BYTES}, 0)])
    assert store.messages() == []


def test_a_verdict_and_its_message_are_kept_together_or_not_at_all(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(store)
    before = len(store.messages())
    monkeypatch.setattr("promptsim.store.verdicts.post", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        store.add_verdict(Verdict("v_1", "f_0", "benign", "ours", "ada", 6 * SECOND))
    assert (store.verdicts(), len(store.messages())) == ([], before)


# ------------------------------------------------------------------ how it is sent
def test_a_message_arrives_once_signed_as_standard_webhooks_says(store: Store, receiver: Receiver) -> None:
    made = hook(store, receiver.url)
    tell(store)
    assert (deliver(store), deliver(store)) == (1, 0)
    path, headers, body = receiver.got[0]
    assert path == "/hook?x=1"
    assert made.secret.startswith("whsec_")
    payload = Verifier(made.secret).verify(body, headers)
    assert payload == {"type": "run.finished", "timestamp": "1970-01-01T00:00:05.000Z", "data": {"run_id": "r_1"}}
    assert headers["content-type"] == "application/json"
    assert [d.state for d in store.deliveries()] == ["delivered"]
    with pytest.raises(Exception, match="signature"):
        Verifier(made.secret).verify(body + b" ", headers)


def test_only_the_types_that_were_asked_for_are_sent(store: Store, receiver: Receiver) -> None:
    hook(store, receiver.url, "family.flagged")
    run(store)
    deliver(store)
    assert [json.loads(body)["type"] for _, _, body in receiver.got] == ["family.flagged"]


def test_a_failed_try_is_repeated_under_the_same_id_after_each_gap_and_given_up_after_the_tenth(
    store: Store, receiver: Receiver
) -> None:
    hook(store, receiver.url)
    tell(store)
    receiver.answers = [(500, {})] * 10
    now = now_us()
    for number in range(10):
        assert deliver(store, now) == 1, number
        one = store.deliveries()[0]
        if number < 9:
            gap = (one.due - now) / SECOND
            assert GAPS[number + 1] <= gap <= 1.1 * GAPS[number + 1]
            assert deliver(store, one.due - 1) == 0
            now = one.due
    assert (one.state, one.tries, one.last_status) == ("failed", 10, 500)
    assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 1
    assert len({headers["webhook-timestamp"] for _, headers, _ in receiver.got}) == 10
    assert deliver(store, now + 10**12) == 0


def test_the_gaps_are_those_of_the_standard_with_jitter() -> None:
    assert [next_gap("msg_a", tries) is None for tries in (9, 10)] == [False, True]
    drawn = {next_gap(f"msg_{i}", 3) for i in range(50)}
    assert len(drawn) > 40
    assert all(1800 <= gap <= 1980 for gap in drawn if gap is not None)


def test_retry_after_is_honoured_as_seconds_and_as_a_date_up_to_a_day(store: Store, receiver: Receiver) -> None:
    hook(store, receiver.url)
    tell(store)
    now = now_us() + SECOND
    in_two_hours = email.utils.formatdate(now / SECOND + 7200, usegmt=True)
    receiver.answers = [(429, {"retry-after": "120"}), (503, {"retry-after": in_two_hours})]
    deliver(store, now)
    first = store.deliveries()[0].due
    assert first - now == 120 * SECOND
    deliver(store, first)
    assert abs(store.deliveries()[0].due - now - 7200 * SECOND) <= SECOND
    assert next_gap("m", 1, 10**9) == 24 * 3600


def test_a_redirect_fails_and_is_not_followed(store: Store, receiver: Receiver) -> None:
    hook(store, receiver.url)
    tell(store)
    receiver.answers = [(302, {"location": receiver.url})]
    deliver(store)
    assert len(receiver.got) == 1
    one = store.deliveries()[0]
    assert (one.state, one.last_status, one.last_error) == ("pending", 302, "redirects are not followed")


def test_a_receiver_that_is_gone_is_disabled_with_all_that_was_on_its_way(store: Store, receiver: Receiver) -> None:
    made = hook(store, receiver.url)
    tell(store, 1)
    receiver.answers = [(410, {})]
    deliver(store)
    tell(store, 2)
    assert deliver(store) == 0
    assert (store.webhook(made.webhook_id).disabled is not None, len(receiver.got)) == (True, 1)
    store.enable_webhook(made.webhook_id, by="ada")
    tell(store, 3)
    assert deliver(store) == 1


def test_a_message_can_be_replayed_by_hand_under_its_own_id(store: Store, receiver: Receiver) -> None:
    hook(store, receiver.url)
    tell(store)
    deliver(store)
    message_id = store.messages()[0][0]
    assert store.replay(message_id, by="ada", now=now_us()) == 1
    deliver(store)
    assert [headers["webhook-id"] for _, headers, _ in receiver.got] == [message_id] * 2
    with pytest.raises(NotFoundError):
        store.replay("msg_none", by="ada", now=0)


def test_what_is_not_sent_outlives_a_restart_and_two_couriers_do_not_send_it_twice(
    tmp_path: Path, receiver: Receiver
) -> None:
    with Store.open(tmp_path / "home") as store:
        hook(store, receiver.url)
        tell(store)
    with Store.open(tmp_path / "home") as one, Store.open(tmp_path / "home") as other:
        taken = one.take_due(now=now_us())
        assert len(taken) == 1
        assert deliver(other) == 0  # taken up by the first
        assert deliver(other, now_us() + 600 * SECOND) == 1  # who then died
    assert len(receiver.got) == 1


def test_one_dead_receiver_does_not_hold_up_another(store: Store, receiver: Receiver) -> None:
    dead = hook(store, "http://127.0.0.1:9/")
    hook(store, receiver.url)
    for number in range(8):
        tell(store, number)
    tried: list[str] = []

    def send(_message: str, _body: bytes, webhook: Webhook, _now: int) -> Outcome:
        tried.append(webhook.webhook_id)
        return Outcome(error="down") if webhook.webhook_id == dead.webhook_id else Outcome(200)

    deliver_due(store, send)
    assert 0 < tried.count(dead.webhook_id) <= 5
    assert len(tried) - tried.count(dead.webhook_id) == 5


def test_a_receiver_that_never_ends_its_answer_is_given_up(store: Store) -> None:
    import socket

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        hook(store, f"http://127.0.0.1:{listening.getsockname()[1]}/")
        tell(store)
        deliver_due(store, Sender(LOOPBACK, timeout=0.3))
    assert "no answer" in (store.deliveries()[0].last_error or "") or "Timeout" in (
        store.deliveries()[0].last_error or ""
    )


def test_a_secret_is_shown_once_and_a_webhook_is_refused_for_an_unknown_type(store: Store) -> None:
    made = register(store, "https://example.org/hook", by="ada")
    assert webhook_row(made, secret=True)["secret"] == made.secret
    assert "secret" not in webhook_row(store.webhooks()[0])
    with pytest.raises(UsageError, match=r"family\.deleted"):
        register(store, "https://example.org/hook", by="ada", types=["family.deleted"])
    store.remove_webhook(made.webhook_id, by="ada")
    assert store.webhooks() == []


# ------------------------------------------------------------------ where it is not sent
@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/", "ftp://example.org/", "https://user:pw@example.org/", "https://example.org/#x",
        "https:///x", "https://exa mple.org/", "https://éxample.org/", "https://example.org\\@127.0.0.1/",
        "https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f.0.0.1/", "https://0177.0.0.1/",
        "https://10.0.0.1/", "https://169.254.169.254/latest", "https://192.168.1.1/", "https://100.64.0.1/",
        "https://0.0.0.0/", "https://224.0.0.1/", "https://255.255.255.255/", "https://[::1]/", "https://[fe80::1]/",
        "https://[fd00::1]/", "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/",
        "https://localhost/", "https://db.internal/", "https://example.org:99999/",
    ],
)  # fmt: skip
def test_such_urls_are_refused_when_they_are_registered(url: str, store: Store) -> None:
    with pytest.raises(UsageError):
        register(store, url, by="ada")
    assert store.webhooks() == []


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["93.184.215.14", "10.0.0.1"], ["::1"], ["169.254.169.254"], ["fe80::1%eth0"], []]
)
def test_a_name_that_leads_inside_is_refused_when_it_is_sent_to(addresses: list[str]) -> None:
    with pytest.raises(BlockedAddressError):
        resolve("https://example.org/x", resolver=lambda *_: addresses)


def test_the_address_that_was_looked_at_is_the_one_connected_to(store: Store, receiver: Receiver) -> None:
    asked: list[str] = []

    def rebinding(host: str, _port: int) -> list[str]:
        """A name that gives another address at every look."""
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    port = receiver.url.split(":")[2].split("/")[0]
    hook(store, f"http://hooks.example.org:{port}/x")
    tell(store)
    deliver_due(store, Sender(LOOPBACK, resolver=rebinding))
    assert asked == ["hooks.example.org"]
    assert receiver.got[0][1]["host"] == f"hooks.example.org:{port}"


def test_a_blocked_address_is_a_failed_try_that_says_why(store: Store, receiver: Receiver) -> None:
    hook(store, receiver.url)
    tell(store)
    deliver_due(store, Sender())
    assert receiver.got == []
    assert "https" in (store.deliveries()[0].last_error or "")


def test_only_public_addresses_and_what_the_operator_allows_are_open() -> None:
    target = resolve("https://example.org:8443/a?b=c", resolver=lambda *_: ["93.184.215.14"])
    assert (target.url, target.host_header) == ("https://93.184.215.14:8443/a?b=c", "example.org:8443")
    require_url("http://10.2.3.4/", networks("10.2.0.0/16"))
    with pytest.raises(BlockedAddressError):
        require_url("http://10.3.3.4/", networks("10.2.0.0/16"))
    with pytest.raises(UsageError, match="no list of networks"):
        networks("here")
