"""Key figures: all of them over a period, and each with its course, its parts and what it means."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from itertools import groupby
from typing import Any, Protocol

import structlog
from starlette.responses import Response

from lineshaft.console.kpi_text import WORDS, chart, course, losses, rows, tile
from lineshaft.console.page import Page, Visit
from lineshaft.console.shell import Shell
from lineshaft.contracts.kpis import KpiBoard
from lineshaft.core.clock import rfc3339
from lineshaft.core.errors import ContractViolation, LineshaftError

__all__ = ["KpiScreen", "Kpis"]

_LOG = structlog.get_logger(__name__)
_PERIODS = {"shift": "Shift", "today": "Today", "24h": "24 h", "7d": "7 days", "30d": "30 days"}
_USUAL = "24h"
_PATIENCE_S = 0.2


class Kpis(Protocol):
    """As insight.kpis.KpiReads. Who gives up waiting for a board finds it when asking again."""

    async def board(self, plants: frozenset[str] | None, *, span: str, kpi: str = "") -> KpiBoard: ...

    async def plants(self) -> Sequence[str]: ...


class KpiScreen:
    def __init__(self, shell: Shell, kpis: Kpis) -> None:
        self._shell = shell
        self._kpis = kpis

    def pages(self) -> Iterable[Page]:
        return [Page(path="/kpis", name="console-kpis", show=self._show, permission="read:kpis")]

    async def _show(self, visit: Visit) -> Response:
        kpi, plant = visit.asked("kpi"), visit.asked("plant")
        span = visit.asked("period") if visit.asked("period") in _PERIODS else _USUAL
        plants = visit.plants
        if plant:
            plants = frozenset({plant} if visit.caller.sees(plant) else ())
        is_file = visit.asked("format") == "csv"
        try:
            known = [name for name in await self._kpis.plants() if visit.caller.sees(name)]
            reading = self._kpis.board(plants, span=span, kpi=kpi)
            board = await asyncio.wait_for(reading, None if is_file else _PATIENCE_S)
        except TimeoutError:
            template = "kpi.html" if kpi else "kpis.html"
            return await self._page(visit, template, span, known, counting=True)
        except ContractViolation:
            return await self._shell.missing(
                visit, here="kpis", what=f"There is no KPI “{kpi}”", hint="All of them are under KPIs."
            )
        except LineshaftError as error:
            _LOG.warning("kpis.not_read", reason=str(error))
            status = HTTPStatus.SERVICE_UNAVAILABLE
            return await self._page(visit, "kpis.html", span, [], status=status)
        if is_file:
            return await self._file(board, visit.asked("table") if kpi else "")
        if kpi:
            return await self._detail(visit, span, known, board)
        groups = [
            (name, [tile(figure) for figure in figures])
            for name, figures in groupby(board.figures, lambda figure: figure.group)
        ]
        return await self._page(visit, "kpis.html", span, known, board=board, groups=groups)

    async def _detail(self, visit: Visit, span: str, choices: Sequence[str], board: KpiBoard) -> Response:
        time, now = self._shell.time, self._shell.now
        (figure,) = board.figures
        return await self._page(
            visit,
            "kpi.html",
            span,
            choices,
            board=board,
            tile=tile(figure),
            series=chart(figure),
            course=course(figure, time, now),
            losses=losses(figure),
            tables=[
                (table, rows(table, time, now), self._address(visit, format="csv", table=table.id))
                for table in figure.tables
            ],
            csv=self._address(visit, format="csv", table="course"),
        )

    async def _page(
        self,
        visit: Visit,
        template: str,
        span: str,
        choices: Sequence[str],
        *,
        status: int = HTTPStatus.OK,
        board: KpiBoard | None = None,
        counting: bool = False,
        **facts: Any,
    ) -> Response:
        asked = {name: visit.asked(name) for name in ("kpi", "period", "plant")}
        spans = [(title, self._address(visit, period=name), name == span) for name, title in _PERIODS.items()]
        time, now = self._shell.time, self._shell.now
        return await self._shell.page(
            visit,
            template,
            here="kpis",
            status=status,
            asked=asked,
            span=span,
            spans=spans,
            choices=choices,
            board=board,
            counting=counting,
            begins=time.moment(board.start_time, now) if board else None,
            of=lambda kpi: self._address(visit, kpi=kpi),
            again=self._address(visit),
            every=self._address(visit, kpi=""),
            board_csv=self._address(visit, format="csv"),
            **facts,
        )

    def _address(self, visit: Visit, **changed: str) -> str:
        asked: Mapping[str, str] = {name: visit.asked(name) for name in ("kpi", "period", "plant")}
        return self._shell.address("kpis", asked, **changed)

    async def _file(self, board: KpiBoard, name: str) -> Response:
        """name: of a table of the only figure, or `course`; empty: the values of all figures."""
        if not name:
            header = ("id", "title", "group", "unit", "value", "target", "is_met", "says")
            values = ([getattr(figure, each) for each in header] for figure in board.figures)
            return await self._shell.csv("kpis", header, values)
        (figure,) = board.figures
        for table in figure.tables:
            if table.id == name:
                titles = [
                    each.id if each.unit in WORDS else f"{each.id} [{each.unit}]" for each in table.columns
                ]
                return await self._shell.csv(f"{figure.id}-{name}", titles, table.rows)
        titles = ["from", f"{figure.id} [{figure.unit}]"]
        points = ([rfc3339(point.at), point.value] for point in figure.series)
        return await self._shell.csv(f"{figure.id}-course", titles, points)
