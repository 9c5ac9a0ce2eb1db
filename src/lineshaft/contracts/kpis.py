"""KPIs as they are answered: over HTTP, at the command line, and to the console."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from lineshaft.core.values import Moment, Value

__all__ = ["Better", "KpiBoard", "KpiColumn", "KpiFigure", "KpiLoss", "KpiPoint", "KpiTable"]


class Better(StrEnum):
    HIGHER = "higher"
    LOWER = "lower"


class KpiColumn(Value, frozen=True, kw_only=True):
    """unit: `text`, `at` (RFC 3339), `share` (of 1), `s`, `count`, `ratio`, or what the figures are in"""

    id: str
    title: str
    unit: str = "text"


class KpiTable(Value, frozen=True, kw_only=True):
    """rows: a cell for each column; None where there is nothing to say"""

    id: str
    title: str
    columns: list[KpiColumn]
    rows: list[list[str | float | None]]


class KpiPoint(Value, frozen=True, kw_only=True):
    """Over [at, that of the next one); value: None where nothing was measured"""

    at: Moment
    value: float | None


class KpiLoss(Value, frozen=True, kw_only=True):
    """A part of the planned busy time. what: `good` for what is left at the end, else the kind of the loss"""

    what: str
    title: str
    seconds: float


class KpiFigure(Value, frozen=True, kw_only=True):
    """One key figure over the period of its board.

    group     under which it is shown
    unit      of value, target and series, see KpiColumn
    value     None where it cannot be told; then `says` tells which data are missing
    is_met    whether the target is kept; None without a value or a target
    says      the value in a few words of the plant
    notes     what the value leaves out or assumes
    """

    id: str
    title: str
    group: str
    unit: str
    better: Better
    definition: str
    formula: str
    source: str
    says: str
    value: float | None = None
    target: float | None = None
    is_met: bool | None = None
    series: list[KpiPoint] = msgspec.field(default_factory=list)
    losses: list[KpiLoss] = msgspec.field(default_factory=list)
    tables: list[KpiTable] = msgspec.field(default_factory=list)
    notes: list[str] = msgspec.field(default_factory=list)


class KpiBoard(Value, frozen=True, kw_only=True):
    """All that was asked for over [start_time, end_time). plant: the only one; empty: all that one may see"""

    start_time: Moment
    end_time: Moment
    plant: str = ""
    figures: list[KpiFigure]
