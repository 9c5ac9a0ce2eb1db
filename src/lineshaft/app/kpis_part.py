"""Key figures of a plant: what they are read from, over HTTP and for the console."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, timedelta

import msgspec

from lineshaft.app.settings import Settings
from lineshaft.connectors.calendar import CalendarSettings
from lineshaft.connectors.calendar.calendar_file import Calendar, read_calendar
from lineshaft.connectors.calendar.entries import entries_of
from lineshaft.contracts.kpis import KpiBoard
from lineshaft.core.asked_times import asked_time
from lineshaft.core.clock import Clock
from lineshaft.core.yamlfile import YamlFile
from lineshaft.gateway.route import Answer, ApiRoute, Asked, Parameter
from lineshaft.insight.kpis import KPIS, PERIODS, KpiReads, ToldHours, WorkingTime
from lineshaft.insight.service_levels import ServiceLevels
from lineshaft.model.calendar import CalendarEntry, EquipmentPeriod
from lineshaft.store import Store

__all__ = ["kpi_reads", "kpi_route", "target_doubts", "told_hours"]


def kpi_reads(
    settings: Settings, file: YamlFile, levels: ServiceLevels, store: Store, clock: Clock
) -> KpiReads:
    """file: of the settings. raises ConfigError for a calendar file that cannot be read"""
    return KpiReads(
        store,
        levels,
        clock,
        zone=settings.zone,
        site=settings.plant,
        working=_working(settings, file),
        targets=settings.kpi_targets,
    )


def told_hours(settings: Settings, store: Store, clock: Clock) -> ToldHours:
    return ToldHours(store, clock, keep=timedelta(days=settings.retention.events_days))


def target_doubts(settings: Settings, file: YamlFile) -> list[str]:
    """Targets of no KPI, each with file and line."""
    known = [kpi.id for kpi in KPIS]
    return [
        f"{file.where(['kpi_targets', name])}: there is no KPI {name!r}; known: {', '.join(known)}"
        for name in settings.kpi_targets
        if name not in known
    ]


def kpi_route(reads: KpiReads) -> ApiRoute:
    async def kpis(asked: Asked) -> Answer:
        given = {name: asked.query.get(name, "") for name in ("from", "to")}
        board = await reads.board(
            None if asked.plants is None else frozenset(asked.plants),
            span=asked.query.get("period", "24h"),
            start=asked_time("from", given["from"], UTC),
            end=asked_time("to", given["to"], UTC),
            kpi=asked.query.get("kpi", ""),
        )
        return Answer(body=board)

    time = {"type": "string", "format": "date-time"}
    spans = {"type": "string", "enum": list(PERIODS)}
    return ApiRoute(
        method="GET",
        path="/api/v1/kpis",
        name="kpis",
        summary="Key figures over a period: value, target, course and parts",
        permission="read:kpis",
        handler=kpis,
        tag="kpis",
        parameters=(
            Parameter(name="kpi", where="query", summary="Only this one, by its id"),
            Parameter(name="period", where="query", schema=spans, summary="Up to now. Default: 24h"),
            Parameter(name="from", where="query", schema=time, summary="In place of a period, RFC 3339"),
            Parameter(name="to", where="query", schema=time, summary="Default: now; at most 92 days later"),
        ),
        answers={200: msgspec.json.schema(KpiBoard)},
        problems=(503,),
        any_plant=True,
        version="v1",
    )


def _working(settings: Settings, file: YamlFile) -> WorkingTime:
    """By the calendar file of the plant, if a system of the settings is one."""
    calendars: list[Calendar] = []
    for name, system in settings.systems.items():
        if system.connector == "calendar":
            options = file.read(CalendarSettings, ["systems", name, "options"])
            calendars.append(read_calendar(file.path.parent / options.file))

    def working(plant: str, asked: EquipmentPeriod) -> Sequence[CalendarEntry] | None:
        if plant != settings.plant or not calendars:
            return None
        return entries_of(calendars[0], asked, settings.zone)

    return working
