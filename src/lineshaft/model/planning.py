"""Plans: proposed orders, capacities and schedules. Source: B2MML OperationsRequest, OperationsCapability."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Key, Moment, Value
from lineshaft.model.enumerations import CapabilityType
from lineshaft.model.measures import Hours, in_order, in_unit, not_negative, positive

__all__ = [
    "Demand",
    "DemandKind",
    "FirmedOrder",
    "OperationsCapability",
    "PlannedOrderRecord",
    "PlannedOrderState",
    "RescheduleRequest",
    "Schedule",
    "ScheduledJob",
    "WorkCenterRef",
]


class PlannedOrderState(StrEnum):
    PROPOSED = "proposed"
    FIRMED = "firmed"
    CONVERTED = "converted"
    WITHDRAWN = "withdrawn"


class PlannedOrderRecord(Value, frozen=True, kw_only=True):
    """A production order that planning proposes: the entity planned_order."""

    id: Key
    material_definition_id: Key
    quantity: Quantity
    start_time: Moment
    end_time: Moment
    plan_version: str
    state: PlannedOrderState
    work_center_id: Key | None = None

    def __post_init__(self) -> None:
        positive(quantity=self.quantity)
        in_order(start_time=self.start_time, end_time=self.end_time)


class DemandKind(StrEnum):
    FORECAST = "forecast"
    SALES_ORDER = "sales_order"


class Demand(Value, frozen=True, kw_only=True):
    """What planning has to cover.

    reference   of the forecast or the sales order
    revision    a newer one replaces it
    """

    reference: Key
    line: str
    revision: int
    kind: DemandKind
    material_definition_id: Key
    quantity: Quantity
    required_date: date
    site: str

    def __post_init__(self) -> None:
        not_negative(quantity=self.quantity)


class FirmedOrder(Value, frozen=True, kw_only=True):
    """A planned order became a production order of ERP."""

    planned_order_id: Key
    operations_request_id: Key
    plan_version: str


class OperationsCapability(Value, frozen=True, kw_only=True):
    """What equipment can do in [start_time, end_time), in hours. confidence_factor: 0 to 1"""

    id: Key
    equipment_id: Key
    start_time: Moment
    end_time: Moment
    capability_type: CapabilityType
    quantity: Hours
    reason: str | None = None
    confidence_factor: Decimal | None = None
    other_value: dict[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        in_unit("HUR", quantity=self.quantity)
        not_negative(quantity=self.quantity, confidence_factor=self.confidence_factor)
        in_order(start_time=self.start_time, end_time=self.end_time)


class WorkCenterRef(Value, frozen=True, kw_only=True):
    work_center_id: Key


class RescheduleRequest(Value, frozen=True, kw_only=True):
    """Recalculate the plan of a work centre. event_id: what for; once per work centre and event."""

    work_center_id: Key
    event_id: Key
    reason: str
    from_time: Moment
    operations_request_id: list[Key] = msgspec.field(default_factory=list)


class ScheduledJob(Value, frozen=True, kw_only=True):
    operations_request_id: Key
    segment_requirement_id: Key
    start_time: Moment
    end_time: Moment
    equipment_id: Key | None = None

    def __post_init__(self) -> None:
        in_order(start_time=self.start_time, end_time=self.end_time)


class Schedule(Value, frozen=True, kw_only=True):
    """The plan of one work centre; a later version replaces it as a whole."""

    work_center_id: Key
    plan_version: Annotated[str, Meta(min_length=1)]
    published_time: Moment
    job: list[ScheduledJob]
