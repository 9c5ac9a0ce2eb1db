"""How a KPI is declared, and what its function finds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from lineshaft.contracts.kpis import Better, KpiColumn, KpiFigure, KpiLoss, KpiPoint, KpiTable
from lineshaft.insight.kpis.question import Question

__all__ = ["Found", "Kpi", "Row", "column", "quantile", "rounded", "said_count", "said_time", "table"]

Row = list[Any]
"""Of a table: a cell for each column, text, a number or None."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """says: empty where there is no value: then what the KPI needs is said; unit: other than declared"""

    value: float | None = None
    says: str = ""
    unit: str = ""
    series: Sequence[float | None] = ()
    losses: Sequence[KpiLoss] = ()
    tables: Sequence[KpiTable] = ()
    notes: Sequence[str] = ()


class Kpi(msgspec.Struct, frozen=True, kw_only=True):
    """needs     which data it takes: said as long as there are none
    target    the usual one, in `unit`; settings may give another
    """

    id: str
    title: str
    group: str
    unit: str
    better: Better
    definition: str
    formula: str
    source: str
    needs: str
    measure: Callable[[Question], Found]
    target: float | None = None

    def figure(self, question: Question, target: float | None) -> KpiFigure:
        found = self.measure(question)
        value, unit = found.value, found.unit or self.unit
        goal = target if unit == self.unit else None
        is_met = None
        if value is not None and goal is not None:
            is_met = value >= goal if self.better is Better.HIGHER else value <= goal
        points = [
            KpiPoint(at=question.moments[number], value=_rounded(point))
            for number, point in enumerate(found.series)
        ]
        return KpiFigure(
            id=self.id,
            title=self.title,
            group=self.group,
            unit=unit,
            better=self.better,
            definition=self.definition,
            formula=self.formula,
            source=self.source,
            says=found.says or f"Not measured yet: needs {self.needs}",
            value=_rounded(value),
            target=goal,
            is_met=is_met,
            series=points,
            losses=list(found.losses),
            tables=[each for each in found.tables if each.rows],
            notes=list(found.notes),
        )


def column(id: str, title: str, unit: str = "text") -> KpiColumn:
    return KpiColumn(id=id, title=title, unit=unit)


def table(id: str, title: str, columns: Sequence[KpiColumn], rows: Sequence[Row]) -> KpiTable:
    return KpiTable(id=id, title=title, columns=list(columns), rows=list(map(rounded, rows)))


def rounded(row: Row) -> Row:
    return [_rounded(cell) if isinstance(cell, float) else cell for cell in row]


def quantile(values: Sequence[float], part: float) -> float | None:
    """The smallest value that at least this part of them does not exceed."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


def said_count(count: int, one: str, many: str = "") -> str:
    """`1 order`, `12 orders`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def said_time(seconds: float) -> str:
    """`40 s`, `14 min`, `3 h 05 min`, `2 d 03 h`."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    hours = round(seconds / 3600)
    return f"{hours // 24} d {hours % 24:02d} h"


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 6)
