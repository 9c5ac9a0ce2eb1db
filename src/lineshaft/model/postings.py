"""What ERP is asked to post for production, beside confirmations."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum

import msgspec

from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Key, Moment, Value
from lineshaft.model.measures import Currency, Sscc, check_digit, not_negative, positive
from lineshaft.model.purchasing import NoticePurpose
from lineshaft.model.stock import StockType

__all__ = [
    "BillingBlock",
    "BlockState",
    "ComponentConsumption",
    "CountReceipt",
    "ExpectedReceipt",
    "HandlingUnitReceipt",
    "MovementReversal",
    "ProductionLabour",
    "StockAdjustment",
    "StockBlock",
    "StockTransfer",
]


class CountReceipt(Value, frozen=True, kw_only=True):
    """Goods that an accepted count stands for.

    epoch, from_count, to_count   of the counter: with the equipment, the identity of the receipt
    stock_type                    restricted under a hold
    """

    equipment_id: Key
    epoch: Moment
    from_count: float
    to_count: float
    operations_request_id: Key
    material_definition_id: Key
    quantity: Quantity
    storage_location: str
    posting_date: date
    stock_type: StockType = StockType.UNRESTRICTED
    material_lot_id: Key | None = None
    material_sub_lot_id: list[Key] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        positive(quantity=self.quantity)


class HandlingUnitReceipt(Value, frozen=True, kw_only=True):
    """Goods on a completed and labelled handling unit."""

    operations_request_id: Key
    handling_unit_id: Sscc
    material_definition_id: Key
    quantity: Quantity
    storage_location: str
    posting_date: date
    stock_type: StockType = StockType.UNRESTRICTED
    material_lot_id: Key | None = None
    material_sub_lot_id: list[Key] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        check_digit("handling_unit_id", self.handling_unit_id)
        positive(quantity=self.quantity)


class ComponentConsumption(Value, frozen=True, kw_only=True):
    """Components used by a production order. line: of its components; consumption_id: given by the MES"""

    operations_request_id: Key
    line: str
    consumption_id: Key
    material_definition_id: Key
    quantity: Quantity
    storage_location: str
    posting_date: date
    material_lot_id: Key | None = None
    material_sub_lot_id: list[Key] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        positive(quantity=self.quantity)


class StockTransfer(Value, frozen=True, kw_only=True):
    """Stock that the warehouse has moved. task_id: given by the WMS"""

    task_id: Key
    material_definition_id: Key
    quantity: Quantity
    from_location: str
    to_location: str
    posting_date: date
    material_lot_id: Key | None = None
    handling_unit_id: Key | None = None

    def __post_init__(self) -> None:
        positive(quantity=self.quantity)


class StockAdjustment(Value, frozen=True, kw_only=True):
    """A correction of book stock that a person approved.

    reconciliation_id   of the comparison that found the difference; one correction per balance
    quantity            to be added, or below 0 to be taken off
    """

    reconciliation_id: Key
    material_definition_id: Key
    storage_location: str
    quantity: Quantity
    reason_code: Key
    approved_by: str
    posting_date: date
    stock_type: StockType = StockType.UNRESTRICTED
    material_lot_id: Key | None = None

    def __post_init__(self) -> None:
        if not self.quantity.value:
            raise ValueError("quantity is 0: there is nothing to correct")


class MovementReversal(Value, frozen=True, kw_only=True):
    """Take a posted movement back.

    original_key   idempotency key under which it was posted
    document       number that ERP gave it
    """

    original_key: Key
    document: Key
    posting_date: date
    reason_code: Key


class StockBlock(Value, frozen=True, kw_only=True):
    """Move stock into a stock type because a quality hold begins or ends. hold_id: of the hold"""

    hold_id: Key
    stock_type: StockType
    material_definition_id: Key
    material_lot_id: Key
    quantity: Quantity
    storage_location: str
    posting_date: date

    def __post_init__(self) -> None:
        positive(quantity=self.quantity)


class ExpectedReceipt(Value, frozen=True, kw_only=True):
    """A delivery that a supplier has announced; ERP's answer fills id."""

    supplier_id: Key
    advance_ship_notice_id: Key
    purpose: NoticePurpose
    purchase_order_id: list[Key]
    estimated_arrival: Moment
    ship_to: str
    id: Key | None = None


class ProductionLabour(Value, frozen=True, kw_only=True):
    """One person's labour on one operation of a production order. hours: decimal hours"""

    operations_request_id: Key
    segment_requirement_id: Key
    person_id: Key
    start_time: Moment
    hours: Decimal
    amount: Decimal
    currency: Currency
    posting_date: date
    cost_center: str

    def __post_init__(self) -> None:
        not_negative(hours=self.hours, amount=self.amount)


class BlockState(StrEnum):
    BLOCKED = "blocked"
    RELEASED = "released"


class BillingBlock(Value, frozen=True, kw_only=True):
    """Delivery or invoice of a sales document is blocked, or free again.

    document_id   of the delivery or the sales order
    hold_id       of the quality hold; one block per document and hold
    decided_by    process or person
    """

    document_id: Key
    hold_id: Key
    state: BlockState
    reason_code: Key
    decided_by: str
    id: Key | None = None
