"""`lineshaft exceptions list | show | fix | redrive | discard | assign`."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Awaitable, Callable
from datetime import tzinfo
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from msgspec.structs import replace
from rich.markup import escape
from rich.table import Table

from lineshaft.app.access import access_of
from lineshaft.app.assignees import must_be_known, people_of
from lineshaft.app.exceptions_view import print_exception, print_redriven
from lineshaft.app.settings import load_settings
from lineshaft.app.terminal import (
    ConfigOption,
    JsonOption,
    known_settings,
    out,
    print_json,
    run_async,
    said_at,
)
from lineshaft.app.workbench import open_workbench
from lineshaft.core.asked_times import asked_span
from lineshaft.core.errors import ConfigError
from lineshaft.core.exceptions import NOBODY, Chosen
from lineshaft.ledger import Verdict, Workbench

__all__ = ["exceptions"]

T = TypeVar("T")
exceptions = typer.Typer(help="What went wrong, and what people do about it.", no_args_is_help=True)

By = StrEnum("By", ["CAUSE", "PATTERN", "OWNER", "ASSIGNEE", "PLANT", "KIND"])
State = StrEnum("State", ["OPEN", "REDRIVEN", "RESOLVED", "DISCARDED", "ALL"])

IdOption = Annotated[str, typer.Argument(help="The exception's id, or how it begins.")]
IdsOption = Annotated[list[str] | None, typer.Argument(help="Ids of exceptions, or how they begin.")]
AllOption = Annotated[bool, typer.Option("--all", help="All open ones that the filters choose.")]
OwnerOption = Annotated[str, typer.Option(help="Only of this desk.")]
PlantOption = Annotated[str, typer.Option(help="Only of this plant.")]
KindOption = Annotated[str, typer.Option(help="Only of this kind, such as contract_violation.")]
SourceOption = Annotated[str, typer.Option(help="Only where the source contains this.")]
AssigneeOption = Annotated[str, typer.Option(help=f"Only of this person; {NOBODY}: of nobody yet.")]
SinceOption = Annotated[str, typer.Option(help="Only last seen then or after: 2026-03-02T06:00Z, or a day.")]
UntilOption = Annotated[str, typer.Option(help="Only last seen before then, or on this day at the latest.")]
ReasonOption = Annotated[str, typer.Option(help="Why; it is kept in the audit.")]
ActorOption = Annotated[str, typer.Option("--by", help="Who decides this; default: your login.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]


@exceptions.command("list")
def list_command(
    by: Annotated[By | None, typer.Option(help="Count them by this.")] = None,
    state: Annotated[State, typer.Option(help="How far they have come.")] = State.OPEN,
    owner: OwnerOption = "",
    plant: PlantOption = "",
    kind: KindOption = "",
    source: SourceOption = "",
    assignee: AssigneeOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The newest so many.")] = 50,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """What a person has to look at, the newest first."""
    path = known_settings(config)
    zone = load_settings(path)[0].zone
    filtered = _filtered(zone, owner, plant, kind, source, assignee, since, until)
    chosen = replace(filtered, state="" if state is State.ALL else state)

    async def ask(workbench: Workbench) -> list[dict[str, Any]]:
        return await (workbench.group(chosen, by) if by else workbench.listing(chosen, limit))

    found = _with_workbench(path, ask)
    if as_json:
        print_json(found)
        return
    table = Table(
        *(
            ["exceptions", "seen", by, "last"]
            if by
            else ["id", "last", "seen", "kind", "owner", "assignee", "cause"]
        )
    )
    for row in found:
        at = said_at(row["last_at"], zone)
        if by:
            table.add_row(str(row["exceptions"]), str(row["seen"]), escape(row[by]), at)
        else:
            told = (row["kind"], row["owner"], row["assignee"], f"{row['source']}: {row['cause']}")
            table.add_row(row["exception_id"][:13], at, str(row["count"]), *map(escape, told))
    out.print(table)


@exceptions.command("show")
def show_command(exception_id: IdOption, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Everything that is known of one: payload, what is wrong with it, what was done, the next step."""
    path = known_settings(config)
    found = _with_workbench(path, lambda workbench: workbench.show(exception_id))
    if as_json:
        print_json(found)
        return
    print_exception(found, load_settings(path)[0].zone)


