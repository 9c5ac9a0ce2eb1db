"""The command line: `lineshaft`."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from lineshaft import __version__
from lineshaft.app.access_cli import access
from lineshaft.app.audit_cli import audit
from lineshaft.app.bench.commands import bench
from lineshaft.app.chaos_cli import chaos
from lineshaft.app.contracts_cli import contracts
from lineshaft.app.devices_cli import devices
from lineshaft.app.doctor import examine
from lineshaft.app.exceptions_cli import exceptions
from lineshaft.app.lake_cli import lake
from lineshaft.app.log import log_to_stderr
from lineshaft.app.long_lived import keep_what_is_loaded
from lineshaft.app.node import Node
from lineshaft.app.plant_data import read_plant
from lineshaft.app.processes_cli import processes
from lineshaft.app.projections_cli import projections
from lineshaft.app.quick_loop import quick_loop
from lineshaft.app.retention import retention_command
from lineshaft.app.scenarios import ScenarioResult, ScenarioStep, chosen_scenario, load_scenarios
from lineshaft.app.settings import load_settings, store_url
from lineshaft.app.systems_cli import systems
from lineshaft.app.telemetry_cli import telemetry
from lineshaft.app.terminal import (
    ConfigOption,
    JsonOption,
    ask_store,
    err,
    known_settings,
    out,
    run_async,
    settings_path,
)
from lineshaft.app.trace_view import print_trace
from lineshaft.app.webhooks_cli import webhooks
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import ConfigError, LineshaftError
from lineshaft.ledger.trace import trace as explain

__all__ = ["app", "main"]

app = typer.Typer(
    name="lineshaft",
    help="Keeps a manufacturer's systems turning together.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
scenarios = typer.Typer(help="Stories that run end to end on the reference estate.", no_args_is_help=True)
app.add_typer(scenarios, name="scenario")
app.add_typer(bench, name="bench")
app.command()(chaos)
app.add_typer(access, name="access")
app.add_typer(audit, name="audit")
app.add_typer(projections, name="projections")
app.add_typer(exceptions, name="exceptions")
app.add_typer(processes, name="processes")
app.add_typer(systems, name="systems")
app.add_typer(lake, name="lake")
app.add_typer(contracts, name="contracts")
app.add_typer(devices, name="devices")
app.add_typer(telemetry, name="telemetry")
app.add_typer(webhooks, name="webhooks")
app.command("retention")(retention_command)


def main() -> None:
    """Errors that people can mend are said in one place, without a stack."""
    # the store's writer waits for Python's lock behind a busy event loop: 5 ms each time, by default
    sys.setswitchinterval(0.0002)
    log_to_stderr()
    try:
        app()
    except LineshaftError as error:
        err.print(f"[bold red]{error.code}[/]: {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(1)


async def _until_signal(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    await work


@app.command()
def run(config: ConfigOption = None) -> None:
    """Run this node until Ctrl-C: backbone, telemetry, processes, calls, console."""
    plant = read_plant(settings_path(config), SystemClock())
    stop = asyncio.Event()
    keep_what_is_loaded()
    run_async(_until_signal(Node(plant).run(stop), stop), new_loop=quick_loop())


@app.command()
def check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Read the settings and every file they name; say everything that is wrong. Exit code 0 or 1."""
    path = settings_path(config)
    findings: list[str] = []
    try:
        plant = read_plant(path, SystemClock())
    except ConfigError as error:
        findings = error.findings or [error.message]
    if as_json:
        print(msgspec.json.encode({"ok": not findings, "findings": findings}).decode())
    elif findings:
        for finding in findings:
            out.print(escape(finding), highlight=False, soft_wrap=True)
        out.print(f"[bold red]{len(findings)} error(s)[/]")
    else:
        tags = len(plant.telemetry.tags) if plant.telemetry else 0
        kinds = plant.telemetry.rules.specs.values() if plant.telemetry else ()
        rules = len({spec.rule for specs in kinds for spec in specs})
        out.print(
            f"[green]ok[/] {path}: {len(plant.systems)} systems, {tags} tags, {rules} rules,"
            f" {len(plant.processes)} processes"
        )
    raise typer.Exit(1 if findings else 0)


