"""Every operation over a network, with a request of its own, and where its effect shows in the target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from estate.systems.cmms import CmmsSystem
from estate.systems.inventory import InventorySystem
from estate.systems.planning import PlanningSystem
from estate.systems.server import SimulatedSystem
from lineshaft.contracts.catalogue import CAPABILITIES
from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Value
from lineshaft.model.counting import CountRef
from lineshaft.model.downtime import StopRef
from lineshaft.model.finance import LabourPosting
from lineshaft.model.inventory import (
    BalanceUpdate,
    ConsumptionPosting,
    MaterialAtSite,
    Release,
    Reservation,
    Withdrawal,
)
from lineshaft.model.maintenance import (
    AssetPeriod,
    AssetRef,
    MaintenanceRequest,
    MaintenanceTrigger,
    Observation,
    TaskState,
    TaskUpdate,
)
from lineshaft.model.procurement import PurchaseRequisition, RequisitionReason
from lineshaft.model.production import CapacitySignal, EquipmentRef

__all__ = ["EFFECTS", "OPERATIONS", "SYSTEM_OF", "Requests"]

SYSTEM_OF = {
    "production": "mes",
    "maintenance": "cmms",
    "inventory": "inventory",
    "planning": "planning",
    "erp": "erp",
}
OPERATIONS: Sequence[str] = tuple(
    operation.name for capability in SYSTEM_OF for operation in CAPABILITIES[capability].operations.values()
)
EFFECTS: Mapping[str, str] = {
    "maintenance.create_request": "work_requests",
    "maintenance.add_observation": "notes",
    "maintenance.update_task": "task_updates",
    "inventory.reserve": "allocations",
    "inventory.withdraw": "picks",
    "inventory.release": "releases",
    "inventory.synchronise_balance": "ledger_updates",
    "planning.constrain_capacity": "capacity_notices",
    "planning.restore_capacity": "capacity_notices",
    "erp.create_requisition": "requisitions",
    "erp.post_consumption": "consumptions",
    "erp.post_labour_cost": "labour_costs",
}
"""Where the effect of a command shows: a table of the simulated system, a list of the ERP's books."""
AT = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
ONE = Quantity(value=Decimal(1), unit="C62")
KIT = "SEAL-KIT-01"


