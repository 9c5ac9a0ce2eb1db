"""Stock as its system of record holds it. Source: B2MML OpMaterialActual, OAGIS InventoryBalance."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

import msgspec

from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Key, Moment, Value
from lineshaft.model.inventory import ReservationState
from lineshaft.model.measures import not_negative, positive

__all__ = [
    "BalanceReconciliation",
    "MaterialMovement",
    "MovementReference",
    "MovementType",
    "RejectedMovement",
    "ReservationRecord",
    "StockBalanceRecord",
    "StockShortfall",
    "StockType",
]


class StockType(StrEnum):
    """Dispositions of B2MML that stock can have."""

    UNRESTRICTED = "UnRestricted"
    RESTRICTED = "Restricted"
    IN_PROCESS = "In-Process"


class MovementType(StrEnum):
    RECEIPT = "receipt"
    ISSUE = "issue"
    TRANSFER = "transfer"
    RETURN = "return"
    SCRAP = "scrap"
    ADJUSTMENT = "adjustment"


class MovementReference(StrEnum):
    PRODUCTION_ORDER = "production_order"
    PURCHASE_ORDER = "purchase_order"
    DELIVERY = "delivery"
    RESERVATION = "reservation"
    MAINTENANCE_ORDER = "maintenance_order"
    NONE = "none"


class MaterialMovement(Value, frozen=True, kw_only=True):
    """Material that moved. quantity: only that of an adjustment may be below 0

    material_sub_lot_id   serial numbers
    handling_unit_id      SSCC
    """

    id: Key
    movement_type: MovementType
    reference_type: MovementReference
    material_definition_id: Key
    quantity: Quantity
    stock_type: StockType
    posting_date: date
    document_date: date
    reference_id: Key | None = None
    reference_line: str | None = None
    material_lot_id: Key | None = None
    material_sub_lot_id: list[Key] = msgspec.field(default_factory=list)
    from_location: str | None = None
    to_location: str | None = None
    handling_unit_id: Key | None = None
    reversal_of: Key | None = None

    def __post_init__(self) -> None:
        if self.movement_type is not MovementType.ADJUSTMENT:
            positive(quantity=self.quantity)
        if self.reference_type is not MovementReference.NONE and not self.reference_id:
            raise ValueError(f"reference_type {self.reference_type} asks for a reference_id")
        if len(set(self.material_sub_lot_id)) != len(self.material_sub_lot_id):
            raise ValueError("material_sub_lot_id has a serial number more than once")


class RejectedMovement(Value, frozen=True, kw_only=True):
    """ERP refused to post it on business grounds. code: such as invalid_lot; owner: the desk that decides"""

    id: Key
    material_definition_id: Key
    storage_location: str
    quantity: Quantity
    code: str
    reason: str
    owner: str


class StockBalanceRecord(Value, frozen=True, kw_only=True):
    """Stock of one material, lot and stock type at one place; see StockBalance for that of a whole site."""

    material_definition_id: Key
    storage_location: str
    stock_type: StockType
    quantity: Quantity
    as_of: Moment
    source_sequence: str
    material_lot_id: Key | None = None
    reserved_quantity: Quantity | None = None


class StockShortfall(Value, frozen=True, kw_only=True):
    """Stock went below what replenishment starts at."""

    material_definition_id: Key
    storage_location: str
    quantity: Quantity
    threshold: Quantity
    as_of: Moment
    source_sequence: str


class BalanceReconciliation(Value, frozen=True, kw_only=True):
    """The balances of two systems at a site were compared.

    compared, different   balances
    """

    site: Key
    left: str
    right: str
    as_of: Moment
    compared: int
    different: int


class ReservationRecord(Value, frozen=True, kw_only=True):
    """for_reference: the order or task that it is for"""

    id: Key
    material_definition_id: Key
    quantity: Quantity
    withdrawn_quantity: Quantity
    required_time: Moment
    for_reference: Key
    state: ReservationState
    storage_location: str | None = None
    expires_at: Moment | None = None

    def __post_init__(self) -> None:
        not_negative(quantity=self.quantity, withdrawn_quantity=self.withdrawn_quantity)