@exceptions.command("fix")
def fix_command(
    exception_id: IdOption,
    payload: Annotated[str, typer.Option(help="File with a whole payload; - reads standard input.")] = "",
    values: Annotated[
        list[str] | None, typer.Option("--set", help="path=value in the payload, a.0.b=3. Repeatable.")
    ] = None,
    reason: ReasonOption = "",
    by: ActorOption = "",
    dry_run: DryRunOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep a corrected payload beside the original one, if it passes its contract. Exit code 0 or 1."""
    if bool(payload) == bool(values):
        raise ConfigError("what is to be fixed?", hint="give one of --payload FILE and --set path=value")
    given = _read(payload) if payload else None
    fixed = _with_workbench(
        known_settings(config),
        lambda workbench: workbench.fix(
            exception_id,
            payload=given,
            values=values or (),
            by=by or getpass.getuser(),
            reason=reason,
            dry_run=dry_run,
        ),
    )
    if as_json:
        print_json(fixed)
    else:
        for finding in fixed.findings:
            out.print(f"[red]finding[/] {escape(finding)}", highlight=False, soft_wrap=True)
        if fixed.revision:
            out.print(f"[green]kept[/] as revision {fixed.revision}; redrive it now", highlight=False)
        elif not fixed.findings:
            out.print("[green]ok[/] the payload passes its contract; nothing was kept")
    raise typer.Exit(1 if fixed.findings else 0)


@exceptions.command("redrive")
def redrive_command(
    ids: IdsOption = None,
    all_of_them: AllOption = False,
    owner: OwnerOption = "",
    plant: PlantOption = "",
    kind: KindOption = "",
    source: SourceOption = "",
    assignee: AssigneeOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    reason: ReasonOption = "",
    by: ActorOption = "",
    wait: Annotated[
        float, typer.Option(min=0, max=3600, help="Seconds to wait for what comes of it.")
    ] = 30.0,
    dry_run: DryRunOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send them on their way again, in the order in which they happened, and say what came of it.

    Exit code 0 when all have posted (or with --dry-run would be sent), else 1.
    """
    path = known_settings(config)
    chosen = _chosen(path, ids, all_of_them, owner, plant, kind, source, assignee, since, until)
    told = _with_workbench(
        path,
        lambda workbench: workbench.redrive(
            chosen, by=by or getpass.getuser(), reason=reason, dry_run=dry_run, wait_s=wait
        ),
        sends=not dry_run,
    )
    if as_json:
        print_json(told)
    else:
        for each in told:
            print_redriven(each)
        out.print(f"{len(told)} exception(s)")
    good = (Verdict.POSTED, Verdict.WOULD)
    raise typer.Exit(0 if all(each.verdict in good for each in told) else 1)


@exceptions.command("discard")
def discard_command(
    ids: IdsOption = None,
    all_of_them: AllOption = False,
    owner: OwnerOption = "",
    plant: PlantOption = "",
    kind: KindOption = "",
    source: SourceOption = "",
    assignee: AssigneeOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    reason: ReasonOption = "",
    by: ActorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close what need not be done. Nothing is sent; a process that is parked stays parked."""
    path = known_settings(config)
    chosen = _chosen(path, ids, all_of_them, owner, plant, kind, source, assignee, since, until)
    closed = _with_workbench(
        path, lambda workbench: workbench.discard(chosen, by=by or getpass.getuser(), reason=reason)
    )
    if as_json:
        print_json({"discarded": closed})
    else:
        out.print(f"{len(closed)} exception(s) discarded")


@exceptions.command("assign")
def assign_command(
    to: Annotated[str, typer.Option(help='Who looks after them; "": nobody.')],
    ids: IdsOption = None,
    all_of_them: AllOption = False,
    owner: OwnerOption = "",
    plant: PlantOption = "",
    kind: KindOption = "",
    source: SourceOption = "",
    assignee: AssigneeOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    reason: ReasonOption = "",
    by: ActorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say who looks after them: a person's account, where there is an access file. It needs no reason."""
    path = known_settings(config)
    chosen = _chosen(path, ids, all_of_them, owner, plant, kind, source, assignee, since, until)
    access = access_of(load_settings(path)[0], path)
    must_be_known(to, people_of(access) if access else None)
    given = _with_workbench(
        path, lambda workbench: workbench.assign(chosen, to, by=by or getpass.getuser(), reason=reason)
    )
    if as_json:
        print_json({"assigned": given, "to": to})
    else:
        out.print(f"{len(given)} exception(s) assigned to {escape(to) or 'nobody'}", highlight=False)


def _with_workbench(path: Path, ask: Callable[[Workbench], Awaitable[T]], *, sends: bool = False) -> T:
    async def work() -> T:
        async with open_workbench(path, sends=sends) as workbench:
            return await ask(workbench)

    return run_async(work())


def _chosen(
    path: Path,
    ids: list[str] | None,
    all_of_them: bool,
    owner: str,
    plant: str,
    kind: str,
    source: str,
    assignee: str,
    since: str,
    until: str,
) -> Chosen:
    if bool(ids) == all_of_them:
        raise ConfigError("which exceptions?", hint="give their ids, or --all with filters")
    if ids and any((owner, plant, kind, source, assignee, since, until)):
        raise ConfigError("filters choose among all; ids are chosen already", hint="leave one of both away")
    zone = load_settings(path)[0].zone
    filtered = _filtered(zone, owner, plant, kind, source, assignee, since, until)
    return replace(filtered, ids=ids or ())


def _filtered(
    zone: tzinfo, owner: str, plant: str, kind: str, source: str, assignee: str, since: str, until: str
) -> Chosen:
    chosen = Chosen(owner=owner, plant=plant, kind=kind, source=source, assignee=assignee)
    return replace(chosen, **asked_span(since, until, zone))


def _read(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise ConfigError(f"the payload {name} cannot be read: {error.strerror}") from error
