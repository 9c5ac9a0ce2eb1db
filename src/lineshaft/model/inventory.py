"""Stock: balances, reservations and movements."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Key, Moment, Value
from lineshaft.model.enumerations import Disposition

__all__ = [
    "BalanceUpdate",
    "ConsumptionPosting",
    "MaterialAtSite",
    "Release",
    "Reservation",
    "ReservationState",
    "StockBalance",
    "StockMovement",
    "Withdrawal",
]


class MaterialAtSite(Value, frozen=True, kw_only=True):
    material_definition_id: Key
    site: str


class StockBalance(Value, frozen=True, kw_only=True):
    """Unrestricted stock of one material at one site: a view of the entity stock_balance.

    quantity            on hand, reserved stock included
    reserved_quantity   promised to open reservations; None where the system keeps none
    reorder_point       below it replenishment starts; None where the system has none
    as_of               when the balance became so, not when it was read: equal states give equal balances
    source_sequence     grows with every change of the balance in its system of record
    """

    material_definition_id: Key
    site: str
    quantity: Quantity
    as_of: Moment
    source_sequence: str
    reserved_quantity: Quantity | None = None
    reorder_point: Quantity | None = None
    reorder_quantity: Quantity | None = None


class ReservationState(StrEnum):
    OPEN = "open"
    PARTIAL = "partial"
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Reservation(Value, frozen=True, kw_only=True):
    """Asked of the inventory system (id empty), and its answer (id filled); of the entity reservation."""

    for_reference: Key
    line: int
    material_definition_id: Key
    site: str
    quantity: Quantity
    required_time: Moment
    id: Key | None = None
    state: ReservationState = ReservationState.OPEN


class Withdrawal(Value, frozen=True, kw_only=True):
    """The reserved parts were used: the reservation ends, nothing stays promised."""

    reservation_id: Key
    quantity: Quantity
    state: ReservationState = ReservationState.FULFILLED


class Release(Value, frozen=True, kw_only=True):
    """The reserved parts are not needed: the reservation ends, and its stock is free for others."""

    reservation_id: Key
    state: ReservationState = ReservationState.CANCELLED


class BalanceUpdate(Value, frozen=True, kw_only=True):
    """The balance of the system of record, told to a system that mirrors it.

    A mirror ignores an update whose source_sequence is not greater than the last it took. Where the system of
    record keeps stock by place, lot or disposition, it tells a balance for each; without a disposition it is
    unrestricted.
    """

    material_definition_id: Key
    site: str
    quantity: Quantity
    as_of: Moment
    source_sequence: str
    stock_type: Disposition | None = None
    storage_location: str | None = None
    material_lot_id: Key | None = None
    reserved_quantity: Quantity | None = None


class ConsumptionPosting(Value, frozen=True, kw_only=True):
    """Parts used on a maintenance order, to be posted as a stock movement in ERP."""

    maintenance_order_id: Key
    line: int
    consumption_id: Key
    material_definition_id: Key
    quantity: Quantity
    site: str
    posting_date: date
    cost_center: str
    material_lot_id: Key | None = None


class StockMovement(Value, frozen=True, kw_only=True):
    """A posted movement, by ERP's own document number: a view of the entity material_movement."""

    id: Key
    reference: Key
    material_definition_id: Key
    quantity: Quantity
    posting_date: date
