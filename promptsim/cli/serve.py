"""`promptsim serve` and `promptsim keys`: the service, and who may call it."""

from __future__ import annotations

import gc
import ipaddress
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptsim import settings
from promptsim.cli.options import HomeOption, JsonOption, ModelOption, WordingModelOption
from promptsim.cli.output import day, print_json, say, table, tell
from promptsim.errors import UsageError

if TYPE_CHECKING:
    from promptsim.store.access import AccessKey
    from promptsim.store.store import Store

RATE_LIMIT = "200/second"
GRACE_SECONDS = 10  # for answers under way when the server is stopped
keys = typer.Typer(help="Keys of the service: create, list, revoke.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.command("serve")(serve)
    app.add_typer(keys, name="keys")


def serve(
    host: Annotated[str, typer.Option("--host", metavar="H", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="P", min=0, max=65535, help="0 takes any free port.")] = 8080,
    cluster_every: Annotated[
        str | None, typer.Option("--cluster-every", metavar="1h|CRON", help="Cluster on this schedule (cron in UTC).")
    ] = None,
    rate_limit: Annotated[
        str, typer.Option("--rate-limit", metavar="N/UNIT", help="Requests of one key.")
    ] = RATE_LIMIT,
    home: HomeOption = None,
    model: ModelOption = None,
    wording_model: WordingModelOption = None,
) -> None:
    """Serve the API and the review page over one home.

    Ctrl-C ends it gracefully.

    Example: promptsim serve --port 8080 --cluster-every 1h
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # searches go side by side: one that spreads makes the others wait
    gc.disable()  # a sixth of the start would be spent on looking for garbage among modules; `run` turns it on
    try:
        from promptsim.cli.server import run

        chosen = settings.load(home, model, wording_model)
        run(chosen, host=host, port=port, cluster_every=cluster_every, rate_limit=rate_limit)
    finally:
        gc.enable()


def require_keys_or_loopback(host: str, has_keys: bool) -> None:
    """Without keys nobody else may reach the server."""
    if has_keys or is_loopback(host):
        return
    raise UsageError(
        f"--host {host}: without keys the server listens on this machine only (127.0.0.1);"
        " make one first, e.g. promptsim keys create alice --role admin"
    )


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


# ---------------------------------------------------------------- keys
@keys.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key; verdicts are signed with it.")],
    role: Annotated[str, typer.Option("--role", metavar="R", help="ingest, search, review or admin.")] = "search",
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Make a key and show it once: only a hash is kept. Each role may do what those before it may.

    Example: promptsim keys create alice --role review
    """
    with _store(home, create=True) as store:
        made, token = store.create_access_key(name, role)
    if json:
        print_json({**_row(made), "key": token})
        return
    print(token)
    say(f"{made.key_id}: {made.role} key of {made.name}. This is the only time it is shown.")


@keys.command("list")
def list_keys(home: HomeOption = None, json: JsonOption = False) -> None:
    """Every key ever made, without the keys themselves.

    Example: promptsim keys list
    """
    with _store(home) as store:
        made = store.access_keys()
    if json:
        print_json([_row(key) for key in made])
        return
    columns = [("key", "left"), ("name", "wrap"), ("role", "left"), ("created", "left"), ("revoked", "left")]
    rows = [[k.key_id, k.name, k.role, day(k.created), "" if k.revoked is None else day(k.revoked)] for k in made]
    table(columns, rows)


@keys.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="The id that `keys list` shows.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """End a key for good, at once for a running server too.

    Example: promptsim keys revoke k_0123456789ab
    """
    with _store(home) as store:
        ended = store.revoke_access_key(key_id)
    tell(json, _row(ended), f"{ended.key_id} of {ended.name} is revoked")


def _store(home: Path | None, *, create: bool = False) -> Store:
    from promptsim.store.store import Store

    return Store.open(settings.load(home).home, create=create)


def _row(key: AccessKey) -> dict[str, object]:
    from promptsim.contract import rfc3339

    revoked = None if key.revoked is None else rfc3339(key.revoked)
    fields = {"key_id": key.key_id, "name": key.name, "role": key.role}
    return {**fields, "created": rfc3339(key.created), "revoked": revoked}
