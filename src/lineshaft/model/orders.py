"""Production orders and the jobs that carry them out. Source: B2MML OperationsRequest, JobOrder."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from lineshaft.core.quantity import Quantity, Unit
from lineshaft.core.values import Key, Moment, Value
from lineshaft.model.enumerations import (
    DispatchStatus,
    JobOrderCommand,
    OperationsRequestState,
    OperationsType,
)
from lineshaft.model.measures import Percent, in_order, not_negative, positive

__all__ = [
    "DispatchedOrder",
    "ExceptionSeverity",
    "JobChange",
    "JobOrder",
    "JobOrderParameter",
    "JobRef",
    "MaterialRequirement",
    "OperationsRequest",
    "OrderDispatch",
    "OrderRef",
    "OrderStateChange",
    "OrdersSince",
    "ProductionException",
    "ReleasedOrders",
    "SegmentRequirement",
]


class OrderRef(Value, frozen=True, kw_only=True):
    operations_request_id: Key


class MaterialRequirement(Value, frozen=True, kw_only=True):
    """line: of the order's components, as ERP numbers them"""

    line: str
    material_definition_id: Key
    quantity: Quantity
    material_lot_id: Key | None = None
    storage_location: str | None = None


class SegmentRequirement(Value, frozen=True, kw_only=True):
    """One operation of the order. equipment_requirement: a work centre, or equipment in it."""

    id: Key
    operations_segment_id: Key
    earliest_start_time: Moment | None = None
    latest_end_time: Moment | None = None
    equipment_requirement: Key | None = None
    material_requirement: list[MaterialRequirement] = msgspec.field(default_factory=list)


class OperationsRequest(Value, frozen=True, kw_only=True):
    """A production order. The tolerances are percent of `quantity`."""

    id: Key
    operations_type: OperationsType
    material_definition_id: Key
    quantity: Quantity
    start_time: Moment
    end_time: Moment
    request_state: OperationsRequestState
    hierarchy_scope: str
    segment_requirement: Annotated[list[SegmentRequirement], Meta(min_length=1)]
    order_type: str | None = None
    under_delivery_tolerance: Percent | None = None
    over_delivery_tolerance: Percent | None = None
    priority: int | None = None
    customer_order_id: Key | None = None
    operations_schedule_id: Key | None = None
    other_value: dict[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        positive(quantity=self.quantity)
        in_order(start_time=self.start_time, end_time=self.end_time)
        not_negative(
            under_delivery_tolerance=self.under_delivery_tolerance,
            over_delivery_tolerance=self.over_delivery_tolerance,
        )


class OrderStateChange(Value, frozen=True, kw_only=True):
    """A production order went into another state, in ERP or, told to ERP, in the MES.

    sequence   grows with every change of the order's state in the system that tells it
    """

    id: Key
    request_state: OperationsRequestState
    changed_time: Moment
    sequence: str
    reason_code: Key | None = None
    other_value: dict[str, str] = msgspec.field(default_factory=dict)


class OrdersSince(Value, frozen=True, kw_only=True):
    """Orders of a site that were released or changed from a moment on."""

    site: Key
    changed_from: Moment


class ReleasedOrders(Value, frozen=True, kw_only=True):
    orders: list[OperationsRequest]


class ExceptionSeverity(StrEnum):
    LATE = "late"
    AT_RISK = "at_risk"
    STOPPED = "stopped"


class ProductionException(Value, frozen=True, kw_only=True):
    """An order will not be done as planned; its planner has to know.

    event_id      of the event that says so; one exception per order and event
    id            given by ERP
    """

    operations_request_id: Key
    event_id: Key
    severity: ExceptionSeverity
    reason_code: Key
    description: str
    detected_at: Moment
    work_center_id: Key | None = None
    expected_end_time: Moment | None = None
    id: Key | None = None


class JobOrderParameter(Value, frozen=True, kw_only=True):
    id: str
    value: str
    unit_of_measure: Unit | None = None


class JobOrder(Value, frozen=True, kw_only=True):
    """One operation of an order on one equipment. start_time, end_time: planned, and actual once they are."""

    id: Key
    operations_request_id: Key
    segment_requirement_id: Key
    equipment_id: Key
    quantity: Quantity
    dispatch_status: DispatchStatus
    work_master_id: Key | None = None
    start_time: Moment | None = None
    end_time: Moment | None = None
    priority: Annotated[int, Meta(ge=-32768, le=32767)] | None = None
    command: JobOrderCommand | None = None
    job_order_parameter: list[JobOrderParameter] = msgspec.field(default_factory=list)
    other_value: dict[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        positive(quantity=self.quantity)
        in_order(start_time=self.start_time, end_time=self.end_time)


class JobRef(Value, frozen=True, kw_only=True):
    job_order_id: Key


class JobChange(Value, frozen=True, kw_only=True):
    """A job is to be held or resumed. event_id: what for; the same is done once per job and event."""

    job_order_id: Key
    command: JobOrderCommand
    event_id: Key
    reason_code: Key
    other_value: dict[str, str] = msgspec.field(default_factory=dict)


class OrderDispatch(Value, frozen=True, kw_only=True):
    """A released order for the MES. revision: 0 first, then one more each time that ERP has changed it"""

    operations_request_id: Key
    revision: int = 0
    operations_request: OperationsRequest

    def __post_init__(self) -> None:
        if self.operations_request.id != self.operations_request_id:
            raise ValueError(
                f"operations_request_id {self.operations_request_id} is not that of the order, "
                f"{self.operations_request.id}"
            )


class DispatchedOrder(Value, frozen=True, kw_only=True):
    """The jobs that the MES made of an order."""

    operations_request_id: Key
    revision: int = 0
    job_order: list[JobOrder]
