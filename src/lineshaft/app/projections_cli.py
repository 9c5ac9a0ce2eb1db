"""`lineshaft projections status | rebuild`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import msgspec
import typer
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
from lineshaft.ledger.projections import Projections, ProjectionStatus, status_of
from lineshaft.store import Store

__all__ = ["projections"]

T = TypeVar("T")
projections = typer.Typer(
    help="What consumer APIs read: rows that events keep up to date.", no_args_is_help=True
)


@projections.command("status")
def status_command(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Rows, how far they are, and how far that is behind the event log."""
    path = known_settings(config)
    settings, _ = load_settings(path)
    clock = SystemClock()
    status = run_async(_with_store(store_url(settings, path), lambda store: status_of(store, clock)))
    if as_json:
        print_json(msgspec.structs.asdict(status))
        return
    _show(status, said_at(status.complete_to, settings.zone))


@projections.command("rebuild")
def rebuild_command(
    keep: Annotated[
        bool, typer.Option("--keep", help="Rows stay, and what the event log has is applied to them again.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make every row anew from the event log; a running node goes on meanwhile.

    What retention has removed from the event log is missing afterwards, unless rows are kept.
    """
    path = known_settings(config)
    settings, _ = load_settings(path)
    clock = SystemClock()
    applied = run_async(
        _with_store(
            store_url(settings, path), lambda store: Projections(store, EVENTS, clock).rebuild(keep=keep)
        )
    )
    if as_json:
        print_json({"applied": applied, "kept": keep})
    else:
        out.print(f"[green]ok[/] {applied} events applied")


async def _with_store(url: str, work: Callable[[Store], Awaitable[T]]) -> T:
    store = Store.open(url)
    try:
        return await work(store)
    finally:
        await store.close()


def _show(status: ProjectionStatus, complete_to: str) -> None:
    table = Table("projection", "rows")
    for name, count in status.rows.items():
        table.add_row(name, str(count))
    out.print(table)
    done = f"applied up to {complete_to}" if complete_to else "nothing applied yet"
    if status.rebuilding:
        done += ", being made anew"
    behind = "up to date"
    if status.behind_events:
        behind = f"[bold red]{status.behind_events} events and {status.behind_s:.0f} s behind[/]"
    out.print(f"{done}, {behind}", highlight=False)
