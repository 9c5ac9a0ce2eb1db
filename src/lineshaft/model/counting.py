"""What was counted at a machine, beside what the MES says was made."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Key, Moment, Value
from lineshaft.model.enumerations import OperationsRequestState

__all__ = ["AcceptedCount", "CountRef", "CountedOrder", "CountedQuantity", "OperationsRequestState"]


class CountRef(Value, frozen=True, kw_only=True):
    """One window [start_time, end_time) of a counter."""

    equipment_id: Key
    property: str
    start_time: Moment
    end_time: Moment


class CountedOrder(Value, frozen=True, kw_only=True):
    """The order that ran in the window, and what the MES has for it.

    good_quantity,
    scrap_quantity            made in the window
    counts_scrap              the machine's counter sees the scrap as well
    cumulative_quantity       good ones of the order up to the end of the window, the window included
    over_delivery_tolerance   P1: percent of the planned quantity
    on_hold                   quality holds what is made
    material_sub_lot_id       serial numbers of the good ones
    """

    operations_request_id: Key
    operations_segment_id: Key
    material_definition_id: Key
    request_state: OperationsRequestState
    planned_quantity: Quantity
    cumulative_quantity: Quantity
    good_quantity: Quantity
    scrap_quantity: Quantity | None = None
    counts_scrap: bool = False
    over_delivery_tolerance: Decimal = Decimal(0)
    on_hold: bool = False
    lot_managed: bool = False
    material_lot_id: Key | None = None
    serial_managed: bool = False
    material_sub_lot_id: list[Key] = msgspec.field(default_factory=list)


class CountedQuantity(Value, frozen=True, kw_only=True):
    """is_count_point: what this machine counts is what its order has made; order: None without one"""

    equipment_id: Key
    is_count_point: bool
    order: CountedOrder | None = None


class AcceptedCount(Value, frozen=True, kw_only=True):
    """A window whose count and MES quantity agree: what may be received.

    epoch, from_count, to_count   of the counter, as it showed them
    quantity                      the MES's good quantity: what is posted
    counted_quantity              the machine's
    restricted                    under a hold: into restricted stock
    """

    equipment_id: Key
    property: str
    operations_request_id: Key
    operations_segment_id: Key
    material_definition_id: Key
    epoch: Moment
    start_time: Moment
    end_time: Moment
    revision: int = 0
    from_count: float
    to_count: float
    quantity: Quantity
    counted_quantity: Quantity
    restricted: bool = False
    material_lot_id: Key | None = None
    material_sub_lot_id: list[Key] = msgspec.field(default_factory=list)
