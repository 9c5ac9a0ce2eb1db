"""One of each canonical value, as they occur in the story of a worn seal on a filling line."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgspec

from lineshaft.contracts.catalogue import CAPABILITIES, EVENTS
from lineshaft.contracts.examples import example_of
from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Value
from lineshaft.model.aggregates import CountAggregate, ReadingsAggregate
from lineshaft.model.calendar import CalendarEntries, CalendarEntry, EntryType, EquipmentPeriod
from lineshaft.model.condition import Evidence, LimitKind, SignalLoss, ThresholdExceeded
from lineshaft.model.counting import (
    AcceptedCount,
    CountedOrder,
    CountedQuantity,
    CountRef,
    OperationsRequestState,
)
from lineshaft.model.downtime import ClassifiedStop, StopClass, StopReason, StopRef
from lineshaft.model.entities import ENTITIES
from lineshaft.model.equipment_state import Downtime, PackMLState, StateChange, UnitMode
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
    MaintenanceOrder,
    MaintenanceOrderState,
    MaintenanceRequest,
    MaintenanceTrigger,
    MaterialActual,
    Observation,
    OpenOrders,
    OrderCompletion,
    OrderSettlement,
    PartRequirement,
    PersonnelActual,
    PhysicalAsset,
    PlannedOrder,
    PlannedWork,
    TaskState,
    TaskUpdate,
)
from lineshaft.model.procurement import PurchaseRequisition, RequisitionReason
from lineshaft.model.production import CapacitySignal, EquipmentRef, ProductionContext

__all__ = [
    "AT",
    "VALUES",
    "breach",
    "completion",
    "count",
    "counted_order",
    "pieces",
    "requirement",
    "shift",
    "stop",
]

AT = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
ASSET, EQUIPMENT, KIT, ORDER = "PUMP-7", "FILLER-2", "SEAL-KIT-01", "MO-1"


def pieces(count: int | str, unit: str = "C62") -> Quantity:
    return Quantity(value=Decimal(count), unit=unit)


def requirement(line: int = 1, material: str = KIT, count: int = 2) -> PartRequirement:
    return PartRequirement(line=line, material_definition_id=material, quantity=pieces(count))


def breach(episode_start: datetime = AT, rule: str = "low-pressure") -> ThresholdExceeded:
    return ThresholdExceeded(
        equipment_id=EQUIPMENT,
        physical_asset_id=ASSET,
        rule=rule,
        rule_version="1",
        property="pressure",
        kind=LimitKind.LOW,
        value=1.8,
        limit=2.2,
        unit="BAR",
        severity=2,
        episode_start=episode_start,
        detected_at=episode_start + timedelta(seconds=10),
        evidence=Evidence(topic="nsp/filler-2/p", position="RAW:4711", time=episode_start, value=1.8),
    )


def work(person: str = "P-77", start: datetime = AT, hours: float = 1.5) -> PersonnelActual:
    return PersonnelActual(
        operation="0010",
        person_id=person,
        start_time=start,
        end_time=start + timedelta(hours=hours),
        hourly_rate=Decimal("85.00"),
        currency="EUR",
    )


def completion(order_id: str = ORDER, **changes: object) -> OrderCompletion:
    fields: dict[str, object] = {
        "id": order_id,
        "physical_asset_id": ASSET,
        "actual_start_time": AT,
        "actual_end_time": AT + timedelta(hours=4),
        "personnel_actual": [work()],
        "material_actual": [MaterialActual(id="C-1", line=1, material_definition_id=KIT, quantity=pieces(2))],
        "failure_code": "WORN",
        "remedy_code": "REPLACED",
    }
    return OrderCompletion(**fields | changes)  # type: ignore[arg-type]


def stop(start: datetime = AT, minutes: float = 20, **changes: object) -> Downtime:
    fields: dict[str, object] = {
        "equipment_id": EQUIPMENT,
        "physical_asset_id": ASSET,
        "rule": "line-state",
        "rule_version": "1",
        "state": PackMLState.HELD,
        "mode": UnitMode.PRODUCTION,
        "reason_code": "JAM",
        "start_time": start,
        "end_time": start + timedelta(minutes=minutes),
        "detected_at": start + timedelta(minutes=minutes),
    }
    return Downtime(**fields | changes)  # type: ignore[arg-type]


def shift(
    start: datetime = AT, hours: float = 8, kind: EntryType = EntryType.SHIFT, name: str = "early"
) -> CalendarEntry:
    return CalendarEntry(
        id=f"{name}/{start:%Y-%m-%dT%H:%M}",
        entry_type=kind,
        start_date_time=start,
        finish_date_time=start + timedelta(hours=hours),
        shift_id=name,
        shift_date=start.date(),
    )


def count(quantity: int | str = 300, **changes: object) -> CountAggregate:
    fields: dict[str, object] = {
        "equipment_id": EQUIPMENT,
        "physical_asset_id": ASSET,
        "property": "good_count",
        "rule": "line-count",
        "rule_version": "1",
        "epoch": AT - timedelta(days=1),
        "start_time": AT,
        "end_time": AT + timedelta(minutes=1),
        "from_count": 1000.0,
        "to_count": 1000.0 + float(quantity),
        "quantity": pieces(quantity),
    }
    return CountAggregate(**fields | changes)  # type: ignore[arg-type]


def counted_order(good: int | str = 300, **changes: object) -> CountedOrder:
    fields: dict[str, object] = {
        "operations_request_id": "PO-9",
        "operations_segment_id": "10",
        "material_definition_id": "WATER-05",
        "request_state": OperationsRequestState.RUNNING,
        "planned_quantity": pieces(120_000),
        "cumulative_quantity": pieces(30_000),
        "good_quantity": pieces(good),
    }
    return CountedOrder(**fields | changes)  # type: ignore[arg-type]


VALUES: list[Value] = [
    breach(),
    completion(),
    AssetRef(physical_asset_id=ASSET),
    EquipmentRef(equipment_id=EQUIPMENT),
    MaterialAtSite(material_definition_id=KIT, site="NSP"),
    PhysicalAsset(
        physical_asset_id=ASSET,
        equipment_id=EQUIPMENT,
        description="Product pump",
        criticality=1,
        cost_center="FILLING",
        repair_kit=[requirement()],
    ),
    MaintenanceRequest(
        physical_asset_id=ASSET,
        equipment_id=EQUIPMENT,
        rule="low-pressure",
        episode_start=AT,
        trigger=MaintenanceTrigger.CONDITION,
        priority=1,
        description="low",
        malfunction_start=AT,
        id="MR-1",
        maintenance_order_id=ORDER,
    ),
    OpenOrders(
        orders=[
            MaintenanceOrder(
                id=ORDER, physical_asset_id=ASSET, description="x", state=MaintenanceOrderState.READY
            )
        ]
    ),
    Observation(
        maintenance_order_id=ORDER,
        physical_asset_id=ASSET,
        rule="r",
        episode_start=AT,
        text="again",
        id="O-1",
    ),
    TaskUpdate(
        maintenance_order_id=ORDER,
        state=TaskState.PARTS_RESERVED,
        note="Parts are reserved",
        part_requirement=[requirement()],
    ),
    OrderSettlement(
        maintenance_order_id=ORDER,
        physical_asset_id=ASSET,
        movement_id=["MV-1", "MV-2"],
        cost_id=["CO-1"],
        labour_amount=Decimal("127.50"),
        currency="EUR",
    ),
    StockBalance(
        material_definition_id=KIT,
        site="NSP",
        quantity=pieces(12),
        as_of=AT,
        source_sequence="000042",
        reserved_quantity=pieces(2),
        reorder_point=pieces(4),
        reorder_quantity=pieces(20),
    ),
    Reservation(
        for_reference=ORDER,
        line=1,
        material_definition_id=KIT,
        site="NSP",
        quantity=pieces(2),
        required_time=AT,
        id="RS-1",
    ),
    Withdrawal(reservation_id="RS-1", quantity=pieces(2)),
    Release(reservation_id="RS-1"),
    BalanceUpdate(
        material_definition_id=KIT, site="NSP", quantity=pieces(10), as_of=AT, source_sequence="000043"
    ),
    ConsumptionPosting(
        maintenance_order_id=ORDER,
        line=1,
        consumption_id="C-1",
        material_definition_id=KIT,
        quantity=pieces(2),
        site="NSP",
        posting_date=date(2026, 3, 2),
        cost_center="FILLING",
    ),
    StockMovement(
        id="MV-1",
        reference=ORDER,
        material_definition_id=KIT,
        quantity=pieces(2),
        posting_date=date(2026, 3, 2),
    ),
    PurchaseRequisition(
        reference=ORDER,
        material_definition_id=KIT,
        quantity=pieces(20),
        required_date=date(2026, 3, 4),
        site="NSP",
        reason=RequisitionReason.SHORTAGE,
        id="PR-1",
    ),
    CapacitySignal(
        reference=ORDER,
        work_center_id="LINE-2",
        equipment_id=EQUIPMENT,
        reason="waits for parts",
        start_time=AT,
        id="CP-1",
    ),
    ProductionContext(equipment_id=EQUIPMENT, work_center_id="LINE-2", operations_request_id="PO-9"),
    SignalLoss(
        tag="filler-2.pressure",
        equipment_id=EQUIPMENT,
        physical_asset_id=ASSET,
        property="pressure",
        rule="silent",
        rule_version="1",
        severity=500,
        last_time=AT,
        after_s=60.0,
        detected_at=AT,
    ),
    StateChange(
        equipment_id=EQUIPMENT,
        physical_asset_id=ASSET,
        rule="line-state",
        rule_version="1",
        state=PackMLState.HELD,
        previous=PackMLState.EXECUTE,
        mode=UnitMode.PRODUCTION,
        reason_code="JAM",
        start_time=AT,
        previous_start_time=AT - timedelta(hours=1),
        detected_at=AT,
        evidence=breach().evidence,
    ),
    stop(),
    count(),
    ReadingsAggregate(
        tag="filler-2.pressure",
        equipment_id=EQUIPMENT,
        physical_asset_id=ASSET,
        property="pressure",
        rule="minutes",
        rule_version="1",
        start_time=AT,
        end_time=AT + timedelta(minutes=1),
        unit="BAR",
        count=60,
        min=3.1,
        max=3.3,
        mean=3.2,
        last=3.2,
    ),
    EquipmentPeriod(equipment_id=EQUIPMENT, work_center_id="LINE-2", start_time=AT, end_time=AT),
    CalendarEntries(equipment_id=EQUIPMENT, entries=[shift()]),
    StopRef(equipment_id=EQUIPMENT, start_time=AT, end_time=AT, reason_code="JAM"),
    StopReason(equipment_id=EQUIPMENT, code="MECH-JAM", leaf=True, erp_postable=True),
    ClassifiedStop(
        equipment_id=EQUIPMENT,
        physical_asset_id=ASSET,
        rule="line-state",
        rule_version="1",
        stop_start_time=AT,
        segment=0,
        start_time=AT,
        end_time=AT + timedelta(minutes=20),
        duration=Decimal(1200),
        classification=StopClass.DOWNTIME,
        erp_postable=True,
        reason_code="MECH-JAM",
        work_center_id="LINE-2",
        operations_request_id="PO-9",
        shift_id="early",
        shift_date=AT.date(),
    ),
    CountRef(equipment_id=EQUIPMENT, property="good_count", start_time=AT, end_time=AT),
    CountedQuantity(equipment_id=EQUIPMENT, is_count_point=True, order=counted_order()),
    AcceptedCount(
        equipment_id=EQUIPMENT,
        property="good_count",
        operations_request_id="PO-9",
        operations_segment_id="10",
        material_definition_id="WATER-05",
        epoch=AT - timedelta(days=1),
        start_time=AT,
        end_time=AT + timedelta(minutes=1),
        from_count=1000.0,
        to_count=1300.0,
        quantity=pieces(300),
        counted_quantity=pieces(301),
        material_lot_id="LOT-9",
    ),
    AssetPeriod(physical_asset_id=ASSET, start_time=AT, end_time=AT),
    PlannedWork(
        orders=[PlannedOrder(id="PM-1", physical_asset_id=ASSET, start_time=AT, end_time=AT)],
    ),
    LabourPosting(
        maintenance_order_id=ORDER,
        operation="0010",
        person_id="P-77",
        start_time=AT,
        hours=Decimal("1.5"),
        amount=Decimal("127.50"),
        currency="EUR",
        posting_date=date(2026, 3, 2),
        cost_center="FILLING",
    ),
    CostPosting(
        id="CO-1",
        cost_object="FILLING",
        cost_element="labour",
        amount=Decimal("127.50"),
        currency="EUR",
        posting_date=date(2026, 3, 2),
        source_transaction_id="x",
    ),
]


def _kinds() -> list[type[Value]]:
    operations = [each for capability in CAPABILITIES.values() for each in capability.operations.values()]
    return [
        *(entity.value for entity in ENTITIES.values()),
        *(contract.data for contract in EVENTS.values()),
        *(kind for each in operations for kind in (each.request, each.reply)),
    ]


_TOLD = {type(value) for value in VALUES}
VALUES += [msgspec.convert(example_of(kind), kind) for kind in dict.fromkeys(_kinds()) if kind not in _TOLD]
