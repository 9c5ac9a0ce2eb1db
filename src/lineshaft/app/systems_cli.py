"""`lineshaft systems list | pause | resume`."""

from __future__ import annotations

import getpass
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from lineshaft.app.plant_data import read_plant
from lineshaft.app.settings import Settings, load_settings, store_url
from lineshaft.app.system_pauses import SystemPauses, said_moment
from lineshaft.app.terminal import ConfigOption, JsonOption, known_settings, out, print_json, run_async
from lineshaft.core.clock import SystemClock
from lineshaft.ledger import OPERATOR, Audit, Pauses
from lineshaft.store import Store

__all__ = ["systems"]

T = TypeVar("T")
systems = typer.Typer(help="Connected systems, and when they are not to be called.", no_args_is_help=True)

NameOption = Annotated[str, typer.Argument(help="A system's name in the settings.")]
ReasonOption = Annotated[str, typer.Option(help="Why; it is kept in the audit.")]
ActorOption = Annotated[str, typer.Option("--by", help="Who decides this; default: your login.")]


@systems.command("list")
def list_command(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """The systems, their maintenance windows, and which of them are paused."""
    rows, settings = _with_pauses(config, lambda pauses: pauses.listing())
    if as_json:
        print_json(rows)
        return
    table = Table("system", "maintenance", "paused until", "by", "reason")
    for row in rows:
        until = row["paused_until"]
        told = (said_moment(until, settings), row["by"], row["reason"]) if until else ()
        table.add_row(row["system"], "; ".join(row["maintenance"]), *map(escape, told))
    out.print(table)


@systems.command("authority")
def authority_command(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Which system masters which entity, and which fields of it another one masters.

    `authority` in the settings names other masters. What no connected system masters, only processes change.
    """
    masters = read_plant(known_settings(config), SystemClock()).authority.matrix()
    if as_json:
        print_json([msgspec.structs.asdict(master) for master in masters])
        return
    table = Table("entity", "field", "master", "usually")
    for master in masters:
        said = ", ".join(master.systems) or "[dim]not connected[/]"
        table.add_row(master.entity, master.field or "[dim]the others[/]", said, master.kind)
    out.print(table)


@systems.command("pause")
def pause_command(
    name: NameOption,
    until: Annotated[
        str, typer.Option(help="2026-11-21T14:00Z; without an offset: in the plant's time zone.")
    ],
    reason: ReasonOption,
    by: ActorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send the system nothing until then; what is under way may finish. Nodes follow within two seconds."""
    actor = by or getpass.getuser()
    told, settings = _with_pauses(config, lambda pauses: pauses.pause(name, until, by=actor, reason=reason))
    if as_json:
        print_json(told)
    else:
        said = said_moment(told["paused_until"], settings)
        out.print(f"{told['system']} is paused until {said}", highlight=False)


@systems.command("resume")
def resume_command(
    name: NameOption,
    reason: ReasonOption,
    by: ActorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a pause before its time. What waits for it looks again within five minutes."""
    actor = by or getpass.getuser()
    told, _ = _with_pauses(config, lambda pauses: pauses.resume(name, by=actor, reason=reason))
    if as_json:
        print_json(told)
    else:
        out.print(f"{told['system']} is not paused", highlight=False)


def _with_pauses(config: Path | None, work: Callable[[SystemPauses], Awaitable[T]]) -> tuple[T, Settings]:
    path = known_settings(config)
    settings, _ = load_settings(path)

    async def do() -> T:
        clock, store = SystemClock(), Store.open(store_url(settings, path))
        try:
            pauses = Pauses(store, Audit(OPERATOR, clock), clock)
            return await work(SystemPauses(settings, pauses, clock))
        finally:
            await store.close()

    return run_async(do()), settings
