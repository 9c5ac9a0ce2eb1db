"""Eight hours of a filler in Leipzig, told by its events: a stop, a short one, a wait, and one that lasts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from lineshaft.contracts.catalogue import CAPABILITIES, EVENTS
from lineshaft.contracts.kpis import KpiFigure
from lineshaft.core.clock import rfc3339
from lineshaft.core.values import Event
from lineshaft.insight.kpis import KpiReads, WorkingTime
from lineshaft.insight.service_levels import ServiceLevels, service_levels
from lineshaft.store import Store
from tests.clocks import ManualClock
from tests.ledger.projections.plant_events import AT, Plant, pieces, told

__all__ = ["AT", "END", "FILLER", "Evening", "confirmed", "hour", "planned", "states", "stopped"]

FILLER = "FILLER-2"
END = AT + timedelta(hours=8)
LEVELS = service_levels(EVENTS, CAPABILITIES)
EXECUTE, STOPPED, IDLE, HELD = 6, 2, 4, 11


def hour(hours: float) -> str:
    return rfc3339(AT + timedelta(hours=hours))


def states(*changes: tuple[float, int], equipment: str = FILLER, plant: str = "leipzig") -> list[Event]:
    """(hours after AT, PackML state), each told when it began."""
    found = []
    for number, (at, state) in enumerate(changes):
        before: dict[str, Any] = {"previous": None, "previous_start_time": None}
        if number:
            earlier, previous = changes[number - 1]
            before = {"previous": previous, "previous_start_time": hour(earlier)}
        found.append(
            told(
                "equipment.state.changed",
                at * 3600,
                plant=plant,
                equipment_id=equipment,
                state=state,
                start_time=hour(at),
                **before,
            )
        )
    return found


def stopped(
    start: float, end: float | None, *, equipment: str = FILLER, plant: str = "leipzig", upstream: str = ""
) -> list[Event]:
    """A stop as it is told: five minutes after it began, and when it is over."""
    facts: dict[str, Any] = {"plant": plant, "equipment_id": equipment, "upstream": upstream}
    facts |= {"start_time": hour(start), "reason_code": "MECH-JAM"}
    found = [told("equipment.downtime.started", start * 3600 + 300, end_time=None, **facts)]
    if end is not None:
        found.append(told("equipment.downtime.ended", end * 3600, end_time=hour(end), **facts))
    return found


def planned(run_time_s: str = "10", *, plant: str = "leipzig") -> list[Event]:
    """An order of WATER-05 and the routing that says how long a piece takes."""
    segment = {"id": "FILL", "work_center_id": "LINE-2", "is_count_point": True}
    routing: dict[str, Any] = {"operations_segment": [segment | {"run_time_per_unit": run_time_s}]}
    requirement = [{"id": "0010", "operations_segment_id": "FILL"}]
    return [
        told("masterdata.routing.changed", -90_000, plant=plant, **routing),
        told("production.order.released", -80_000, plant=plant, segment_requirement=requirement),
    ]


def confirmed(start: float, end: float, good: str, scrap: str = "0", **changes: Any) -> Event:
    facts: dict[str, Any] = dict.fromkeys(("scrap_reason", "rework_quantity", "rework_reason"))
    facts |= dict.fromkeys(("setup_end_time", "processing_start_time", "processing_end_time"))
    facts |= {"id": f"C-{start}", "actual_start_time": hour(start), "actual_end_time": hour(end)}
    facts |= {"yield_quantity": pieces(good), "scrap_quantity": pieces(scrap)}
    return told("production.confirmation.recorded", end * 3600, **(facts | changes))


class Evening:
    """A store, what its projections heard, and the KPIs that are asked of it at END."""

    def __init__(
        self,
        store: Store,
        *,
        levels: ServiceLevels = LEVELS,
        working: WorkingTime = lambda plant, asked: None,
    ) -> None:
        self.store = store
        self.plant = Plant(store)
        self.clock = ManualClock(END)
        self.hears: Callable[..., Any] = self.plant.hears
        self.reads = KpiReads(
            store, levels, self.clock, zone=ZoneInfo("Europe/Berlin"), site="leipzig", working=working
        )

    async def filler(self) -> None:
        """Down from 9:00 to 9:20 and since 13:30, a minor stop at 10:00, idle from 12:00 to 12:30."""
        await self.hears(
            *planned(),
            *states(
                (-2, EXECUTE),
                (3, HELD),
                (3 + 1 / 3, EXECUTE),
                (4, STOPPED),
                (4 + 1 / 30, EXECUTE),
                (6, IDLE),
                (6.5, EXECUTE),
                (7.5, STOPPED),
            ),
            *stopped(3, 3 + 1 / 3),
            *stopped(7.5, None),
            confirmed(-1, 1, "200"),
            confirmed(0, 4, "1200", "24"),
        )

    async def figure(
        self, kpi: str, *, start: datetime = AT, end: datetime = END, plants: frozenset[str] | None = None
    ) -> KpiFigure:
        board = await self.reads.board(plants, start=start, end=end, kpi=kpi)
        (figure,) = board.figures
        return figure
