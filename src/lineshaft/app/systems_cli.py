"""`lineshaft systems list | pause | resume`."""

from __future__ import annotations

import getpass
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from lineshaft.app.plant_data import read_plant
from lineshaft.app.settings import Settings, SystemSettings, load_settings, store_url
from lineshaft.app.terminal import ConfigOption, JsonOption, known_settings, out, print_json, run_async
from lineshaft.core.clock import SystemClock, rfc3339
from lineshaft.core.errors import ConfigError
from lineshaft.ledger import OPERATOR, Audit, Pause, Pauses
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
    path = known_settings(config)
    settings, _ = load_settings(path)
    paused = _with_pauses(settings, path, lambda pauses: pauses.current())
    if as_json:
        print_json([_told(name, system, paused.get(name)) for name, system in settings.systems.items()])
        return
    table = Table("system", "maintenance", "paused until", "by", "reason")
    for name, system in settings.systems.items():
        pause = paused.get(name)
        told = (_said(pause.until, settings), pause.actor, pause.reason) if pause else ()
        table.add_row(name, "; ".join(map(str, system.policy.maintenance)), *map(escape, told))
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


def _told(name: str, system: SystemSettings, pause: Pause | None) -> dict[str, Any]:
    return {
        "system": name,
        "title": system.title or name,
        "maintenance": [str(window) for window in system.policy.maintenance],
        "paused_until": rfc3339(pause.until) if pause else None,
        "by": pause.actor if pause else "",
        "reason": pause.reason if pause else "",
    }


def _said(moment: datetime, settings: Settings) -> str:
    return f"{moment.astimezone(settings.zone):%Y-%m-%d %H:%M %Z}"


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
    path = known_settings(config)
    settings, _ = load_settings(path)
    system, end = _system(settings, name), _moment(settings, until)
    actor = by or getpass.getuser()

    async def work(pauses: Pauses) -> Pause | None:
        await pauses.pause(system, end, by=actor, reason=reason)
        return (await pauses.current()).get(system)

    pause = _with_pauses(settings, path, work)
    if as_json:
        print_json(_told(system, settings.systems[system], pause))
    else:
        out.print(f"{system} is paused until {_said(end, settings)}", highlight=False)


@systems.command("resume")
def resume_command(
    name: NameOption,
    reason: ReasonOption,
    by: ActorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a pause before its time. What waits for it looks again within five minutes."""
    path = known_settings(config)
    settings, _ = load_settings(path)
    system = _system(settings, name)
    actor = by or getpass.getuser()
    _with_pauses(settings, path, lambda pauses: pauses.resume(system, by=actor, reason=reason))
    if as_json:
        print_json(_told(system, settings.systems[system], None))
    else:
        out.print(f"{system} is not paused", highlight=False)


def _system(settings: Settings, name: str) -> str:
    known = {system.lower(): system for system in settings.systems}
    if name.lower() not in known:
        raise ConfigError(f"there is no system {name!r}", hint=f"known: {', '.join(settings.systems)}")
    return known[name.lower()]


def _moment(settings: Settings, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"--until {text!r} is no time", hint="such as 2026-11-21T14:00Z") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=settings.zone)
    if moment <= SystemClock().now():
        raise ConfigError(f"--until {text} is in the past", hint="give a time to come")
    return moment


def _with_pauses(settings: Settings, path: Path, work: Callable[[Pauses], Awaitable[T]]) -> T:
    async def do() -> T:
        clock, store = SystemClock(), Store.open(store_url(settings, path))
        try:
            return await work(Pauses(store, Audit(OPERATOR, clock), clock))
        finally:
            await store.close()

    return run_async(do())
