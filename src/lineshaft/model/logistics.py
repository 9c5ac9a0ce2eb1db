"""Handling units and shipments. Source: GS1 SSCC and GSIN, EPCIS AggregationEvent, X12 856."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Key, Moment, Value
from lineshaft.model.measures import (
    OptionalKilograms,
    Sscc,
    check_digit,
    in_order,
    in_unit,
    not_negative,
)

__all__ = [
    "HandlingUnit",
    "HandlingUnitContent",
    "HandlingUnitRef",
    "HandlingUnitState",
    "Shipment",
    "ShipmentBlock",
    "ShipmentChange",
    "ShipmentReadiness",
    "ShipmentRef",
    "ShipmentRelease",
    "ShipmentState",
    "StagingTask",
    "StockHold",
    "StockHoldState",
    "TransferTask",
    "TransferTaskState",
]


class HandlingUnitState(StrEnum):
    COMPLETE = "complete"
    OPEN = "open"
    STAGED = "staged"
    SHIPPED = "shipped"
    DISSOLVED = "dissolved"


class HandlingUnitContent(Value, frozen=True, kw_only=True):
    """serial: serial numbers"""

    material_definition_id: Key
    quantity: Quantity
    material_lot_id: Key | None = None
    serial: list[Key] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        not_negative(quantity=self.quantity)
        if len(set(self.serial)) != len(self.serial):
            raise ValueError("serial has a serial number more than once")


class HandlingUnit(Value, frozen=True, kw_only=True):
    """id: SSCC; parent_id: of the unit that it stands on or in"""

    id: Sscc
    content: Annotated[list[HandlingUnitContent], Meta(min_length=1)]
    location: str
    state: HandlingUnitState
    parent_id: Sscc | None = None
    packaging_material_id: Key | None = None
    gross_weight: OptionalKilograms = None
    label_applied_time: Moment | None = None

    def __post_init__(self) -> None:
        check_digit("id", self.id)
        in_unit("KGM", gross_weight=self.gross_weight)


class HandlingUnitRef(Value, frozen=True, kw_only=True):
    handling_unit_id: Sscc


class TransferTaskState(StrEnum):
    CREATED = "created"
    DONE = "done"
    CANCELLED = "cancelled"


class TransferTask(Value, frozen=True, kw_only=True):
    """Asked of the WMS; its answer fills id. reference: what it is for; one task per reference and line."""

    reference: Key
    line: str
    from_location: str
    to_location: str
    handling_unit_id: Sscc | None = None
    material_definition_id: Key | None = None
    material_lot_id: Key | None = None
    quantity: Quantity | None = None
    required_time: Moment | None = None
    id: Key | None = None
    state: TransferTaskState = TransferTaskState.CREATED

    def __post_init__(self) -> None:
        if not self.handling_unit_id and not (self.material_definition_id and self.quantity):
            raise ValueError("expected a handling_unit_id, or material_definition_id and quantity")
        not_negative(quantity=self.quantity)


class StagingTask(Value, frozen=True, kw_only=True):
    """Bring a handling unit to where its shipment is loaded."""

    handling_unit_id: Sscc
    shipment_id: Key
    location: str


class StockHoldState(StrEnum):
    PLACED = "placed"
    LIFTED = "lifted"


class StockHold(Value, frozen=True, kw_only=True):
    """Stock that nobody may pick. hold_id: of the quality hold that it follows"""

    hold_id: Key
    state: StockHoldState
    reason_code: Key
    material_lot_id: Key | None = None
    handling_unit_id: Key | None = None
    id: Key | None = None

    def __post_init__(self) -> None:
        if not self.material_lot_id and not self.handling_unit_id:
            raise ValueError("expected a material_lot_id or a handling_unit_id")


class ShipmentState(StrEnum):
    READY = "ready"
    PLANNED = "planned"
    BLOCKED = "blocked"
    DEPARTED = "departed"
    ARRIVED = "arrived"
    CANCELLED = "cancelled"


class Shipment(Value, frozen=True, kw_only=True):
    """gsin: GS1, 17 digits; carrier_scac: NMFTA; delivery_ids: of ERP's deliveries"""

    id: Key
    handling_unit_id: Annotated[list[Key], Meta(min_length=1)]
    planned_departure: Moment
    state: ShipmentState
    gsin: Annotated[str, Meta(pattern="^[0-9]{17}$")] | None = None
    carrier_scac: Annotated[str, Meta(pattern="^[A-Z]{2,4}$")] | None = None
    actual_departure: Moment | None = None
    estimated_arrival: Moment | None = None
    delivery_ids: list[Key] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        if self.gsin:
            check_digit("gsin", self.gsin)
        in_order(actual_departure=self.actual_departure, estimated_arrival=self.estimated_arrival)


class ShipmentRef(Value, frozen=True, kw_only=True):
    shipment_id: Key


class ShipmentChange(Value, frozen=True, kw_only=True):
    """Recalculate departure and arrival. event_id: what for; once per shipment and event."""

    shipment_id: Key
    event_id: Key
    reason: str
    ready_time: Moment


class ShipmentReadiness(Value, frozen=True, kw_only=True):
    """The warehouse has all of it staged."""

    shipment_id: Key
    handling_unit_id: Annotated[list[Key], Meta(min_length=1)]
    ready_time: Moment


class ShipmentBlock(Value, frozen=True, kw_only=True):
    """hold_id: of the quality hold that stands in its way"""

    shipment_id: Key
    hold_id: Key
    reason_code: Key


class ShipmentRelease(Value, frozen=True, kw_only=True):
    """The hold is over. released_by: person or process that decided it"""

    shipment_id: Key
    hold_id: Key
    released_by: str
