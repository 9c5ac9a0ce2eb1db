"""The declared contracts: every event type and every capability of the product."""

from __future__ import annotations

from typing import Any

from lineshaft.contracts.capability import Capability, Operation, command, query
from lineshaft.contracts.event import EventContract
from lineshaft.core.values import EventClass
from lineshaft.model.aggregates import CountAggregate, ReadingsAggregate
from lineshaft.model.calendar import CalendarEntries, EquipmentPeriod
from lineshaft.model.condition import SignalLoss, ThresholdExceeded
from lineshaft.model.counting import AcceptedCount, CountedQuantity, CountRef
from lineshaft.model.downtime import ClassifiedStop, StopReason, StopRef
from lineshaft.model.equipment_state import Downtime, StateChange
from lineshaft.model.finance import CostPosting, LabourPosting
from lineshaft.model.inventory import (
    BalanceUpdate,
    ConsumptionPosting,
    MaterialAtSite,
    Release,
    Reservation,
    StockBalance,
    StockMovement,
    Withdrawal,
)
from lineshaft.model.maintenance import (
    AssetPeriod,
    AssetRef,
    MaintenanceRequest,
    Observation,
    OpenOrders,
    OrderCompletion,
    OrderSettlement,
    PhysicalAsset,
    PlannedWork,
    TaskUpdate,
)
from lineshaft.model.procurement import PurchaseRequisition
from lineshaft.model.production import CapacitySignal, EquipmentRef, ProductionContext

__all__ = [
    "BALANCE_CHANGED",
    "CAPABILITIES",
    "CAPACITY_CONSTRAINED",
    "CAPACITY_RESTORED",
    "COST_POSTED",
    "COUNT_ACCEPTED",
    "COUNT_AGGREGATED",
    "DOWNTIME_CLASSIFIED",
    "DOWNTIME_ENDED",
    "DOWNTIME_STARTED",
    "EVENTS",
    "MAINTENANCE_ORDER_COMPLETED",
    "MAINTENANCE_ORDER_SETTLED",
    "MAINTENANCE_REQUEST_CREATED",
    "MOVEMENT_POSTED",
    "READINGS_AGGREGATED",
    "REQUISITION_CREATED",
    "RESERVATION_CREATED",
    "SIGNAL_LOST",
    "STATE_CHANGED",
    "THRESHOLD_EXCEEDED",
    "Erp",
    "Inventory",
    "Maintenance",
    "Planning",
    "Production",
    "WorkCalendar",
    "operation",
]

