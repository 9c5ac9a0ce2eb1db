"""Key figures as they are read: values with their unit, courses, losses and tables."""

from __future__ import annotations

import math
from datetime import datetime
from itertools import accumulate

import msgspec

from lineshaft.console.figures import count_text, unit_symbol, value_text
from lineshaft.console.moments import Moment, PlantTime, duration_text
from lineshaft.console.sparkline import Sparkline, sparkline
from lineshaft.console.tones import Tone
from lineshaft.contracts.kpis import Better, KpiColumn, KpiFigure, KpiTable

__all__ = ["WORDS", "Cell", "Loss", "Tile", "chart", "course", "losses", "rows", "shown", "tile"]

WORDS = ("text", "at", "asset", "key")
"""Units of columns that hold no numbers."""

_NUMBERS = {"share", "s", "count", "ratio"}
_MOST_SHOWN = 200


def shown(value: float | None, unit: str) -> str:
    """`45.1 %`, `3 h 04 min`, `12`, `2.1×`, `1 204.50 EUR`; a dash for none."""
    if value is None or not math.isfinite(value):
        return "–"
    if unit == "share":
        near = 2 if 0.985 < value < 1 else 0 if value in (0, 1) or value >= 10 else 1
        return f"{value * 100:.{near}f}\u00a0%"
    if unit == "s":
        return duration_text(value) if value else "0\u00a0min"
    if unit == "count":
        return count_text(round(value)) if value == round(value) else value_text(value)
    if unit == "ratio":
        return f"{value:.1f}×"
    return f"{value:,.2f}\u00a0{unit_symbol(unit)}".replace(",", "\u202f")


def _goal(target: float, unit: str) -> str:
    return f"{target * 100:g}\u00a0%" if unit == "share" else shown(target, unit)


class Tile(msgspec.Struct, frozen=True, kw_only=True):
    """word: how it stands against its target"""

    figure: KpiFigure
    value: str
    target: str
    word: str
    tone: Tone
    spark: Sparkline | None


def tile(figure: KpiFigure) -> Tile:
    word, tone = "", Tone.PLAIN
    if figure.value is None:
        word = "not measured"
    elif figure.is_met is not None:
        word, tone = ("on target", Tone.GOOD) if figure.is_met else ("off target", Tone.WARN)
    sign = "≥" if figure.better is Better.HIGHER else "≤"
    return Tile(
        figure=figure,
        value=shown(figure.value, figure.unit),
        target="" if figure.target is None else f"{sign}\u00a0{_goal(figure.target, figure.unit)}",
        word=word,
        tone=tone,
        spark=sparkline([p.value for p in figure.series if p.value is not None], figure.target),
    )


def chart(figure: KpiFigure) -> dict[str, object] | None:
    """For static/chart.js; None where there are no two points to draw."""
    values = [point.value for point in figure.series]
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    factor, unit = 1.0, ""
    if figure.unit == "share":
        factor, unit = 100.0, "%"
    elif figure.unit == "s":
        factor, unit = (1 / 3600, "h") if max(known) >= 2 * 3600 else (1 / 60, "min")
    elif figure.unit not in _NUMBERS:
        unit = figure.unit
    line = {
        "label": figure.title,
        "y": [None if value is None else round(value * factor, 4) for value in values],
        **({"bars": True} if figure.unit in ("count", "s") else {"fill": True}),
    }
    limits = []
    if figure.target and (figure.unit != "s" or figure.target <= 4 * max(known)):
        limits.append({"label": "Target", "y": round(figure.target * factor, 4)})
    x = [round(point.at.timestamp()) for point in figure.series]
    return {"x": x, "lines": [line], "unit": unit, "limits": limits, "height": 220}


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """start, width: percent of the whole"""

    what: str
    title: str
    duration: str
    share: str
    start: float
    width: float


def losses(figure: KpiFigure) -> list[Loss]:
    """Each begins where the one before it ends."""
    whole = sum(loss.seconds for loss in figure.losses)
    if whole <= 0:
        return []
    begins = [0.0, *accumulate(loss.seconds for loss in figure.losses)]
    return [
        Loss(
            what=loss.what,
            title=loss.title,
            duration=shown(loss.seconds, "s"),
            share=shown(loss.seconds / whole, "share"),
            start=round(begin / whole * 100, 3),
            width=round(loss.seconds / whole * 100, 3),
        )
        for loss, begin in zip(figure.losses, begins, strict=False)
    ]


def course(figure: KpiFigure, time: PlantTime, now: datetime) -> list[tuple[Moment | None, str]]:
    return [(time.moment(point.at, now), shown(point.value, figure.unit)) for point in figure.series]


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """kind: `number`, `at`, `asset`, `key` or `text`; moment: of an `at`"""

    kind: str
    text: str
    label: str
    moment: Moment | None = None


def rows(table: KpiTable, time: PlantTime, now: datetime) -> list[list[Cell]]:
    return [
        [_cell(value, column, time, now) for value, column in zip(row, table.columns, strict=True)]
        for row in table.rows[:_MOST_SHOWN]
    ]


def _cell(value: str | float | None, column: KpiColumn, time: PlantTime, now: datetime) -> Cell:
    if isinstance(value, str):
        moment = time.moment(value, now) if column.unit == "at" else None
        kind = column.unit if column.unit in ("at", "asset", "key") and value else "text"
        return Cell(kind=kind, text=value, label=column.title, moment=moment)
    is_text = value is None and column.unit in WORDS
    return Cell(kind="number", text="" if is_text else shown(value, column.unit), label=column.title)
