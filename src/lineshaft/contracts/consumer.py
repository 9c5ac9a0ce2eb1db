"""What consumer APIs answer with: orders, assets, stock and quality as events have told them.

Field names are those of the canonical model. `as_of` is the time of the newest fact in a row.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Key, Moment, Value

__all__ = [
    "AssetEvent",
    "AssetStatus",
    "ConfirmationStatus",
    "EquipmentState",
    "JobStatus",
    "LastEvent",
    "LotQuality",
    "OpenAlarm",
    "OpenDowntime",
    "OpenMaintenanceOrder",
    "OpenMaintenanceRequest",
    "OrderStatus",
    "Page",
    "PlaceBalance",
    "QualityOutcome",
    "StockLevel",
]

T = TypeVar("T", bound=Value)


class LastEvent(Value, frozen=True, kw_only=True):
    id: Key
    type: str
    time: Moment


class JobStatus(Value, frozen=True, kw_only=True):
    id: Key
    dispatch_status: str
    segment_requirement_id: str | None = None
    equipment_id: str | None = None
    quantity: Quantity | None = None
    start_time: Moment | None = None
    end_time: Moment | None = None


class ConfirmationStatus(Value, frozen=True, kw_only=True):
    """What ERP did with a confirmation. state: posted, rejected; document: its number in ERP"""

    id: Key
    state: str
    document: str | None = None
    code: str | None = None
    reason: str | None = None


class OrderStatus(Value, frozen=True, kw_only=True):
    """An order's plan, and how far it is.

    request_state      ERP's, where it holds or ends the order; else as its jobs and confirmations tell
    yield_quantity     good ones by confirmations that were not reversed; scrap and rework are not in it
    accepted_quantity  good ones by counts of machines that agree with the MES
    end_time           planned; actual_end_time: of its last final confirmation or job, once all are done
    is_late, delay_s   end against planned end, or now against it while the order is open
    behind_s           how long ago the oldest event was recorded that is not in here yet; 0: none
    """

    id: Key
    plant: str
    request_state: str
    is_late: bool
    as_of: Moment
    behind_s: float
    material_definition_id: str | None = None
    order_type: str | None = None
    customer_order_id: str | None = None
    priority: int | None = None
    reason_code: str | None = None
    quantity: Quantity | None = None
    yield_quantity: Quantity | None = None
    scrap_quantity: Quantity | None = None
    rework_quantity: Quantity | None = None
    accepted_quantity: Quantity | None = None
    start_time: Moment | None = None
    end_time: Moment | None = None
    actual_end_time: Moment | None = None
    delay_s: float | None = None
    job_order: list[JobStatus]
    confirmation: list[ConfirmationStatus]
    last_event: LastEvent | None = None


class EquipmentState(Value, frozen=True, kw_only=True):
    """state: number of ISA-TR88.00.02"""

    state: int
    start_time: Moment
    mode: int | None = None
    reason_code: str | None = None


class OpenDowntime(Value, frozen=True, kw_only=True):
    rule: str
    start_time: Moment
    reason_code: str | None = None
    upstream: str | None = None


class OpenAlarm(Value, frozen=True, kw_only=True):
    """severity: 1 to 1000"""

    alarm_id: str
    severity: int
    message: str
    raised_time: Moment


class OpenMaintenanceRequest(Value, frozen=True, kw_only=True):
    id: Key
    state: str | None = None
    priority: int | None = None
    description: str | None = None
    malfunction_start: Moment | None = None


class OpenMaintenanceOrder(Value, frozen=True, kw_only=True):
    id: Key
    state: str
    maintenance_request_id: str | None = None
    maintenance_type: str | None = None
    start_time: Moment | None = None
    end_time: Moment | None = None


class AssetStatus(Value, frozen=True, kw_only=True):
    """An equipment and the physical asset in it, by either id: its state, and what stands open."""

    id: Key
    plant: str
    as_of: Moment
    behind_s: float
    equipment_id: str | None = None
    physical_asset_id: str | None = None
    state: EquipmentState | None = None
    downtime: list[OpenDowntime]
    alarm: list[OpenAlarm]
    maintenance_request: list[OpenMaintenanceRequest]
    maintenance_order: list[OpenMaintenanceOrder]
    last_event: LastEvent | None = None


class AssetEvent(Value, frozen=True, kw_only=True):
    """One event of an asset. data: as its contract says"""

    id: Key
    type: str
    source: str
    plant: str
    time: Moment
    data: dict[str, Any]
    correlationid: str = ""


class PlaceBalance(Value, frozen=True, kw_only=True):
    """stock_type: UnRestricted, Restricted or In-Process"""

    stock_type: str
    quantity: Quantity
    as_of: Moment
    source_sequence: str
    storage_location: str | None = None
    material_lot_id: str | None = None


class StockLevel(Value, frozen=True, kw_only=True):
    """Stock of a material at a site.

    quantity            on hand, what is reserved and blocked included
    reserved_quantity   as the system of record tells it with its balance; else what open reservations ask for
    blocked_quantity    restricted stock, and lots under a quality hold
    available_quantity  on hand less both; below zero where more is promised than there is
    as_of               of the newest balance
    """

    material_definition_id: Key
    site: str
    plant: str
    as_of: Moment
    behind_s: float
    quantity: Quantity | None = None
    reserved_quantity: Quantity | None = None
    blocked_quantity: Quantity | None = None
    available_quantity: Quantity | None = None
    balance: list[PlaceBalance]
    lots_on_hold: list[str]
    last_event: LastEvent | None = None


class QualityOutcome(Value, frozen=True, kw_only=True):
    """kind: inspection, nonconformance or hold; state: how far it is; time: of the event that told so"""

    id: Key
    kind: str
    state: str
    time: Moment
    plant: str
    material_lot_id: str | None = None
    material_definition_id: str | None = None
    operations_request_id: str | None = None
    testable_object_id: str | None = None
    evaluated_criterion_result: str | None = None
    evaluation_date: Moment | None = None
    quantity: Quantity | None = None
    defect_code: str | None = None
    origin: str | None = None
    disposition: str | None = None
    reason_code: str | None = None
    placed_time: Moment | None = None
    placed_by: str | None = None
    released_time: Moment | None = None
    released_by: str | None = None


class LotQuality(Value, frozen=True, kw_only=True):
    """state: held while a hold is active, else the result of the newest inspection, or how far that is"""

    material_lot_id: Key
    plant: str
    state: str
    as_of: Moment
    behind_s: float
    outcome: list[QualityOutcome]
    last_event: LastEvent | None = None


class Page(Value, Generic[T], frozen=True, kw_only=True):
    """next: cursor of the page after this; missing on the last one"""

    items: list[T]
    behind_s: float
    next: str | None = None
