"""Settings → a listening server: the one place where the API, the page, webhooks and hooks are put together."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
from contextlib import closing, nullcontext, suppress
from dataclasses import replace

import uvicorn
from fastapi import APIRouter

from promptsim.api import webhooks
from promptsim.api.app import create_app
from promptsim.cli.output import say
from promptsim.cli.serve import GRACE_SECONDS, require_keys_or_loopback
from promptsim.enforcement.addresses import networks
from promptsim.enforcement.beside import Enforcement
from promptsim.errors import UsageError
from promptsim.jobs import Schedule, parse_schedule
from promptsim.service import Caller, Hooks, Service
from promptsim.settings import Settings, webhook_allow
from promptsim.web.desk import Person
from promptsim.web.router import create_router

BACKLOG = 512


def routers(service: Service) -> list[APIRouter]:
    """What is served beside the API: webhooks, and the page."""
    return [webhooks.router, page(service)]


def page(service: Service) -> APIRouter:
    """The page over the same engine, with the same keys; what it shows of prompts is noted as the API notes it."""

    def note_read(person: Person, action: str, what: str) -> None:
        service.read(Caller(person.name, person.role, person.key_id), action, what)

    return create_router(lambda: nullcontext(service.engine), service.caller, service.engine.secret, note_read)


def hooks() -> Hooks:
    """What happens after ingest, a run or a read: enforcement and the audit log add theirs here."""
    return Hooks()


def run(chosen: Settings, *, host: str, port: int, cluster_every: str | None, rate_limit: str) -> None:
    """Serve until a signal; what was accepted is answered, child processes end, the home is closed."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    for chatty in ("apscheduler", "httpx2"):  # a webhook's address may hold a secret of the receiver's
        logging.getLogger(chatty).setLevel(logging.WARNING)
    schedule = parse_schedule(cluster_every) if cluster_every else None
    listening = _bound(host, port)
    allow = networks(webhook_allow())
    with (
        listening,
        closing(_open(chosen, schedule)) as service,
        closing(Enforcement(service.engine.store, allow=allow)) as enforcement,
    ):
        service.hooks = replace(service.hooks, after_read=(*service.hooks.after_read, enforcement.after_read))
        has_keys = service.engine.has_keys()
        require_keys_or_loopback(host, has_keys)
        app = create_app(service, rate_limit=rate_limit, extra_routers=routers(service))
        listening.listen(BACKLOG)  # whoever reads the next line may connect
        address = f"http://{_shown(host)}:{listening.getsockname()[1]}"
        say(f"serving {chosen.home} at {address}" + (f", clustering on {schedule.text!r}" if schedule else ""))
        if not has_keys:
            say("no keys: everyone on this machine may do everything; `promptsim keys create` makes the first one")
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, lifespan="off", backlog=BACKLOG,
            timeout_graceful_shutdown=GRACE_SECONDS, timeout_keep_alive=30,
        )  # fmt: skip
        gc.freeze()  # what is loaded by now stays: collections pass it over
        gc.enable()
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # uvicorn raises the signal again when it is done
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])
        say("stopped")


def _open(chosen: Settings, schedule: Schedule | None) -> Service:
    return Service.open(
        chosen.home, model=chosen.model, wording_model=chosen.wording_model, schedule=schedule, hooks=hooks()
    )


def _bound(host: str, port: int) -> socket.socket:
    """A bound socket, before anything is opened: a port that is taken is said at once. uvicorn listens on it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # with the protocol named, asyncio sets TCP_NODELAY: without it each answer waits 40 ms for an acknowledgement
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host.strip("[]"), port))
    except OSError as error:
        listening.close()
        raise UsageError(f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}") from None
    listening.set_inheritable(False)
    return listening


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
