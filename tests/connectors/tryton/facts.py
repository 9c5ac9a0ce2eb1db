"""Requests as the processes of the product make them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from lineshaft.core.quantity import Quantity
from lineshaft.model.finance import LabourPosting
from lineshaft.model.inventory import ConsumptionPosting
from lineshaft.model.procurement import PurchaseRequisition, RequisitionReason

__all__ = ["consumption", "labour", "requisition", "today"]


def today() -> date:
    return datetime.now(UTC).date()


def pieces(count: int) -> Quantity:
    return Quantity(value=Decimal(count), unit="C62")


def consumption(
    count: int = 1, material: str = "SEAL-KIT-01", lot: str | None = None, on: date | None = None
) -> ConsumptionPosting:
    return ConsumptionPosting(
        maintenance_order_id="MO-4711",
        line=1,
        consumption_id="C-1",
        material_definition_id=material,
        quantity=pieces(count),
        site="NSP",
        posting_date=on or today(),
        cost_center="FILLING",
        material_lot_id=lot,
    )


def requisition(count: int = 12, material: str = "SEAL-KIT-01", site: str = "NSP") -> PurchaseRequisition:
    return PurchaseRequisition(
        reference="MO-4711",
        material_definition_id=material,
        quantity=pieces(count),
        required_date=today(),
        site=site,
        reason=RequisitionReason.SHORTAGE,
    )


def labour(amount: str = "127.50", currency: str = "EUR", on: date | None = None) -> LabourPosting:
    return LabourPosting(
        maintenance_order_id="MO-4711",
        operation="0010",
        person_id="P-77",
        start_time=datetime(2026, 3, 2, 8, 0, tzinfo=UTC),
        hours=Decimal("1.5"),
        amount=Decimal(amount),
        currency=currency,
        posting_date=on or today(),
        cost_center="FILLING",
    )
