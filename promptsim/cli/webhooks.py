"""`promptsim webhooks`: where messages are sent, how far each is, and sending one again."""

from __future__ import annotations

import getpass
import time
from typing import Annotated

import typer

from promptsim import settings
from promptsim.cli.options import HomeOption, JsonOption, LimitOption, open_engine
from promptsim.cli.output import number, print_json, say, table, tell

webhooks = typer.Typer(help="Webhooks: add, list, remove, deliver, messages, replay.", no_args_is_help=True)
ByOption = Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who decides this.")]


def register(app: typer.Typer) -> None:
    app.add_typer(webhooks, name="webhooks")


@webhooks.command("add")
def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="https, at a public address.")],
    types: Annotated[list[str] | None, typer.Option("--type", metavar="TYPE", help="Repeatable; else all.")] = None,
    by: ByOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Add a webhook and show its signing secret, once.

    Example: promptsim webhooks add https://example.org/hook --type family.flagged
    """
    from promptsim.enforcement.addresses import networks
    from promptsim.enforcement.webhooks import register as add_webhook
    from promptsim.enforcement.webhooks import webhook_row

    allow = networks(settings.webhook_allow())
    with open_engine(home) as engine:
        made = add_webhook(engine.store, url, by=by or getpass.getuser(), types=types or (), allow=allow)
    if json:
        print_json(webhook_row(made, secret=True))
        return
    print(made.secret)
    say(f"{made.webhook_id} added. This is the only time that its secret is shown.")


@webhooks.command("list")
def list_webhooks(home: HomeOption = None, json: JsonOption = False) -> None:
    """All webhooks, without their secrets.

    Example: promptsim webhooks list
    """
    from promptsim.enforcement.webhooks import webhook_row

    with open_engine(home) as engine:
        found = engine.store.webhooks()
    if json:
        print_json([webhook_row(each) for each in found])
        return
    columns = [("webhook", "left"), ("url", "wrap"), ("types", "wrap"), ("disabled", "wrap")]
    table(columns, [[w.webhook_id, w.url, ", ".join(w.types) or "all", w.why_disabled or ""] for w in found])


@webhooks.command("remove")
def remove(
    webhook_id: Annotated[str, typer.Argument(metavar="ID")],
    by: ByOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Remove a webhook, with what was on its way to it.

    Example: promptsim webhooks remove wh_0123456789abcdef
    """
    with open_engine(home) as engine:
        engine.store.remove_webhook(webhook_id, by=by or getpass.getuser())
    tell(json, {"webhook_id": webhook_id, "removed": True}, f"{webhook_id} removed")


@webhooks.command("enable")
def enable(
    webhook_id: Annotated[str, typer.Argument(metavar="ID")],
    by: ByOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Send to a disabled webhook again.

    Example: promptsim webhooks enable wh_0123456789abcdef
    """
    with open_engine(home) as engine:
        engine.store.enable_webhook(webhook_id, by=by or getpass.getuser())
    tell(json, {"webhook_id": webhook_id, "enabled": True}, f"{webhook_id} enabled")


@webhooks.command("messages")
def messages(limit: LimitOption = 50, home: HomeOption = None, json: JsonOption = False) -> None:
    """What was sent, or is on its way, of the newest messages first.

    Example: promptsim webhooks messages --limit 20
    """
    from promptsim.enforcement.webhooks import delivery_row

    with open_engine(home) as engine:
        found = engine.store.deliveries(limit=limit)
    if json:
        print_json([delivery_row(each) for each in found])
        return
    columns = [
        ("message", "left"),
        ("type", "left"),
        ("to", "left"),
        ("state", "left"),
        ("tries", "right"),
        ("", "wrap"),
    ]
    rows = [[d.message_id, d.type, d.webhook_id, d.state, str(d.tries), d.last_error or ""] for d in found]
    table(columns, rows)


@webhooks.command("replay")
def replay(
    message_id: Annotated[str, typer.Argument(metavar="ID")],
    by: ByOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Send a message again, under its own id, with the next delivery.

    Example: promptsim webhooks replay msg_…
    """
    with open_engine(home) as engine:
        sent = engine.store.replay(message_id, by=by or getpass.getuser(), now=time.time_ns() // 1000)
    row = {"message_id": message_id, "webhooks": sent}
    tell(json, row, f"{message_id} is due again for {number(sent)} webhooks")


@webhooks.command("deliver")
def deliver(home: HomeOption = None, json: JsonOption = False) -> None:
    """Send what is due now, once each; `promptsim serve` does so all the time.

    Example: promptsim webhooks deliver
    """
    from promptsim.enforcement.addresses import networks
    from promptsim.enforcement.deliver import Sender, deliver_due

    sender = Sender(networks(settings.webhook_allow()))
    tried = 0
    with open_engine(home) as engine:
        while done := deliver_due(engine.store, sender):
            tried += done
        left = engine.store.outbox_depth()
    row = {"tries": tried, "left": left}
    tell(json, row, f"{number(tried)} tries; {number(left)} deliveries are still to be made")