@dataclass(frozen=True)
class Requests:
    """Arranges in the target systems, behind the product's back, what a request refers to."""

    cmms: CmmsSystem
    inventory: InventorySystem
    planning: PlanningSystem
    numbers: count[int]

    def make(self, operation: str) -> Value:
        """A request of a new business key; for queries always the same."""
        number = next(self.numbers)
        maker: Callable[[int], Value] = getattr(self, operation.replace(".", "_"))
        return maker(number)

    def system(self, name: str) -> SimulatedSystem:
        found: SimulatedSystem = getattr(self, name)
        return found

    def _order(self) -> str:
        body = {"assetNo": "FIL-01", "symptom": "arranged", "priority": "2-HIGH"}
        return str(self.cmms.book.open_request(body)["workOrderNo"])

    def production_context(self, _: int) -> EquipmentRef:
        return EquipmentRef(equipment_id="FILLER-01")

    def production_stop_reason(self, _: int) -> StopRef:
        return StopRef(equipment_id="FILLER-01", start_time=AT, end_time=AT + timedelta(minutes=9))

    def production_counted(self, _: int) -> CountRef:
        end = AT + timedelta(minutes=1)
        return CountRef(equipment_id="FILLER-01", property="count", start_time=AT, end_time=end)

    def maintenance_planned_work(self, _: int) -> AssetPeriod:
        return AssetPeriod(physical_asset_id="FIL-01", start_time=AT, end_time=AT + timedelta(hours=8))

    def maintenance_asset(self, _: int) -> AssetRef:
        return AssetRef(physical_asset_id="FIL-01")

    def maintenance_open_orders(self, _: int) -> AssetRef:
        return AssetRef(physical_asset_id="PAL-01")

    def maintenance_create_request(self, number: int) -> MaintenanceRequest:
        return MaintenanceRequest(
            physical_asset_id="FIL-01",
            equipment_id="FILLER-01",
            rule="filler-pressure-high",
            episode_start=AT + timedelta(seconds=number),
            trigger=MaintenanceTrigger.CONDITION,
            priority=2,
            description="Pressure 4.8 bar, limit 4.5",
            malfunction_start=AT,
        )

    def maintenance_add_observation(self, _: int) -> Observation:
        return Observation(
            maintenance_order_id=self._order(),
            physical_asset_id="FIL-01",
            rule="filler-pressure-high",
            episode_start=AT,
            text="again",
        )

    def maintenance_update_task(self, _: int) -> TaskUpdate:
        state = TaskState.PARTS_RESERVED
        return TaskUpdate(
            maintenance_order_id=self._order(), state=state, note="Parts are reserved", part_requirement=[]
        )

    def inventory_availability(self, _: int) -> MaterialAtSite:
        return MaterialAtSite(material_definition_id=KIT, site="leipzig")

    def inventory_reserve(self, number: int) -> Reservation:
        return Reservation(
            for_reference=f"MO-{number}",
            line=1,
            material_definition_id=KIT,
            site="leipzig",
            quantity=ONE,
            required_time=AT,
        )

    def inventory_withdraw(self, number: int) -> Withdrawal:
        return Withdrawal(reservation_id=self._allocation(number), quantity=ONE)

    def inventory_release(self, number: int) -> Release:
        return Release(reservation_id=self._allocation(number))

    def _allocation(self, number: int) -> str:
        arranged = {"allocation_id": f"AL-X{number}", "sku": "GREASE-FG", "facility": "LEJ1", "qty": 0.001}
        self.inventory.database.insert("allocations", arranged | {"uom": "KG", "status": "ALLOCATED"})
        return f"AL-X{number}"

    def inventory_synchronise_balance(self, number: int) -> BalanceUpdate:
        return BalanceUpdate(
            material_definition_id="VALVE-02",
            site="leipzig",
            quantity=ONE,
            as_of=AT,
            source_sequence=f"{number:012d}",
        )

    def planning_constrain_capacity(self, number: int) -> CapacitySignal:
        return CapacitySignal(
            reference=f"MO-{number}",
            work_center_id="BTL-L1",
            equipment_id="FILLER-01",
            reason="waits for parts",
            start_time=AT,
        )

    planning_restore_capacity = planning_constrain_capacity

    def erp_stock_balance(self, _: int) -> MaterialAtSite:
        return MaterialAtSite(material_definition_id=KIT, site="leipzig")

    def erp_create_requisition(self, number: int) -> PurchaseRequisition:
        return PurchaseRequisition(
            reference=f"MO-{number}",
            material_definition_id=KIT,
            quantity=ONE,
            required_date=_today(),
            site="leipzig",
            reason=RequisitionReason.SHORTAGE,
        )

    def erp_post_consumption(self, number: int) -> ConsumptionPosting:
        return ConsumptionPosting(
            maintenance_order_id=f"MO-{number}",
            line=1,
            consumption_id="C-1",
            material_definition_id=KIT,
            quantity=ONE,
            site="leipzig",
            posting_date=_today(),
            cost_center="CC-4100",
        )

    def erp_post_labour_cost(self, number: int) -> LabourPosting:
        return LabourPosting(
            maintenance_order_id=f"MO-{number}",
            operation="0010",
            person_id="T-117",
            start_time=AT,
            hours=Decimal("1.5"),
            amount=Decimal("78.00"),
            currency="EUR",
            posting_date=_today(),
            cost_center="CC-4100",
        )


def _today() -> date:
    return datetime.now(UTC).date()


def held_under(key: str, rows: Sequence[Mapping[str, Any]]) -> int:
    """external_ref in the simulated systems, key in the ERP's books."""
    return sum(key in (row.get("external_ref"), row.get("key")) for row in rows)
