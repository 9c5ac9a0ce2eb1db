"""A plant's evening in the ledger: a leaking filler and its repair, an order that waits, calls gone wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import insert

from lineshaft.console import LiveValue, PlantView, SystemView
from lineshaft.console.views import ValueState
from lineshaft.contracts.catalogue import (
    EVENTS,
    MAINTENANCE_ORDER_COMPLETED,
    MAINTENANCE_ORDER_SETTLED,
    MOVEMENT_POSTED,
    THRESHOLD_EXCEEDED,
    operation,
)
from lineshaft.core.clock import rfc3339
from lineshaft.core.ids import business_key
from lineshaft.core.ports import HealthState
from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Command, Event, ExceptionKind, ExceptionRecord, Origin, OutcomeState, Value
from lineshaft.ledger import Audit, Claims, Desk, EventLog
from lineshaft.model.condition import Evidence, LimitKind, ThresholdExceeded
from lineshaft.model.inventory import ConsumptionPosting, Reservation, StockMovement
from lineshaft.model.maintenance import (
    MaintenanceRequest,
    MaintenanceTrigger,
    OrderCompletion,
    TaskState,
    TaskUpdate,
)
from lineshaft.model.procurement import PurchaseRequisition, RequisitionReason
from lineshaft.store import Outbox, Store
from lineshaft.store.schema import process_steps, process_waits, processes

PLANT = PlantView(name="hamburg", title="Bottling Hamburg", enterprise="Nordquell", time_zone="Europe/Berlin")
EPISODE = datetime(2026, 3, 9, 13, 2, 11, 250000, tzinfo=UTC)
ASSET = "FILLER-07"


class MovedClock:
    """Wall time by hand, monotonic time by the machine."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return datetime.now(UTC).timestamp()

    def to(self, start: datetime, seconds: float) -> datetime:
        self.at = start + timedelta(seconds=seconds)
        return self.at


