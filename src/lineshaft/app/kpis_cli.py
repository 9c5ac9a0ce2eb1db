"""`lineshaft kpis`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from lineshaft.app.kpis_part import kpi_reads
from lineshaft.app.process_definitions import definitions_of
from lineshaft.app.service_levels import levels_of
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
from lineshaft.console.kpi_text import tile
from lineshaft.contracts.kpis import KpiBoard
from lineshaft.core.clock import SystemClock, rfc3339
from lineshaft.core.errors import ContractViolation
from lineshaft.store import Store

__all__ = ["kpis"]


def kpis(
    plant: Annotated[str, typer.Option(help="Only this plant.")] = "",
    kpi: Annotated[str, typer.Option(help="Only this one, such as oee.")] = "",
    period: Annotated[str, typer.Option(help="Up to now: shift, today, 24h, 7d or 30d.")] = "24h",
    start: Annotated[str, typer.Option("--from", help="In place of a period, RFC 3339 or site time.")] = "",
    end: Annotated[str, typer.Option("--to", help="Default: now; at most 92 days later.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Key figures over a period, from OEE to the backlog, against their targets.

    Without --config and ./lineshaft.yaml it reads the data of the last scenario or demo.
    """
    path = known_settings(config)
    settings, file = load_settings(path)
    processes = [each for name in settings.processes for each in definitions_of(name)]
    levels = levels_of(settings, processes)

    def moment(name: str, text: str) -> datetime | None:
        if not text:
            return None
        try:
            given = datetime.fromisoformat(text)
        except ValueError:
            raise ContractViolation(f"--{name} {text!r} is no time; write it as 2026-03-02T06:00") from None
        return given if given.tzinfo else given.replace(tzinfo=settings.zone)

    async def ask() -> KpiBoard:
        store = Store.open(store_url(settings, path))
        try:
            reads = kpi_reads(settings, file, levels, store, SystemClock())
            plants = frozenset({plant}) if plant else None
            return await reads.board(
                plants, span=period, start=moment("from", start), end=moment("to", end), kpi=kpi
            )
        finally:
            await store.close()

    board = run_async(ask())
    if as_json:
        print_json(board)
        return
    begins, ends = (said_at(rfc3339(at), settings.zone) for at in (board.start_time, board.end_time))
    table = Table("KPI", "value", "target", "", "what it says", title=f"{begins} to {ends}")
    for figure in board.figures:
        view = tile(figure)
        colour = "yellow" if figure.is_met is False else "default"
        table.add_row(
            figure.title, f"[{colour}]{escape(view.value)}[/]", view.target, view.word, escape(figure.says)
        )
    out.print(table)
