"""`lineshaft webhooks list | add | pause | resume | deliveries | redeliver`."""

from __future__ import annotations

import getpass
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from lineshaft.app.settings import load_settings, store_url
from lineshaft.app.terminal import (
    ConfigOption,
    JsonOption,
    known_settings,
    out,
    print_json,
    run_async,
    said_at,
)
from lineshaft.contracts.catalogue import EVENTS
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import ConfigError
from lineshaft.core.ids import new_id
from lineshaft.core.signing import new_secret
from lineshaft.core.subscriptions import DeliveryState, Subscription, SubscriptionState
from lineshaft.gateway.destinations import Destinations
from lineshaft.gateway.events.subscriptions import NewSubscription, subscription_findings
from lineshaft.ledger import OPERATOR, Audit
from lineshaft.ledger.subscriptions import Book
from lineshaft.store import Store

__all__ = ["webhooks"]

T = TypeVar("T")
webhooks = typer.Typer(help="Who is told of events by webhooks, and what became of it.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="Name or id of a subscription.")]
ReasonOption = Annotated[str, typer.Option(help="Why; it is kept in the audit.")]
ActorOption = Annotated[str, typer.Option("--by", help="Who decides this; default: your login.")]


@webhooks.command("list")
def list_command(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """The subscriptions, and why one that is not active is not."""
    found = _with_book(config, lambda book: book.listing())
    if as_json:
        print_json(found)
        return
    table = Table("name", "account", "state", "events", "url", "cause")
    for each in found:
        told = (each.name, each.account, each.state, ", ".join(each.types), each.url, each.cause)
        table.add_row(*map(escape, told))
    out.print(table)


@webhooks.command("add")
def add_command(
    name: Annotated[str, typer.Argument(help="A new name: a-z, 0-9, - and _.")],
    url: Annotated[str, typer.Option(help="Where to; its host is declared under `outgoing.hosts`.")],
    types: Annotated[list[str], typer.Option("--type", help="An event type, or a beginning with *.")],
    reason: ReasonOption,
    account: Annotated[str, typer.Option(help="Of the access file: whose limits and fields apply.")] = "",
    subject: Annotated[str, typer.Option(help="Only events of this one.")] = "",
    plants: Annotated[list[str] | None, typer.Option("--plant", help="Default: this node's.")] = None,
    owner: Annotated[str, typer.Option(help="The desk for what cannot be delivered.")] = "integration",
    by: ActorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell a new one from now on. Its secret is printed here and nowhere else."""
    settings, _ = load_settings(known_settings(config))
    given = {"name": name, "url": url, "types": types, "subject": subject, "owner": owner}
    try:
        wanted = msgspec.convert(given | {"plants": plants or [settings.plant]}, NewSubscription)
    except msgspec.ValidationError as error:
        raise ConfigError(f"this subscription cannot be made: {error}") from error
    destinations = Destinations(settings.outgoing.hosts)
    if findings := subscription_findings(wanted, destinations, EVENTS):
        raise ConfigError("this subscription cannot be made", findings=findings)
    secret = new_secret()
    made = Subscription(
        subscription_id=new_id(),
        name=name,
        account=account or name,
        url=url,
        types=types,
        subject=subject,
        plants=wanted.plants,
        owner=owner,
    )
    actor = by or getpass.getuser()
    _with_book(config, lambda book: book.add(made, secret, by=actor, reason=reason))
    if as_json:
        print_json({"name": name, "subscription_id": made.subscription_id, "secret": secret})
    else:
        out.print(f"{name} is told from now on; its secret: {secret}", highlight=False, soft_wrap=True)


@webhooks.command("pause")
def pause_command(
    name: NameArgument,
    reason: ReasonOption,
    by: ActorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell it nothing for now; what happens meanwhile waits."""
    _change(name, SubscriptionState.PAUSED, reason, by, config, as_json=as_json)


@webhooks.command("resume")
def resume_command(
    name: NameArgument,
    reason: ReasonOption,
    by: ActorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on where it stopped, also after its endpoint was given up or gone."""
    _change(name, SubscriptionState.ACTIVE, reason, by, config, as_json=as_json)


@webhooks.command("deliveries")
def deliveries_command(
    name: NameArgument,
    state: Annotated[str, typer.Option(help=f"One of {', '.join(DeliveryState)}; default: all.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """What it was told and what waits, the newest first."""
    if state and state not in tuple(DeliveryState):
        raise ConfigError(f"--state {state!r} is none", hint=f"one of {', '.join(DeliveryState)}")
    settings, _ = load_settings(known_settings(config))
    rows = _with_book(config, lambda book: book.deliveries(name, state=state, limit=limit))
    if as_json:
        print_json(rows)
        return
    table = Table("delivery", "event", "state", "attempts", "answer", "since", "error")
    for row in rows:
        answer = str(row["status"] or "-")
        since = said_at(str(row["created_at"]), settings.zone)
        told = (
            row["delivery_id"],
            row["event_id"],
            row["state"],
            row["attempts"],
            answer,
            since,
            row["error"],
        )
        table.add_row(*(escape(str(each)) for each in told))
    out.print(table)


@webhooks.command("redeliver")
def redeliver_command(
    name: NameArgument,
    reason: ReasonOption,
    ids: Annotated[list[str] | None, typer.Argument(help="Deliveries; none: all that failed.")] = None,
    by: ActorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell it again, delivered or not; the message has the same webhook-id. A node that runs sends it."""
    actor = by or getpass.getuser()
    again = _with_book(config, lambda book: book.redeliver(name, ids or [], by=actor, reason=reason))
    if as_json:
        print_json({"waiting": again})
    else:
        out.print(f"{len(again)} of {name} wait to be told again", highlight=False)


def _change(
    name: str, state: SubscriptionState, reason: str, by: str, config: Path | None, *, as_json: bool
) -> None:
    actor = by or getpass.getuser()
    changed = _with_book(config, lambda book: book.change(name, state, by=actor, reason=reason))
    if as_json:
        print_json(changed)
    else:
        out.print(f"{changed.name} is {changed.state}", highlight=False)


def _with_book(config: Path | None, work: Callable[[Book], Awaitable[T]]) -> T:
    path = known_settings(config)
    settings, _ = load_settings(path)

    async def do() -> T:
        clock, store = SystemClock(), Store.open(store_url(settings, path))
        try:
            return await work(Book(store, Audit(OPERATOR, clock), clock))
        finally:
            await store.close()

    return run_async(do())
