"""One of each canonical value, as they occur in the story of a worn seal on a filling line."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Value
from lineshaft.model.condition import Evidence, LimitKind, ThresholdExceeded
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
    TaskState,
    TaskUpdate,
)
from lineshaft.model.procurement import PurchaseRequisition, RequisitionReason
from lineshaft.model.production import CapacitySignal, EquipmentRef, ProductionContext

__all__ = ["AT", "VALUES", "breach", "completion", "pieces", "requirement"]

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
