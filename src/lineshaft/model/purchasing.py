"""Suppliers, requisitions, purchase orders and advance ship notices. Source: OAGIS, X12 850/856."""

from __future__ import annotations

import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Key, Moment, Value
from lineshaft.model.measures import Currency, Sscc, check_digit, not_negative, positive
from lineshaft.model.procurement import RequisitionReason, RequisitionState

__all__ = [
    "AdvanceShipNotice",
    "DeliverySchedule",
    "NoticeLine",
    "NoticePurpose",
    "PurchaseOrder",
    "PurchaseOrderLine",
    "PurchaseOrderRef",
    "PurchaseOrderState",
    "PurchaseRequisitionRecord",
    "RequisitionLine",
    "ShippedUnit",
    "Supplier",
    "SupplierRef",
    "SupplierStatus",
]


class SupplierRef(Value, frozen=True, kw_only=True):
    supplier_id: Key


class PurchaseOrderRef(Value, frozen=True, kw_only=True):
    purchase_order_id: Key


class SupplierStatus(StrEnum):
    ACTIVE = "active"
    BLOCKED = "blocked"


class Supplier(Value, frozen=True, kw_only=True):
    """gln: GS1; edi_qualifier, edi_id: its address in interchanges"""

    id: Key
    name: str
    status: SupplierStatus
    gln: Annotated[str, Meta(pattern="^[0-9]{13}$")] | None = None
    duns: Annotated[str, Meta(pattern="^[0-9]{9}$")] | None = None
    edi_qualifier: str | None = None
    edi_id: str | None = None

    def __post_init__(self) -> None:
        if self.gln:
            check_digit("gln", self.gln)


class RequisitionLine(Value, frozen=True, kw_only=True):
    line: str
    material_definition_id: Key
    quantity: Quantity
    required_date: datetime.date
    site: str
    supplier_id: Key | None = None
    cost_object: str | None = None

    def __post_init__(self) -> None:
        positive(quantity=self.quantity)


class PurchaseRequisitionRecord(Value, frozen=True, kw_only=True):
    id: Key
    line: Annotated[list[RequisitionLine], Meta(min_length=1)]
    reason: RequisitionReason
    state: RequisitionState


class DeliverySchedule(Value, frozen=True, kw_only=True):
    """cumulative_quantity: since the agreement began, as in X12 830/862 and DELFOR"""

    date: datetime.date
    quantity: Quantity
    cumulative_quantity: Quantity | None = None


class PurchaseOrderLine(Value, frozen=True, kw_only=True):
    """price: for one unit of the quantity, in the order's currency"""

    line: str
    material_definition_id: Key
    quantity: Quantity
    price: Decimal | None = None
    delivery_schedule: list[DeliverySchedule] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        not_negative(quantity=self.quantity, price=self.price)


class PurchaseOrderState(StrEnum):
    ISSUED = "issued"
    ACKNOWLEDGED = "acknowledged"
    PARTIALLY_RECEIVED = "partially_received"
    RECEIVED = "received"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class PurchaseOrder(Value, frozen=True, kw_only=True):
    id: Key
    supplier_id: Key
    currency: Currency
    line: Annotated[list[PurchaseOrderLine], Meta(min_length=1)]
    state: PurchaseOrderState


class NoticePurpose(StrEnum):
    ORIGINAL = "original"
    CANCEL = "cancel"
    REPLACE = "replace"
    CHANGE = "change"


class ShippedUnit(Value, frozen=True, kw_only=True):
    """parent_sscc: the unit that it is packed in"""

    sscc: Sscc
    parent_sscc: Sscc | None = None

    def __post_init__(self) -> None:
        check_digit("sscc", self.sscc)


class NoticeLine(Value, frozen=True, kw_only=True):
    purchase_order_id: Key
    purchase_order_line: str
    material_definition_id: Key
    quantity_shipped: Quantity
    cumulative_quantity: Quantity | None = None
    supplier_lot_id: Key | None = None
    sscc: Sscc | None = None

    def __post_init__(self) -> None:
        not_negative(quantity_shipped=self.quantity_shipped)


class AdvanceShipNotice(Value, frozen=True, kw_only=True):
    """id: of the shipment as the supplier numbers it (BSN02, BGM 1004)"""

    id: Key
    purpose: NoticePurpose
    supplier_id: Key
    ship_to: str
    estimated_arrival: Moment
    line: Annotated[list[NoticeLine], Meta(min_length=1)]
    ship_time: Moment | None = None
    handling_unit: list[ShippedUnit] = msgspec.field(default_factory=list)