class Factory:
    def __init__(self, store: Store, start: datetime = EPISODE) -> None:
        self.store = store
        self.start = start
        self.clock = MovedClock(start)
        self.events = EventLog(store, EVENTS, self.clock)
        self.claims = Claims(store, Outbox(store), Audit("node", self.clock), self.clock)
        self.desk = Desk(store, self.clock)

    async def breach(
        self, at_s: float = 0.0, *, asset: str = ASSET, rule: str = "seal-pressure-low"
    ) -> Event:
        start = self.start + timedelta(seconds=at_s)
        detected = self.clock.to(start, 3.1)
        event = THRESHOLD_EXCEEDED.make(
            ThresholdExceeded(
                equipment_id="BL2-FILL",
                physical_asset_id=asset,
                rule=rule,
                rule_version="3",
                property="seal_pressure",
                kind=LimitKind.LOW,
                value=1.42,
                limit=1.8,
                unit="BAR",
                severity=2,
                episode_start=start,
                detected_at=detected,
                evidence=Evidence(
                    topic="nordquell/hamburg/bl2/filler/seal",
                    position="RAW:48211",
                    time=start + timedelta(seconds=3),
                    value=1.42,
                ),
            ),
            plant=PLANT.name,
            source="/nordquell/hamburg/telemetry/1",
            identity=(asset, rule, rfc3339(start)),
            time=detected,
        )
        self.clock.to(start, 3.2)
        await self.events.record([event])
        return event

    async def call(
        self,
        name: str,
        request: Value,
        reply: Value | None,
        at: datetime,
        cause: str,
        story: str,
        *,
        took_s: float = 0.12,
        state: OutcomeState = OutcomeState.POSTED,
        error: str = "",
        attempts: int = 1,
        system: str = "",
    ) -> str:
        """Through the ledger's own claims. Returns the call id."""
        done = operation(name)
        origin = Origin(
            plant=PLANT.name, actor="process:corrective_maintenance", correlation_id=story, causation_id=cause
        )
        self.clock.at = at
        target = system or {"erp": "tryton", "maintenance": "atlas"}.get(name.partition(".")[0], "stockroom")
        command = Command(operation=name, request=request, origin=origin)
        claim = await self.claims.claim(command, done, target)
        if state is OutcomeState.SENDING:
            return claim.call_id
        self.clock.to(at, took_s)
        if reply is not None:
            await self.claims.posted(claim, done, reply, attempts, None)
        else:
            await self.claims.not_posted(claim, state, attempts, "closed_period", error)
        return claim.call_id

    async def process(
        self,
        event: Event,
        key: str,
        *,
        state: str,
        at_s: float,
        finished_s: float | None = None,
        steps: Sequence[dict[str, Any]] = (),
        cause: str = "",
        wake_s: float | None = None,
    ) -> str:
        process_id = business_key("process", "corrective_maintenance", key)
        start = event.time
        row = {
            "process_id": process_id,
            "type": "corrective_maintenance",
            "version": 1,
            "business_key": key,
            "state": state,
            "plant": PLANT.name,
            "input": event.data.decode(),
            "cause": cause,
            "owner": "maintenance",
            "correlation_id": event.correlationid,
            "causation_id": event.id,
            "started_at": rfc3339(start + timedelta(seconds=at_s)),
            "wake_at": (start + timedelta(seconds=wake_s)).timestamp() if wake_s else None,
            "updated_at": rfc3339(start + timedelta(seconds=finished_s or at_s)),
            "finished_at": rfc3339(start + timedelta(seconds=finished_s)) if finished_s else "",
        }

        def unit(connection: Any) -> None:
            connection.execute(insert(processes).values(**row))
            for number, step in enumerate(steps):
                facts = dict(step)
                at, took = facts.pop("at"), facts.pop("took", 0.2)
                waited = facts.pop("waited", None)
                connection.execute(
                    insert(process_steps).values(
                        process_id=process_id,
                        step=number,
                        started_at=rfc3339(start + timedelta(seconds=at)),
                        finished_at="" if took is None else rfc3339(start + timedelta(seconds=at + took)),
                        **{"state": "done", "attempts": 1, "input": "{}", "output": "{}", **facts},
                    )
                )
                if waited is not None:
                    connection.execute(
                        insert(process_waits).values(
                            process_id=process_id,
                            step=number,
                            event_type=MAINTENANCE_ORDER_COMPLETED.type,
                            key="MO-10231",
                            event_id=waited,
                        )
                    )

        await self.store.write(unit)
        return process_id

    async def repaired(self) -> Event:
        """The whole story: breach, request, reservation, two hours of work, posting to ERP."""
        event = await self.breach()
        key = f"{ASSET}/seal-pressure-low/{rfc3339(self.start)}"
        process_id = business_key("process", "corrective_maintenance", key)
        start, story = event.time, event.correlationid

        def at(seconds: float) -> datetime:
            return start + timedelta(seconds=seconds)

        def cause(step: int) -> str:
            return f"{process_id}/{step}"

        asked = MaintenanceRequest(
            physical_asset_id=ASSET,
            equipment_id="BL2-FILL",
            rule="seal-pressure-low",
            episode_start=self.start,
            trigger=MaintenanceTrigger.CONDITION,
            priority=2,
            description="Seal pressure 1.42 bar below 1.8 bar",
            malfunction_start=self.start,
            condition_event_id=event.id,
        )
        created = msgspec.structs.replace(asked, id="MR-5521", maintenance_order_id="MO-10231")
        await self.call("maintenance.create_request", asked, created, at(0.42), cause(1), story)
        reservation = Reservation(
            for_reference="MO-10231",
            line=1,
            material_definition_id="SEAL-KIT-40",
            site="hamburg",
            quantity=Quantity(value=Decimal(1), unit="C62"),
            required_time=at(3600),
        )
        reserved = msgspec.structs.replace(reservation, id="RES-881")
        await self.call("inventory.reserve", reservation, reserved, at(0.9), cause(2), story, took_s=0.06)
        update = TaskUpdate(
            maintenance_order_id="MO-10231",
            state=TaskState.PARTS_RESERVED,
            note="Parts are reserved",
            part_requirement=[],
        )
        await self.call("maintenance.update_task", update, update, at(1.2), cause(3), story, attempts=2)
        completion = MAINTENANCE_ORDER_COMPLETED.make(
            OrderCompletion(
                id="MO-10231",
                physical_asset_id=ASSET,
                actual_start_time=at(900),
                actual_end_time=at(7300),
                personnel_actual=[],
                material_actual=[],
                failure_code="LEAK",
                remedy_code="REPLACED",
            ),
            plant=PLANT.name,
            source="/nordquell/hamburg/cmms/atlas",
            identity=("MO-10231",),
            time=at(7341),
        )
        self.clock.at = at(7341.6)
        await self.events.record([completion])
        consumption = ConsumptionPosting(
            maintenance_order_id="MO-10231",
            line=1,
            consumption_id="CON-71",
            material_definition_id="SEAL-KIT-40",
            quantity=Quantity(value=Decimal(1), unit="C62"),
            site="hamburg",
            posting_date=date(2026, 3, 9),
            cost_center="CC-410",
        )
        movement = StockMovement(
            id="SHIP/2026/0412",
            reference="MO-10231",
            material_definition_id="SEAL-KIT-40",
            quantity=consumption.quantity,
            posting_date=consumption.posting_date,
        )
        posting = await self.call(
            "erp.post_consumption", consumption, movement, at(7342.1), cause(5), story, took_s=0.61
        )
        await self.process(
            event,
            key,
            state="completed",
            at_s=0.2,
            finished_s=7343.4,
            steps=[
                {"kind": "call", "name": "maintenance.asset", "at": 0.21, "took": 0.15},
                {"kind": "call", "name": "maintenance.create_request", "at": 0.4},
                {"kind": "call", "name": "inventory.reserve", "at": 0.88},
                {"kind": "call", "name": "maintenance.update_task", "at": 1.18, "attempts": 2},
                {
                    "kind": "wait",
                    "name": MAINTENANCE_ORDER_COMPLETED.type,
                    "at": 1.5,
                    "took": 7340.3,
                    "waited": completion.id,
                },
                {"kind": "call", "name": "erp.post_consumption", "at": 7342.0, "took": 0.8},
                {"kind": "publish", "name": MAINTENANCE_ORDER_SETTLED.type, "at": 7343.0},
            ],
        )
        posted = MOVEMENT_POSTED.make(
            movement,
            plant=PLANT.name,
            source="/nordquell/hamburg/erp/tryton",
            identity=(movement.id,),
            time=at(7342.8),
            correlation_id=story,
            causation_id=posting,
        )
        self.clock.at = at(7343.2)
        await self.events.record([posted])
        return event

    async def disturbed(self, at_s: float) -> None:
        """A second asset: ERP refuses, a call goes unanswered, one process waits and one is parked."""
        event = await self.breach(at_s, asset="CAPPER-02", rule="torque-low")
        story, begins = event.correlationid, event.time
        key = f"CAPPER-02/torque-low/{rfc3339(begins)}"
        requisition = PurchaseRequisition(
            reference=story,
            material_definition_id="CLUTCH-12",
            site="hamburg",
            quantity=Quantity(value=Decimal(2), unit="C62"),
            required_date=date(2026, 3, 12),
            reason=RequisitionReason.SHORTAGE,
        )
        process_id = await self.process(
            event,
            key,
            state="parked",
            at_s=0.2,
            cause="ERP refused the requisition: the period 2026-03 is closed",
            steps=[
                {
                    "kind": "call",
                    "name": "erp.create_requisition",
                    "at": 0.4,
                    "took": 0.4,
                    "state": "rejected",
                    "error": json.dumps(
                        {
                            "code": "closed_period",
                            "message": "the period 2026-03 is closed",
                            "owner": "finance",
                        }
                    ),
                }
            ],
        )
        call_id = await self.call(
            "erp.create_requisition",
            requisition,
            None,
            begins + timedelta(seconds=0.5),
            f"{process_id}/0",
            story,
            state=OutcomeState.REJECTED,
            error="the period 2026-03 is closed",
        )
        await self.desk.report(
            [
                ExceptionRecord(
                    kind=ExceptionKind.BUSINESS_FAULT,
                    plant=PLANT.name,
                    source="erp.create_requisition",
                    owner="finance",
                    cause="the period 2026-03 is closed",
                    ref=call_id,
                    correlation_id=story,
                )
            ]
        )
        other = await self.breach(at_s + 40, asset="LABELLER-01", rule="vibration-high")
        await self.process(
            other,
            f"LABELLER-01/vibration-high/{rfc3339(other.time)}",
            state="waiting",
            at_s=0.3,
            wake_s=14 * 86400,
            steps=[
                {
                    "kind": "wait",
                    "name": MAINTENANCE_ORDER_COMPLETED.type,
                    "at": 1.0,
                    "took": None,
                    "state": "waiting",
                }
            ],
        )
        update = TaskUpdate(
            maintenance_order_id="MO-10240", state=TaskState.WAITING_FOR_PARTS, note="", part_requirement=[]
        )
        await self.call(
            "maintenance.update_task",
            update,
            None,
            other.time + timedelta(seconds=1.4),
            "",
            other.correlationid,
            state=OutcomeState.UNKNOWN,
            error="no answer from atlas within 10 s; two look-ups found nothing",
            attempts=4,
            took_s=22.8,
        )
        lost = ExceptionRecord(
            kind=ExceptionKind.UNKNOWN_TAG,
            plant=PLANT.name,
            source="nordquell/hamburg/bl2/palletiser/axis3",
            owner="plant-engineering",
            cause="no tag has this topic and metric 'torque_nm'",
            payload=b'{"torque_nm": 41.2, "ts": "2026-03-09T13:05:00Z"}',
        )
        await self.desk.report([lost, lost, lost])


