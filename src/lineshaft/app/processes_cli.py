"""`lineshaft processes list | show | retry | correct | skip | abort | cancel | fork | migrate | …`."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from lineshaft.app.node_address import node_runs
from lineshaft.app.processes_view import print_listed, print_shown
from lineshaft.app.retention import archive_of
from lineshaft.app.settings import data_dir, load_settings, store_url
from lineshaft.app.steering import Steering, open_steering
from lineshaft.app.terminal import ConfigOption, JsonOption, known_settings, out, print_json, run_async
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import ConfigError
from lineshaft.processes.archive import Swept
from lineshaft.processes.listing import Asked, cursor_of
from lineshaft.processes.records import FINISHED, ProcessState
from lineshaft.store import Store

__all__ = ["processes"]

processes = typer.Typer(help="Instances of processes: see them, and steer them.", no_args_is_help=True)

_BECOMES = {"abort": "is being aborted", "cancel": "is being cancelled", "fork": "stays as it is"}


class State(StrEnum):
    """`ProcessState`, and some of them together."""

    ALL = "all"
    OPEN = "open"
    FINISHED = "finished"
    RUNNING = ProcessState.RUNNING
    WAITING = ProcessState.WAITING
    RETRYING = ProcessState.RETRYING
    PARKED = ProcessState.PARKED
    COMPLETED = ProcessState.COMPLETED
    ABORTED = ProcessState.ABORTED
    CANCELLED = ProcessState.CANCELLED
    TERMINATED = ProcessState.TERMINATED


RefOption = Annotated[str, typer.Argument(help="Its id or business key, or how one of both begins.")]
ReasonOption = Annotated[str, typer.Option(help="Why; it is kept in the history and the audit.")]
ActorOption = Annotated[str, typer.Option("--by", help="Who decides this; default: your login.")]
ValueOption = Annotated[str, typer.Option(help="JSON, or @FILE, or - for standard input.")]
RoleOption = Annotated[str, typer.Option(help="For which role this is decided.")]
StepOption = Annotated[str, typer.Option(help="Path of the step, where several are open.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]


@processes.command("list")
def list_command(
    state: Annotated[State, typer.Option(help="How far they are.")] = State.ALL,
    type: Annotated[str, typer.Option(help="Only of this process, such as corrective_maintenance.")] = "",
    owner: Annotated[str, typer.Option(help="Only those parked with this desk.")] = "",
    key: Annotated[
        str, typer.Option(help="Only with this business key, how it begins, or a key that started them.")
    ] = "",
    waiting_for: Annotated[
        str, typer.Option(help="Only those at this event type, operation, role or key of an event.")
    ] = "",
    plant: Annotated[str, typer.Option(help="Only those of this plant.")] = "",
    since: Annotated[
        str, typer.Option(help="Only those started then or after, e.g. 2026-03-02T06:00Z.")
    ] = "",
    until: Annotated[str, typer.Option(help="Only those started before.")] = "",
    after: Annotated[str, typer.Option(help="Those that follow on a page, as it ended.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The newest so many.")] = 50,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Which there are, the newest first; those in the archive only `show` finds."""
    asked = Asked(
        state="" if state is State.ALL else str(state),
        type=type,
        plants=frozenset({plant}) if plant else None,
        owner=owner,
        key=key,
        waiting_for=waiting_for,
        since=since,
        until=until,
        after=after,
        limit=limit,
    )

    async def work() -> None:
        async with open_steering(known_settings(config)) as (steering, settings):
            found = await steering.listed(asked)
            if as_json:
                print_json(found)
            else:
                print_listed(out, found, settings.zone)
                if len(found) == limit:
                    following = f"--after {cursor_of(found[-1])} those that follow"
                    out.print(f"the newest {limit}; --limit shows more, {following}", soft_wrap=True)

    run_async(work())


