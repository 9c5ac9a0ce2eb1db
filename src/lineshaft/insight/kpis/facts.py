"""What KPIs take of the payloads of events, by event type; and of the audit, what people decided."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zlib import crc32

import msgspec

from lineshaft.contracts.events.equipment import DOWNTIME_CLASSIFIED, DOWNTIME_ENDED, STATE_CHANGED
from lineshaft.contracts.events.inventory import BALANCE_RECONCILED, RESERVATION_CREATED
from lineshaft.contracts.events.maintenance import MAINTENANCE_ORDER_COMPLETED, MAINTENANCE_REQUEST_CREATED
from lineshaft.contracts.events.masterdata import ROUTING_CHANGED
from lineshaft.contracts.events.procurement import REQUISITION_CREATED
from lineshaft.contracts.events.production import (
    CONFIRMATION_POSTED,
    CONFIRMATION_RECORDED,
    CONFIRMATION_REJECTED,
    CONFIRMATION_REVERSED,
    COUNT_ACCEPTED,
    JOB_DISPATCHED,
    ORDER_CHANGED,
    ORDER_RELEASED,
)
from lineshaft.core.quantity import Quantity
from lineshaft.model.downtime import StopClass

__all__ = [
    "DECISION",
    "FACTS",
    "FORM",
    "Answered",
    "Comparison",
    "Completion",
    "Confirmation",
    "Count",
    "Decision",
    "Job",
    "Order",
    "Request",
    "Requisition",
    "Reservation",
    "Routing",
    "Segment",
    "StateChange",
    "Stop",
]

DECISION = "decision"


class Fact(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """gc: there are hundreds of thousands, none refers to itself, and looking for that takes long."""


class StateChange(Fact, frozen=True):
    equipment_id: str
    state: int
    start_time: datetime
    mode: int | None = None
    previous: int | None = None
    previous_start_time: datetime | None = None


class Stop(Fact, frozen=True):
    equipment_id: str
    rule: str
    start_time: datetime
    end_time: datetime | None = None
    upstream: str = ""


class Segment(Fact, frozen=True):
    equipment_id: str
    rule: str
    stop_start_time: datetime
    segment: int
    start_time: datetime
    end_time: datetime
    classification: StopClass
    work_center_id: str = ""
    revision: int = 0


class Used(Fact, frozen=True):
    equipment_id: str


class Confirmation(Fact, frozen=True):
    id: str
    operations_request_id: str
    segment_requirement_id: str
    actual_start_time: datetime
    actual_end_time: datetime
    yield_quantity: Quantity
    revision: int = 0
    scrap_quantity: Quantity | None = None
    rework_quantity: Quantity | None = None
    equipment_actual: list[Used] = []
    reversal_of: str | None = None


class Answered(Fact, frozen=True):
    """By ERP, a confirmation."""

    id: str
    revision: int = 0


class Count(Fact, frozen=True):
    equipment_id: str
    property: str
    material_definition_id: str
    operations_segment_id: str
    start_time: datetime
    end_time: datetime
    quantity: Quantity
    revision: int = 0


class Operation(Fact, frozen=True):
    id: str
    operations_segment_id: str = ""


class Order(Fact, frozen=True):
    id: str
    material_definition_id: str
    segment_requirement: list[Operation]


class Job(Fact, frozen=True):
    operations_request_id: str
    segment_requirement_id: str
    equipment_id: str
    quantity: Quantity
    start_time: datetime | None = None
    end_time: datetime | None = None


class RoutedOperation(Fact, frozen=True):
    id: str
    run_time_per_unit: float | None = None


class Routing(Fact, frozen=True):
    material_definition_id: str
    operations_segment: list[RoutedOperation]


class Request(Fact, frozen=True):
    physical_asset_id: str
    malfunction_start: datetime
    id: str | None = None
    maintenance_order_id: str | None = None


class Completion(Fact, frozen=True):
    id: str
    physical_asset_id: str
    actual_start_time: datetime
    actual_end_time: datetime
    maintenance_request_id: str | None = None


class Reservation(Fact, frozen=True):
    for_reference: str
    material_definition_id: str


class Requisition(Fact, frozen=True):
    reference: str
    material_definition_id: str
    reason: str


class Comparison(Fact, frozen=True):
    site: str
    left: str
    right: str
    compared: int
    different: int


class Decision(Fact, frozen=True):
    action: str
    subject: str
    actor: str


FACTS: Mapping[str, type[Fact]] = {
    STATE_CHANGED.type: StateChange,
    DOWNTIME_ENDED.type: Stop,
    DOWNTIME_CLASSIFIED.type: Segment,
    CONFIRMATION_RECORDED.type: Confirmation,
    CONFIRMATION_REVERSED.type: Confirmation,
    CONFIRMATION_POSTED.type: Answered,
    CONFIRMATION_REJECTED.type: Answered,
    COUNT_ACCEPTED.type: Count,
    ORDER_RELEASED.type: Order,
    ORDER_CHANGED.type: Order,
    JOB_DISPATCHED.type: Job,
    ROUTING_CHANGED.type: Routing,
    MAINTENANCE_REQUEST_CREATED.type: Request,
    MAINTENANCE_ORDER_COMPLETED.type: Completion,
    RESERVATION_CREATED.type: Reservation,
    REQUISITION_CREATED.type: Requisition,
    BALANCE_RECONCILED.type: Comparison,
    DECISION: Decision,
}


def _form() -> str:
    fields = [
        (kind, [(field.name, str(field.type)) for field in msgspec.structs.fields(what)])
        for kind, what in FACTS.items()
    ]
    return f"{crc32(repr(fields).encode()):08x}"


FORM = _form()
"""Of what is taken: another one where a release takes more."""