def systems() -> dict[str, SystemView]:
    since = datetime.now(UTC) - timedelta(hours=7, minutes=12)

    def view(
        name: str, title: str, kind: str, state: HealthState = HealthState.ACTIVE, **more: Any
    ) -> SystemView:
        return SystemView(name=name, title=title, kind=kind, state=state, **{"since": since, **more})

    found = [
        view(
            "tryton",
            "Tryton",
            "ERP",
            latency_ms=41.0,
            breaker="closed",
            detail="trytond 7.4, company Nordquell",
        ),
        view(
            "atlas",
            "Atlas CMMS",
            "CMMS",
            HealthState.DEGRADED,
            latency_ms=2210.0,
            breaker="half-open",
            since=datetime.now(UTC) - timedelta(minutes=4),
            detail="5 faults in a row: no answer within 10 s; probing again",
        ),
        view("stockroom", "Spare-part store", "inventory", latency_ms=7.4, breaker="closed"),
        view("line-mes", "Line MES", "MES", latency_ms=18.2, breaker="closed"),
        view(
            "aps",
            "Planning board",
            "planning",
            HealthState.STARTING,
            detail="loading the calendar of work centres",
        ),
        view(
            "backbone",
            "Backbone",
            "NATS JetStream",
            latency_ms=0.6,
            detail="3 streams, 2 consumers, nothing pending",
        ),
        view("store", "Store", "SQLite", latency_ms=0.3, detail="schema 0001"),
        view("telemetry", "Telemetry", "hot path", latency_ms=1.9, detail="1 240 readings/s, 64 tags"),
    ]
    return {system.name: system for system in found}