@app.command()
def doctor(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Look at this machine, the data folder, the ports, the database and every connected system."""
    plant = read_plant(settings_path(config), SystemClock())

    async def collect() -> bool:
        found = [finding async for finding in examine(plant)]
        if as_json:
            print(msgspec.json.encode(found).decode())
        else:
            for finding in found:
                mark = "[green]ok  [/]" if finding.ok else "[bold red]FAIL[/]"
                out.print(f"{mark} {finding.what:<16} {escape(finding.detail)}", soft_wrap=True)
        return all(finding.ok for finding in found)

    raise typer.Exit(0 if run_async(collect()) else 1)


@app.command()
def trace(
    key: Annotated[
        str, typer.Argument(help="Business key, document number, or id of an event, call or process.")
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain: from device reading through event, process and call to the document number, and back.

    Without --config and ./lineshaft.yaml it reads the data of the last scenario or demo.
    """
    path = known_settings(config)
    settings, _ = load_settings(path)
    found = run_async(ask_store(store_url(settings, path), lambda connection: explain(connection, key)))
    if as_json:
        print(msgspec.json.encode(found).decode())
    else:
        print_trace(out, found, settings.zone)
    raise typer.Exit(0 if found["stories"] else 1)


@scenarios.command("list")
def scenario_list(as_json: JsonOption = False) -> None:
    """The scenarios and their variants; the first variant is the default."""
    found = load_scenarios()
    if as_json:
        rows = [{"id": one.id, "title": one.title, "variants": list(one.variants)} for one in found.values()]
        print(msgspec.json.encode(rows).decode())
        return
    table = Table("scenario", "story", "variants")
    for one in found.values():
        table.add_row(one.id, one.title, ", ".join(one.variants))
    out.print(table)


@scenarios.command("run")
def scenario_run(
    scenario: Annotated[str, typer.Argument(help="Its id, such as S2.")],
    variant: Annotated[str, typer.Option(help="See `lineshaft scenario list`.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Run a scenario on temporary data and count its effects in the target systems. Exit code 0 or 1."""
    chosen = chosen_scenario(scenario)
    variant = variant or chosen.variants[0]
    if variant not in chosen.variants:
        raise ConfigError(
            f"{scenario} has no variant {variant!r}", hint=f"known: {', '.join(chosen.variants)}"
        )

    def on_step(step: ScenarioStep) -> None:
        mark = "[green]ok  [/]" if step.ok else "[bold red]FAIL[/]"
        out.print(f"{mark} {step.latency_ms:9.0f} ms  {escape(step.name)}", end="", soft_wrap=True)
        out.print(f"  [dim]{escape(step.detail)}[/]" if step.detail else "", soft_wrap=True, highlight=False)

    result = run_async(chosen.run(variant, (lambda _: None) if as_json else on_step))
    if as_json:
        print(msgspec.json.encode(result).decode())
    else:
        _print_result(result)
    raise typer.Exit(0 if result.passed else 1)


def _print_result(result: ScenarioResult) -> None:
    effects = ", ".join(f"{count} {kind}" for kind, count in result.effects.items())
    word = "[bold green]passed[/]" if result.passed else "[bold red]FAILED[/]"
    out.print(
        f"{word} {result.scenario} {result.variant} in {result.duration_s:.1f} s; effects: {escape(effects)}",
        soft_wrap=True,
    )
    keys = [number for numbers in result.documents.values() for number in numbers]
    if keys:
        out.print(f"explain one: lineshaft trace {keys[-1]}", highlight=False, soft_wrap=True)


@app.command()
def demo(
    scenario: Annotated[str, typer.Argument(help="Which story to play.")] = "S2",
) -> None:
    """Play a scenario over and over with a plant that looks alive, until Ctrl-C."""
    chosen = chosen_scenario(scenario)

    async def play() -> None:
        stop = asyncio.Event()
        playing = asyncio.ensure_future(
            chosen.demo(lambda text: out.print(text, highlight=False, soft_wrap=True))
        )
        stopping = asyncio.ensure_future(stop.wait())
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, stop.set)
        await asyncio.wait({playing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not playing.done():
            out.print("stopping …")
            playing.cancel()
        stopping.cancel()
        results = await asyncio.gather(playing, return_exceptions=True)
        if isinstance(results[0], Exception):
            raise results[0]

    run_async(play())


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)
