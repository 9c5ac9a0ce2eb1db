"""`lineshaft bench processes | calls | all`."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
import structlog
import typer
from rich.console import Console
from rich.table import Table

from lineshaft.app.bench.calls import bench_calls
from lineshaft.app.bench.databases import Databases, Kind, databases
from lineshaft.app.bench.processes import bench_processes
from lineshaft.core.errors import TransientFault

__all__ = ["bench"]

Bench = Callable[[Databases, float], Awaitable[dict[str, Any]]]
_BENCHES: dict[str, Bench] = {"processes": bench_processes, "calls": bench_calls}
_ENDED_BY_SIGTERM = 143
_SET_UP_S = 60.0
_ROUNDS_AND_SIDES = 20  # rounds, sides and databases of one bench, generously

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


@bench.command("processes")
def processes_command(
    as_json: JsonOption = False,
    seconds: SecondsOption = 1.5,
    store: StoreOption = Kind.BOTH,
    postgres_url: PostgresOption = "",
) -> None:
    """Six-step processes per second, and the latency of three-step ones, beside DBOS Transact."""
    found = _measured(["processes"], seconds, store, postgres_url)
    _show(found["processes"] if as_json else found, as_json)


@bench.command("calls")
def calls_command(
    as_json: JsonOption = False,
    seconds: SecondsOption = 1.5,
    store: StoreOption = Kind.BOTH,
    postgres_url: PostgresOption = "",
) -> None:
    """Commands through the one door over HTTP, beside a bare loop that posts the same bodies."""
    found = _measured(["calls"], seconds, store, postgres_url)
    _show(found["calls"] if as_json else found, as_json)


@bench.command("all")
def all_command(
    as_json: JsonOption = False,
    seconds: SecondsOption = 1.5,
    store: StoreOption = Kind.BOTH,
    postgres_url: PostgresOption = "",
) -> None:
    """Every bench, one after the other."""
    _show(_measured(list(_BENCHES), seconds, store, postgres_url), as_json)


def _measured(names: Sequence[str], seconds: float, store: Kind, postgres_url: str) -> dict[str, Any]:
    async def measure(found: Databases) -> dict[str, Any]:
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        try:
            async with asyncio.timeout(len(names) * (_SET_UP_S + _ROUNDS_AND_SIDES * seconds)):
                return {name: await _BENCHES[name](found, seconds) for name in names}
        except TimeoutError as error:
            raise TransientFault("the bench did not end by itself") from error

    try:
        with _quiet(), _ended_by_sigterm(), databases(store, postgres_url) as found:
            return asyncio.run(measure(found))
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
    for name, on in found.items():
        measured = {database: figures for database, figures in on.items() if figures is not None}
        table = Table(title=name, title_justify="left")
        table.add_column("database")
        for figure in next(iter(measured.values())):
            table.add_column(figure, justify="right")
        for database, figures in measured.items():
            table.add_row(database, *("-" if value is None else f"{value:,g}" for value in figures.values()))
        out.print(table)