@processes.command("show")
def show_command(ref: RefOption, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Everything about one: steps, waits, what people did, its relatives, and what can be done next."""

    async def work() -> None:
        async with open_steering(known_settings(config)) as (steering, settings):
            found = await steering.show(ref)
            if as_json:
                print_json(found)
            else:
                print_shown(out, found, settings.zone, config)

    run_async(work())


@processes.command("retry")
def retry_command(
    ref: RefOption,
    reason: ReasonOption,
    by: ActorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try the step again at which it parked, or now what would be tried later."""
    _act(config, as_json, lambda steering: steering.retry(ref, by=_who(by), reason=reason))


@processes.command("correct")
def correct_command(
    ref: RefOption,
    reason: ReasonOption,
    value: ValueOption,
    by: ActorOption = "",
    dry_run: DryRunOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try it again with another request of the step at which it parked, or, if none, another input.

    Exit code 1 when the value cannot be taken; then nothing is changed.
    """
    given = _value(value)
    _act(
        config,
        as_json,
        lambda steering: steering.correct(ref, given, by=_who(by), reason=reason, dry_run=dry_run),
    )


@processes.command("skip")
def skip_command(
    ref: RefOption,
    reason: ReasonOption,
    value: ValueOption = "null",
    step: StepOption = "",
    by: ActorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on as if the step had given this value; what the step may give is checked. A sleep gives none."""
    given = _value(value)
    _act(config, as_json, lambda steering: steering.skip(ref, given, by=_who(by), reason=reason, step=step))


@processes.command("abort")
def abort_command(
    ref: RefOption,
    reason: ReasonOption,
    by: ActorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End it and run the undos that its steps name, in reverse; so with the processes it waits for."""
    _act(config, as_json, lambda steering: steering.abort(ref, by=_who(by), reason=reason))


@processes.command("cancel")
def cancel_command(
    ref: RefOption,
    reason: ReasonOption,
    now: Annotated[
        bool, typer.Option("--now", help="In the middle of a step: what is under way may still happen.")
    ] = False,
    by: ActorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End it before its next step; what it has done stays."""
    _act(config, as_json, lambda steering: steering.cancel(ref, by=_who(by), reason=reason, now=now))


@processes.command("fork")
def fork_command(
    ref: RefOption,
    reason: ReasonOption,
    step: Annotated[int, typer.Option(min=0, help="The first step that the copy does anew.")],
    by: ActorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """A copy that does this step and the rest anew; the original stays as it is.

    What the target systems have done already is found by its key, and not done again.
    """
    _act(config, as_json, lambda steering: steering.fork(ref, step, by=_who(by), reason=reason))


@processes.command("approve")
def approve_command(
    ref: RefOption,
    role: RoleOption,
    reason: ReasonOption,
    step: StepOption = "",
    by: ActorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say yes to what it asks for."""
    _decide(config, as_json, ref, approved=True, role=role, reason=reason, step=step, by=by)


@processes.command("refuse")
def refuse_command(
    ref: RefOption,
    role: RoleOption,
    reason: ReasonOption,
    step: StepOption = "",
    by: ActorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say no to what it asks for."""
    _decide(config, as_json, ref, approved=False, role=role, reason=reason, step=step, by=by)


@processes.command("migrate")
def migrate_command(
    name: Annotated[str, typer.Argument(help="The process, such as corrective_maintenance.")],
    before: Annotated[int, typer.Option("--from", help="The version that they have.")],
    after: Annotated[int, typer.Option("--to", help="The version that they are to have.")],
    reason: Annotated[str, typer.Option(help="Why; not needed with --dry-run.")] = "",
    by: ActorOption = "",
    dry_run: DryRunOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move the open instances of one version to another, each after a replay that proves that it fits.

    Exit code 1 when some do not fit; they stay where they are.
    """

    async def work() -> bool:
        async with open_steering(known_settings(config)) as (steering, _):
            told = await steering.migrate(name, before, after, by=_who(by), reason=reason, dry_run=dry_run)
        if as_json:
            print_json(told)
        else:
            _say_migrated(told)
        return bool(told["fitting"] == len(told["instances"]))

    raise typer.Exit(0 if run_async(work()) else 1)


@processes.command("archive")
def archive_command(
    dry_run: DryRunOption = False, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Do now what a node does by itself: archive what has been finished for long, delete what is too old.

    How long, `retention` in the settings says.
    """

    path = known_settings(config)
    settings, _ = load_settings(path)

    async def work() -> Swept:
        store = Store.open(store_url(settings, path))
        try:
            archive = archive_of(store, settings.retention, SystemClock())
            return await archive.sweep_all(dry_run=dry_run)
        finally:
            await store.close()

    swept = run_async(work())
    if as_json:
        print_json({"archived": swept.archived, "deleted": swept.deleted, "dry_run": dry_run})
        return
    would = "would be " if dry_run else ""
    out.print(f"{swept.archived} processes {would}archived, {swept.deleted} {would}deleted from the archive")


def _decide(
    config: Path | None,
    as_json: bool,
    ref: str,
    *,
    approved: bool,
    role: str,
    reason: str,
    step: str,
    by: str,
) -> None:
    _act(
        config,
        as_json,
        lambda steering: steering.decide(
            ref, approved=approved, by=_who(by), role=role, reason=reason, step=step
        ),
    )


def _act(config: Path | None, as_json: bool, verb: Callable[[Steering], Awaitable[dict[str, Any]]]) -> None:
    path = known_settings(config)

    async def work() -> dict[str, Any]:
        async with open_steering(path) as (steering, settings):
            told = await verb(steering)
        return told | {"node_runs": node_runs(data_dir(settings, path))}

    told = run_async(work())
    if as_json:
        print_json(told)
    else:
        _say_done(told)
    raise typer.Exit(1 if told.get("findings") else 0)


def _say_done(told: dict[str, Any]) -> None:
    which = f"{told['type']} {told['business_key']} ({told['process_id']})"
    for finding in told.get("findings", ()):
        out.print(f"[red]finding[/] {escape(finding)}", highlight=False, soft_wrap=True)
    if told.get("findings"):
        said = f"[bold red]not corrected[/]: {escape(which)} stays {told['state']}"
    elif told.get("dry_run"):
        said = f"[green]ok[/] the value can be taken; nothing was changed of {escape(which)}"
    else:
        becomes = _BECOMES.get(told["action"], f"is {told['state']}")
        said = f"[green]{told['action']}[/] {escape(which)} {becomes}"
        if told.get("forked"):
            said += f"; its copy is {told['forked']}"
        if not told["node_runs"] and told["state"] not in FINISHED:
            said += "\nno node runs on this data folder: it is taken up when one runs"
    out.print(said, highlight=False, soft_wrap=True)


def _say_migrated(told: dict[str, Any]) -> None:
    for each in told["instances"]:
        fits = "moved" if each["moved"] else "fits" if not each["finding"] else "stays"
        colour = "red" if each["finding"] else "green"
        said = f"[{colour}]{fits:<5}[/] {each['process_id']} {escape(each['business_key'])}"
        out.print(said, highlight=False, soft_wrap=True)
        if each["finding"]:
            out.print(f"      {escape(each['finding'])}", highlight=False, soft_wrap=True)
    count, fitting = len(told["instances"]), told["fitting"]
    did = f"{told['moved']} moved" if not told["dry_run"] else f"{fitting} would be moved"
    which = f"open instances of {told['type']} v{told['from']}"
    out.print(
        f"{count} {escape(which)}: {did} to v{told['to']}, {count - fitting} do not fit", highlight=False
    )


def _who(by: str) -> str:
    return by or getpass.getuser()


def _value(text: str) -> bytes:
    if text != "-" and not text.startswith("@"):
        return text.encode()
    try:
        return sys.stdin.buffer.read() if text == "-" else Path(text[1:]).read_bytes()
    except OSError as error:
        raise ConfigError(f"the value {text} cannot be read: {error.strerror}") from error
