"""`lineshaft bench processes | calls | gateway | telemetry | all`."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any

import msgspec
import structlog
import typer
from rich.console import Console
from rich.table import Table

from lineshaft.app.bench.calls import bench_calls
from lineshaft.app.bench.databases import Databases, Kind, databases
from lineshaft.app.bench.gateway.measure import bench_gateway
from lineshaft.app.bench.gateway.wrk import found_wrk
from lineshaft.app.bench.node_red import NodeRed
from lineshaft.app.bench.processes import bench_processes
from lineshaft.app.bench.telemetry.peers import NAMES, found_peer
from lineshaft.app.bench.telemetry.works import Work, bench_telemetry
from lineshaft.core.errors import ConfigError, TransientFault

__all__ = ["bench"]

Bench = Callable[[Databases, float], Awaitable[dict[str, Any]]]
_ENDED_BY_SIGTERM = 143
_SET_UP_S = 60.0
_WAITING_S = 600.0
_ROUNDS_AND_SIDES = 20  # rounds, sides and databases of one bench, generously
_TELEMETRY_S = 1800.0
_LOADS = 200  # of one work, generously

bench = typer.Typer(
    help="Measure this machine: three rounds, their medians, beside what one would use instead.",
    no_args_is_help=True,
)

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
SecondsOption = Annotated[float, typer.Option(min=0.05, max=60, help="Of each round of each side.")]
StoreOption = Annotated[Kind, typer.Option(help="Which database to measure on.")]
PostgresOption = Annotated[
    str,
    typer.Option(
        help="Of a server that lets us create databases; default $LINESHAFT_BENCH_POSTGRES, then a server of"
        " our own where the dev dependency group is installed."
    ),
]
WaitingOption = Annotated[
    int, typer.Option(min=0, help="How many instances wait while that is measured; 0: not measured.")
]
NodeRedOption = Annotated[
    bool, typer.Option(help="Measure beside Node-RED; npm installs it into the cache at the first time.")
]


@bench.command("processes")
def processes_command(
    as_json: JsonOption = False,
    seconds: SecondsOption = 1.5,
    store: StoreOption = Kind.BOTH,
    postgres_url: PostgresOption = "",
    waiting: WaitingOption = 20_000,
) -> None:
    """Six-step processes per second, and the latency of three-step ones, beside DBOS Transact."""
    found = _measured({"processes": partial(bench_processes, waiting=waiting)}, seconds, store, postgres_url)
    _show(found["processes"] if as_json else found, as_json)


@bench.command("calls")
def calls_command(
    as_json: JsonOption = False,
    seconds: SecondsOption = 1.5,
    store: StoreOption = Kind.BOTH,
    postgres_url: PostgresOption = "",
    node_red: NodeRedOption = True,
) -> None:
    """Events from JetStream through the one door over HTTP, beside a bare loop of posts and Node-RED."""
    found = _measured({"calls": _calls(node_red)}, seconds, store, postgres_url)
    _show(found["calls"] if as_json else found, as_json)


@bench.command("gateway")
def gateway_command(
    as_json: JsonOption = False,
    seconds: Annotated[float, typer.Option(min=1, max=60, help="Of each load, in whole seconds.")] = 3.0,
    store: StoreOption = Kind.SQLITE,
    postgres_url: PostgresOption = "",
) -> None:
    """Governed POSTs per second by wrk, beside the same route on bare Starlette and on FastAPI."""
    found = _measured({"gateway": _gateway()}, seconds, store, postgres_url)
    _show(found["gateway"] if as_json else found, as_json)


@bench.command("telemetry")
def telemetry_command(
    as_json: JsonOption = False,
    seconds: Annotated[float, typer.Option(min=0.2, max=60, help="Of each load.")] = 1.0,
    work: Annotated[str, typer.Option(help=f"Some of {', '.join(Work)}, separated by commas.")] = "",
    peers: Annotated[
        bool,
        typer.Option(
            help="Measure beside Node-RED, Pathway and mq-bridge, which npm and uv install into the cache at"
            " the first time."
        ),
    ] = True,
) -> None:
    """The highest load that telemetry sustains, its latency, and what others do of the same work."""
    works = _works(work)
    wanted = peers and {Work.SINGLE, Work.BATCHES} & set(works)
    beside = {name: found_peer(name) if wanted else None for name in NAMES}

    async def measure() -> dict[str, Any]:
        return await bench_telemetry(works, seconds, beside)

    found = _run(measure, _TELEMETRY_S + len(works) * _LOADS * seconds)
    _show(found if as_json else {"telemetry": found}, as_json)
    if None in found.values():
        raise typer.Exit(1)


def _works(asked: str) -> list[Work]:
    names = [name.strip() for name in asked.split(",") if name.strip()]
    unknown = [name for name in names if name not in list(Work)]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]!r} is none of {', '.join(Work)}", param_hint="--work")
    return [work for work in Work if not names or work in names]


@bench.command("all")
def all_command(
    as_json: JsonOption = False,
    seconds: SecondsOption = 1.5,
    store: StoreOption = Kind.BOTH,
    postgres_url: PostgresOption = "",
    node_red: NodeRedOption = True,
    waiting: WaitingOption = 20_000,
) -> None:
    """Processes, calls and gateway, one after the other."""
    benches: dict[str, Bench] = {
        "processes": partial(bench_processes, waiting=waiting),
        "calls": _calls(node_red),
    }
    try:
        benches["gateway"] = _gateway()
    except ConfigError as error:
        print(f"no gateway: {error}", file=sys.stderr)
    _show(_measured(benches, seconds, store, postgres_url), as_json)


def _calls(beside_node_red: bool) -> Bench:
    return partial(bench_calls, node_red=NodeRed.found() if beside_node_red else None)


def _gateway() -> Bench:
    return partial(bench_gateway, wrk=found_wrk())


def _measured(benches: Mapping[str, Bench], seconds: float, store: Kind, postgres_url: str) -> dict[str, Any]:
    within_s = len(benches) * (_SET_UP_S + _ROUNDS_AND_SIDES * seconds) + _WAITING_S
    with _ended_by_sigterm(), databases(store, postgres_url) as found:

        async def measure() -> dict[str, Any]:
            return {name: await bench(found, seconds) for name, bench in benches.items()}

        return _run(measure, within_s)


def _run(measure: Callable[[], Awaitable[dict[str, Any]]], within_s: float) -> dict[str, Any]:
    """raises  TransientFault when it does not end by itself, and what `measure` raises"""

    async def measure_for_so_long() -> dict[str, Any]:
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        try:
            async with asyncio.timeout(within_s):
                return await measure()
        except TimeoutError as error:
            raise TransientFault("the bench did not end by itself") from error

    try:
        with _quiet():
            return asyncio.run(measure_for_so_long())
    except asyncio.CancelledError:
        raise typer.Exit(_ENDED_BY_SIGTERM) from None
    except BaseExceptionGroup as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from group


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """While no loop runs: what is set up is taken down again."""

    def end(*_: object) -> None:
        raise typer.Exit(_ENDED_BY_SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _quiet() -> Iterator[None]:
    """A line of log per process is for a console, not for a bench."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))
    try:
        yield
    finally:
        structlog.configure(**before)


def _show(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(msgspec.json.encode(found).decode())
        return
    out = Console(width=None if sys.stdout.isatty() else 120)
    for name, sides in found.items():
        measured = {side: figures for side, figures in sides.items() if figures is not None}
        table = Table(title=name, title_justify="left")
        table.add_column("")
        for side in measured:
            table.add_column(side, justify="right")
        for figure in dict.fromkeys(figure for figures in measured.values() for figure in figures):
            table.add_row(figure, *(_shown(figures.get(figure)) for figures in measured.values()))
        out.print(table)


def _shown(figure: Any) -> str:
    match figure:
        case None:
            return "-"
        case str():
            return figure
        case dict():
            return "\n".join(f"{name} {_shown(part)}" for name, part in figure.items())
        case _:
            return f"{figure:,g}"