def values() -> list[LiveValue]:
    now = datetime.now(UTC)
    beat = now.timestamp()

    def course(middle: float, swing: float, pace: float, drift: float = 0.0) -> tuple[float, ...]:
        return tuple(
            middle
            + swing * math.sin((beat + index) / pace)
            + swing * 0.4 * math.sin((beat + index) * 1.7)
            + drift * index
            for index in range(90)
        )

    def value(tag: str, name: str, unit: str, points: tuple[float, ...], **more: Any) -> LiveValue:
        facts = {"equipment": "BL2-FILL", "value": points[-1] if points else None, "time": now, **more}
        return LiveValue(tag=tag, property=name, unit=unit, points=points, **facts)

    return [
        value(
            "BL2.FILL.SEAL_P",
            "seal_pressure",
            "BAR",
            course(2.3, 0.05, 7, -0.0105),
            limit=1.8,
            limit_side="low",
            state=ValueState.BREACH,
        ),
        value(
            "BL2.FILL.SPEED", "bottles_per_minute", "C62", course(412, 6, 11), limit=350.0, limit_side="low"
        ),
        value(
            "BL2.CAP.VIB", "vibration_velocity", "C16", course(2.1, 0.3, 5), equipment="BL2-CAP", limit=4.5
        ),
        value(
            "BL2.PAST.TEMP",
            "outlet_temperature",
            "CEL",
            course(71.8, 0.4, 13),
            equipment="BL2-PAST",
            time=now - timedelta(minutes=3),
            state=ValueState.STALE,
            quality="stale",
        ),
    ]


__all__ = ["ASSET", "EPISODE", "PLANT", "Factory", "MovedClock", "systems", "values"]
