"""Maintenance requests and orders as their system of record holds them. Source: B2MML OperationsRequest."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Key, Moment, Value
from lineshaft.model.confirmation import LabourActual, MaterialUsed
from lineshaft.model.maintenance import MaintenanceOrderState, MaintenanceTrigger, RequestState
from lineshaft.model.measures import in_order, positive

__all__ = [
    "MaintenanceCompletion",
    "MaintenanceOrderRecord",
    "MaintenanceRequestRecord",
    "MaintenanceType",
    "RequiredPart",
]


class MaintenanceRequestRecord(Value, frozen=True, kw_only=True):
    """condition_event_id: of the event that it came of; see MaintenanceRequest for how one is asked for"""

    id: Key
    physical_asset_id: Key
    priority: int
    trigger: MaintenanceTrigger
    description: str
    state: RequestState
    equipment_id: Key | None = None
    condition_event_id: Key | None = None
    malfunction_start: Moment | None = None


class MaintenanceType(StrEnum):
    CORRECTIVE = "corrective"
    PREVENTIVE = "preventive"
    CONDITION_BASED = "condition_based"


class RequiredPart(Value, frozen=True, kw_only=True):
    material_definition_id: Key
    quantity: Quantity
    reservation_id: Key | None = None

    def __post_init__(self) -> None:
        positive(quantity=self.quantity)


class MaintenanceCompletion(Value, frozen=True, kw_only=True):
    """What the technician reports."""

    actual_start_time: Moment
    actual_end_time: Moment
    asset_returned_to_service: bool
    personnel_actual: list[LabourActual] = msgspec.field(default_factory=list)
    material_actual: list[MaterialUsed] = msgspec.field(default_factory=list)
    failure_code: Key | None = None
    cause_code: Key | None = None
    remedy_code: Key | None = None

    def __post_init__(self) -> None:
        in_order(actual_start_time=self.actual_start_time, actual_end_time=self.actual_end_time)


class MaintenanceOrderRecord(Value, frozen=True, kw_only=True):
    """completion: a completed order has one; before that there is none"""

    id: Key
    physical_asset_id: Key
    maintenance_type: MaintenanceType
    state: MaintenanceOrderState
    completion: MaintenanceCompletion | None = None
    maintenance_request_id: Key | None = None
    start_time: Moment | None = None
    end_time: Moment | None = None
    part_requirement: list[RequiredPart] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        if self.state is MaintenanceOrderState.COMPLETED and self.completion is None:
            raise ValueError(f"order {self.id} is Completed and has no completion")
        in_order(start_time=self.start_time, end_time=self.end_time)
