"""Assets, requests, orders and their completion: what a CMMS or EAM masters."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Key, Moment, Value

__all__ = [
    "AssetPeriod",
    "AssetRef",
    "MaintenanceOrder",
    "MaintenanceOrderState",
    "MaintenanceRequest",
    "MaintenanceTrigger",
    "MaterialActual",
    "Observation",
    "OpenOrders",
    "OrderCompletion",
    "OrderSettlement",
    "PartRequirement",
    "PersonnelActual",
    "PhysicalAsset",
    "PlannedOrder",
    "PlannedWork",
    "RequestState",
    "TaskState",
    "TaskUpdate",
]


class AssetRef(Value, frozen=True, kw_only=True):
    physical_asset_id: Key


class AssetPeriod(Value, frozen=True, kw_only=True):
    """[start_time, end_time) of one asset."""

    physical_asset_id: Key
    start_time: Moment
    end_time: Moment


class PartRequirement(Value, frozen=True, kw_only=True):
    line: int
    material_definition_id: Key
    quantity: Quantity
    reservation_id: Key | None = None


class PhysicalAsset(Value, frozen=True, kw_only=True):
    """What a repair needs of the entity physical_asset. repair_kit: parts of a usual corrective order."""

    physical_asset_id: Key
    equipment_id: Key
    description: str
    criticality: int
    cost_center: str
    repair_kit: list[PartRequirement]


class MaintenanceTrigger(StrEnum):
    CONDITION = "condition"
    DOWNTIME = "downtime"
    MANUAL = "manual"
    CALENDAR = "calendar"


class RequestState(StrEnum):
    NEW = "new"
    SCREENED = "screened"
    CONVERTED = "converted"
    REJECTED = "rejected"


class MaintenanceRequest(Value, frozen=True, kw_only=True):
    """Asked of the CMMS; its answer fills id and, where the request became an order, maintenance_order_id.

    rule and episode_start make it the one request of one (asset, rule, episode). Of the entity
    maintenance_request.
    """

    physical_asset_id: Key
    equipment_id: Key
    rule: str
    episode_start: Moment
    trigger: MaintenanceTrigger
    priority: int
    description: str
    malfunction_start: Moment
    condition_event_id: Key | None = None
    id: Key | None = None
    maintenance_order_id: Key | None = None
    state: RequestState = RequestState.NEW


class MaintenanceOrderState(StrEnum):
    RELEASED = "Released"
    READY = "Ready"
    RUNNING = "Running"
    HELD = "Held"
    COMPLETED = "Completed"
    CANCELLED = "Cancelled"
    CLOSED = "Closed"


class MaintenanceOrder(Value, frozen=True, kw_only=True):
    """A view of the entity maintenance_order."""

    id: Key
    physical_asset_id: Key
    description: str
    state: MaintenanceOrderState
    maintenance_request_id: Key | None = None


class OpenOrders(Value, frozen=True, kw_only=True):
    """Orders of an asset that are neither completed, cancelled nor closed; oldest first."""

    orders: list[MaintenanceOrder]


class PlannedOrder(Value, frozen=True, kw_only=True):
    """Work that was planned for [start_time, end_time), whether or not it was done then."""

    id: Key
    physical_asset_id: Key
    start_time: Moment
    end_time: Moment


class PlannedWork(Value, frozen=True, kw_only=True):
    """Planned orders of an asset that overlap the period and were not cancelled; by start."""

    orders: list[PlannedOrder]


class Observation(Value, frozen=True, kw_only=True):
    """A further finding joined to an order that is already open."""

    maintenance_order_id: Key
    physical_asset_id: Key
    rule: str
    episode_start: Moment
    text: str
    id: Key | None = None


class TaskState(StrEnum):
    PARTS_RESERVED = "parts_reserved"
    WAITING_FOR_PARTS = "waiting_for_parts"


class TaskUpdate(Value, frozen=True, kw_only=True):
    """What the technician sees on the order's task: are the parts there, and under which reservation."""

    maintenance_order_id: Key
    state: TaskState
    note: str
    part_requirement: list[PartRequirement]


class PersonnelActual(Value, frozen=True, kw_only=True):
    """One person's work on one operation. Duration is end − start, in UTC."""

    operation: str
    person_id: Key
    start_time: Moment
    end_time: Moment
    hourly_rate: Decimal
    currency: str


class MaterialActual(Value, frozen=True, kw_only=True):
    """One consumption, with the CMMS's own id for it."""

    id: Key
    line: int
    material_definition_id: Key
    quantity: Quantity
    material_lot_id: Key | None = None


class OrderCompletion(Value, frozen=True, kw_only=True):
    """A maintenance_order as completed by the technician."""

    id: Key
    physical_asset_id: Key
    actual_start_time: Moment
    actual_end_time: Moment
    personnel_actual: list[PersonnelActual]
    material_actual: list[MaterialActual]
    failure_code: str
    remedy_code: str
    maintenance_request_id: Key | None = None


class OrderSettlement(Value, frozen=True, kw_only=True):
    """What a completed order came to in ERP: numbers of its movements and costs, and the sum of labour."""

    maintenance_order_id: Key
    physical_asset_id: Key
    movement_id: list[Key]
    cost_id: list[Key]
    labour_amount: Decimal
    currency: str