THRESHOLD_EXCEEDED = EventContract(
    "equipment.condition.threshold_exceeded.v1",
    ThresholdExceeded,
    eventclass=EventClass.OPERATIONAL,
    owner="plant-engineering",
    key="equipment_id",
    sla_s=5,
    summary="A limit on a tag of an asset was broken for longer than its debounce time",
)
SIGNAL_LOST = EventContract(
    "equipment.signal.lost.v1",
    SignalLoss,
    eventclass=EventClass.OPERATIONAL,
    owner="plant-engineering",
    key="equipment_id",
    sla_s=60,
    summary="No good reading of a tag came for longer than its rule allows",
)
STATE_CHANGED = EventContract(
    "equipment.state.changed.v1",
    StateChange,
    eventclass=EventClass.OPERATIONAL,
    owner="plant-engineering",
    key="equipment_id",
    sla_s=5,
    summary="Equipment went into another PackML state",
)
DOWNTIME_STARTED = EventContract(
    "equipment.downtime.started.v1",
    Downtime,
    eventclass=EventClass.OPERATIONAL,
    owner="production",
    key="equipment_id",
    sla_s=5,
    summary="A stop in production mode has lasted longer than a minor one",
)
DOWNTIME_ENDED = EventContract(
    "equipment.downtime.ended.v1",
    Downtime,
    eventclass=EventClass.OPERATIONAL,
    owner="production",
    key="equipment_id",
    sla_s=5,
    summary="A stop that was told as downtime is over",
)
DOWNTIME_CLASSIFIED = EventContract(
    "equipment.downtime.classified.v1",
    ClassifiedStop,
    eventclass=EventClass.TRANSACTIONAL,
    owner="production",
    key="equipment_id",
    sla_s=60,
    summary="What a segment of a stop was, and whether it may be posted",
)
COUNT_AGGREGATED = EventContract(
    "production.count.aggregated.v1",
    CountAggregate,
    eventclass=EventClass.OPERATIONAL,
    owner="production",
    key="equipment_id",
    sla_s=60,
    summary="What a counter of a machine counted in a window",
)
COUNT_ACCEPTED = EventContract(
    "production.count.accepted.v1",
    AcceptedCount,
    eventclass=EventClass.TRANSACTIONAL,
    owner="production",
    key="equipment_id",
    order_by="operations_request_id",
    sla_s=60,
    summary="A machine's count agrees with the MES: its quantity may be received",
)
READINGS_AGGREGATED = EventContract(
    "equipment.readings.aggregated.v1",
    ReadingsAggregate,
    eventclass=EventClass.ANALYTICAL,
    owner="plant-engineering",
    key="equipment_id",
    order_by="tag",
    sla_s=60,
    summary="The readings of a tag in a window, in a few figures",
)
MAINTENANCE_REQUEST_CREATED = EventContract(
    "maintenance.request.created.v1",
    MaintenanceRequest,
    eventclass=EventClass.TRANSACTIONAL,
    owner="maintenance",
    key="id",
    order_by="physical_asset_id",
    sla_s=30,
    summary="The CMMS has taken a maintenance request",
)
MAINTENANCE_ORDER_COMPLETED = EventContract(
    "maintenance.order.completed.v1",
    OrderCompletion,
    eventclass=EventClass.TRANSACTIONAL,
    owner="maintenance",
    key="id",
    order_by="physical_asset_id",
    sla_s=60,
    summary="The technician finished a maintenance order: labour, parts, codes",
)
MAINTENANCE_ORDER_SETTLED = EventContract(
    "maintenance.order.settled.v1",
    OrderSettlement,
    eventclass=EventClass.TRANSACTIONAL,
    owner="maintenance",
    key="maintenance_order_id",
    order_by="physical_asset_id",
    sla_s=60,
    summary="Labour and parts of a completed maintenance order are posted in ERP",
)
RESERVATION_CREATED = EventContract(
    "inventory.reservation.created.v1",
    Reservation,
    eventclass=EventClass.TRANSACTIONAL,
    owner="warehouse",
    key="id",
    order_by="material_definition_id",
    sla_s=30,
    summary="Stock is promised to a reference",
)
BALANCE_CHANGED = EventContract(
    "inventory.balance.changed.v1",
    BalanceUpdate,
    eventclass=EventClass.OPERATIONAL,
    owner="warehouse",
    key="material_definition_id",
    sla_s=60,
    summary="A mirrored stock balance follows its system of record",
)
MOVEMENT_POSTED = EventContract(
    "inventory.movement.posted.v1",
    StockMovement,
    eventclass=EventClass.TRANSACTIONAL,
    owner="warehouse",
    key="id",
    order_by="material_definition_id",
    sla_s=60,
    summary="ERP has posted a stock movement",
)
REQUISITION_CREATED = EventContract(
    "procurement.requisition.created.v1",
    PurchaseRequisition,
    eventclass=EventClass.TRANSACTIONAL,
    owner="procurement",
    key="id",
    sla_s=60,
    summary="ERP has taken a purchase requisition",
)
CAPACITY_CONSTRAINED = EventContract(
    "planning.capacity.constrained.v1",
    CapacitySignal,
    eventclass=EventClass.OPERATIONAL,
    owner="planning",
    key="work_center_id",
    sla_s=30,
    summary="Planning was told that a work centre can do less",
)
CAPACITY_RESTORED = EventContract(
    "planning.capacity.restored.v1",
    CapacitySignal,
    eventclass=EventClass.OPERATIONAL,
    owner="planning",
    key="work_center_id",
    sla_s=30,
    summary="Planning was told that a work centre can do all again",
)
COST_POSTED = EventContract(
    "finance.cost.posted.v1",
    CostPosting,
    eventclass=EventClass.TRANSACTIONAL,
    owner="finance",
    key="id",
    order_by="cost_object",
    sla_s=60,
    summary="ERP has posted a cost",
)

EVENTS: dict[str, EventContract[Any]] = {
    contract.type: contract
    for contract in (
        THRESHOLD_EXCEEDED,
        SIGNAL_LOST,
        STATE_CHANGED,
        DOWNTIME_STARTED,
        DOWNTIME_ENDED,
        DOWNTIME_CLASSIFIED,
        COUNT_AGGREGATED,
        COUNT_ACCEPTED,
        READINGS_AGGREGATED,
        MAINTENANCE_REQUEST_CREATED,
        MAINTENANCE_ORDER_COMPLETED,
        MAINTENANCE_ORDER_SETTLED,
        RESERVATION_CREATED,
        BALANCE_CHANGED,
        MOVEMENT_POSTED,
        REQUISITION_CREATED,
        CAPACITY_CONSTRAINED,
        CAPACITY_RESTORED,
        COST_POSTED,
    )
}


class Production(Capability, name="production", system_kind="mes"):
    @query(owner="production", entity="job_order")
    async def context(self, request: EquipmentRef) -> ProductionContext:
        """The work centre of the equipment and the job that runs on it."""

    @query(owner="production", entity="reason_code")
    async def stop_reason(self, request: StopRef) -> StopReason:
        """The reason of a stop, as the operator or the MES has it by now."""

    @query(owner="production", entity="segment_response")
    async def counted(self, request: CountRef) -> CountedQuantity:
        """What the order at the equipment has made in a window, and what else a receipt has to know."""


class WorkCalendar(Capability, name="calendar", system_kind="mes"):
    @query(owner="production", entity="work_calendar")
    async def entries(self, request: EquipmentPeriod) -> CalendarEntries:
        """Shifts, breaks, planned downtime and holidays of an equipment in a period."""


