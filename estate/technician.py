"""The simulated technician: completes work orders whose parts are there, with labour and parts booked.

The plant's time runs faster than ours: work that is booked as `labour_min` minutes takes `delay_s` seconds,
and the bookings end when the order is completed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgspec

from estate.plant import TECHNICIANS
from lineshaft.core.clock import rfc3339

__all__ = ["Completion", "LabourBooking", "PartUsed", "Technician", "WaitingOrder", "WorkDesk"]


class LabourBooking(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """In CMMS vocabulary. begin, end: RFC 3339; hourly_rate: {"amount": "52.00", "currency": "EUR"}."""

    operation: str
    person_no: str
    begin: str
    end: str
    hourly_rate: dict[str, str]


class PartUsed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    pos: int
    part_no: str
    qty: float
    uom: str
    lot_no: str | None = None


class Completion(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What the technician reports on an order."""

    started_at: str
    finished_at: str
    cause_code: str
    remedy_code: str
    labour: list[LabourBooking]
    parts_used: list[PartUsed]


class WaitingOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An open order with a task: ready to be worked on, or waiting for parts, since then."""

    number: str
    ready: bool
    since: datetime
    part_lines: list[dict[str, Any]]


class WorkDesk(Protocol):
    """Where the technician finds work; `changed` is set when there may be some."""

    changed: asyncio.Event

    def waiting_orders(self) -> list[WaitingOrder]: ...

    def parts_arrived(self, order_no: str) -> None: ...


class Technician:
    """delay_s               seconds from "parts are there" to the completed order
    labour_min            minutes booked per person
    people                how many of the plant's technicians book on each order
    parts_arrive_after_s  awaited parts arrive by themselves after that; None: somebody reports them
    """

    def __init__(
        self,
        *,
        delay_s: float = 2.0,
        labour_min: float = 90.0,
        people: int = 1,
        parts_arrive_after_s: float | None = None,
    ) -> None:
        self.delay_s = delay_s
        self.labour_min = labour_min
        self.people = people
        self.parts_arrive_after_s = parts_arrive_after_s

    async def work(self, desk: WorkDesk, complete: Callable[[str, Completion], Awaitable[None]]) -> None:
        """Until cancelled."""
        while True:
            desk.changed.clear()
            next_look_s: float | None = None
            for order in desk.waiting_orders():
                wait_s = self._wait_s(order)
                if wait_s is None:
                    continue
                if wait_s > 0:
                    next_look_s = wait_s if next_look_s is None else min(wait_s, next_look_s)
                elif order.ready:
                    await complete(order.number, self.report(order))
                else:
                    desk.parts_arrived(order.number)
            try:
                async with asyncio.timeout(next_look_s):
                    await desk.changed.wait()
            except TimeoutError:
                continue

    def report(self, order: WaitingOrder) -> Completion:
        """What the technician books: all parts of the task, the same hours for each person."""
        finished = datetime.now(UTC).replace(microsecond=0)
        started = finished - timedelta(minutes=self.labour_min)
        return Completion(
            started_at=rfc3339(started),
            finished_at=rfc3339(finished),
            cause_code="SEAL-WEAR",
            remedy_code="REPLACED",
            labour=[
                LabourBooking(
                    operation="0010",
                    person_no=person.person,
                    begin=rfc3339(started),
                    end=rfc3339(finished),
                    hourly_rate={"amount": person.hourly_rate, "currency": person.currency},
                )
                for person in TECHNICIANS[: self.people]
            ],
            parts_used=[
                PartUsed(pos=line["pos"], part_no=line["partNo"], qty=line["qty"], uom=line["uom"])
                for line in order.part_lines
            ],
        )

    def _wait_s(self, order: WaitingOrder) -> float | None:
        """Seconds until something is to be done about the order; None: never by the technician alone."""
        delay_s = self.delay_s if order.ready else self.parts_arrive_after_s
        if delay_s is None:
            return None
        return delay_s - (datetime.now(UTC) - order.since).total_seconds()