class Maintenance(Capability, name="maintenance", system_kind="cmms"):
    @query(owner="maintenance", entity="physical_asset")
    async def asset(self, request: AssetRef) -> PhysicalAsset:
        """The asset's master data and usual repair kit."""

    @query(owner="maintenance", entity="maintenance_order")
    async def open_orders(self, request: AssetRef) -> OpenOrders:
        """Orders of the asset on which work is not finished."""

    @query(owner="maintenance", entity="maintenance_order")
    async def planned_work(self, request: AssetPeriod) -> PlannedWork:
        """Work that was planned for the asset in a period."""

    @command(
        key=("physical_asset_id", "rule", "episode_start"),
        owner="maintenance",
        entity="maintenance_request",
        emits=MAINTENANCE_REQUEST_CREATED,
        document="id",
    )
    async def create_request(self, request: MaintenanceRequest) -> MaintenanceRequest:
        """Ask for work on an asset; the CMMS opens an order for it."""

    @command(
        key=("maintenance_order_id", "rule", "episode_start"),
        owner="maintenance",
        entity="maintenance_order",
        document="id",
    )
    async def add_observation(self, request: Observation) -> Observation:
        """Join a further finding to an open order."""

    @command(
        key=("maintenance_order_id", "state"),
        order=("maintenance_order_id",),
        owner="maintenance",
        entity="maintenance_order",
        document="maintenance_order_id",
    )
    async def update_task(self, request: TaskUpdate) -> TaskUpdate:
        """Tell the technician whether the parts are there."""


class Inventory(Capability, name="inventory", system_kind="wms"):
    @query(owner="warehouse", entity="stock_balance")
    async def availability(self, request: MaterialAtSite) -> StockBalance:
        """On-hand and reserved stock of a material at a site, with its reorder point."""

    @command(
        key=("for_reference", "line"),
        owner="warehouse",
        entity="reservation",
        emits=RESERVATION_CREATED,
        document="id",
    )
    async def reserve(self, request: Reservation) -> Reservation:
        """Promise stock to a maintenance order's part line."""

    @command(key=("reservation_id",), owner="warehouse", entity="reservation", document="reservation_id")
    async def withdraw(self, request: Withdrawal) -> Withdrawal:
        """End a reservation: its parts were used."""

    @command(key=("reservation_id",), owner="warehouse", entity="reservation", document="reservation_id")
    async def release(self, request: Release) -> Release:
        """End a reservation: its parts are not needed, and their stock is free again."""

    @command(
        key=("material_definition_id", "site", "source_sequence"),
        order=("material_definition_id", "site"),
        owner="warehouse",
        entity="stock_balance",
        emits=BALANCE_CHANGED,
        document="source_sequence",
    )
    async def synchronise_balance(self, request: BalanceUpdate) -> BalanceUpdate:
        """Tell the mirror the balance of the system of record."""


class Planning(Capability, name="planning", system_kind="aps"):
    @command(
        key=("reference",),
        order=("reference",),
        owner="planning",
        entity="operations_capability",
        emits=CAPACITY_CONSTRAINED,
        document="id",
    )
    async def constrain_capacity(self, request: CapacitySignal) -> CapacitySignal:
        """Tell planning that a work centre can do less."""

    @command(
        key=("reference",),
        order=("reference",),
        owner="planning",
        entity="operations_capability",
        emits=CAPACITY_RESTORED,
        document="id",
    )
    async def restore_capacity(self, request: CapacitySignal) -> CapacitySignal:
        """Tell planning that a work centre can do all again."""


class Erp(Capability, name="erp", system_kind="erp"):
    @query(owner="warehouse", entity="stock_balance")
    async def stock_balance(self, request: MaterialAtSite) -> StockBalance:
        """Book stock of a material at a site."""

    @command(
        key=("reference", "material_definition_id", "site", "required_date"),
        owner="procurement",
        entity="purchase_requisition",
        emits=REQUISITION_CREATED,
        document="id",
    )
    async def create_requisition(self, request: PurchaseRequisition) -> PurchaseRequisition:
        """Ask purchasing for material."""

    @command(
        key=("maintenance_order_id", "line", "material_lot_id", "consumption_id"),
        owner="warehouse",
        entity="material_movement",
        emits=MOVEMENT_POSTED,
        document="id",
    )
    async def post_consumption(self, request: ConsumptionPosting) -> StockMovement:
        """Post parts used on a maintenance order as a stock movement."""

    @command(
        key=("maintenance_order_id", "operation", "person_id", "start_time"),
        owner="finance",
        entity="cost_posting",
        emits=COST_POSTED,
        document="id",
    )
    async def post_labour_cost(self, request: LabourPosting) -> CostPosting:
        """Post labour on a maintenance order as a cost."""


CAPABILITIES: dict[str, type[Capability]] = {
    capability.capability: capability
    for capability in (Production, WorkCalendar, Maintenance, Inventory, Planning, Erp)
}


def operation(name: str) -> Operation:
    """The declared operation `<capability>.<method>`; KeyError names what is missing."""
    capability, _, method = name.partition(".")
    return CAPABILITIES[capability].operations[method]
