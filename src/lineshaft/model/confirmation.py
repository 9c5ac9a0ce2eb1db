"""What was made: production confirmations, and how ERP answered them.

Source: B2MML SegmentResponse, OpMaterialActual, OpPersonnelActual, OpEquipmentActual.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from enum import StrEnum

import msgspec

from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Key, Moment, Value
from lineshaft.model.enumerations import MaterialUse
from lineshaft.model.measures import (
    Hours,
    OptionalHours,
    in_order,
    in_unit,
    not_negative,
    positive,
)

__all__ = [
    "ConfirmationReversal",
    "ConfirmationType",
    "EquipmentActual",
    "LabourActual",
    "MaterialUsed",
    "PostedConfirmation",
    "ProductionConfirmation",
    "QuantityByReason",
    "RejectedConfirmation",
]

_PIECES = frozenset({"C62", "H87"})
_MADE = frozenset(
    {
        MaterialUse.PRODUCED,
        MaterialUse.YIELD_PRODUCED,
        MaterialUse.MATERIAL_PRODUCED,
    }
)


class ConfirmationType(StrEnum):
    """partial: more will come; final: the operation is done, whatever was planned"""

    PARTIAL = "partial"
    FINAL = "final"


class QuantityByReason(Value, frozen=True, kw_only=True):
    reason_code: Key
    quantity: Quantity

    def __post_init__(self) -> None:
        positive(quantity=self.quantity)


class MaterialUsed(Value, frozen=True, kw_only=True):
    """Material consumed or produced. material_sub_lot_id: serial numbers, one for each piece."""

    material_definition_id: Key
    material_use: MaterialUse
    quantity: Quantity
    material_lot_id: Key | None = None
    material_sub_lot_id: list[Key] = msgspec.field(default_factory=list)
    storage_location: str | None = None
    other_value: dict[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        not_negative(quantity=self.quantity)
        _serials(self.material_sub_lot_id, self.quantity)


class LabourActual(Value, frozen=True, kw_only=True):
    """operation: a part of the segment such as setup or teardown; empty: all of it"""

    person_id: Key
    quantity: Hours
    operation: str = ""
    start_time: Moment | None = None

    def __post_init__(self) -> None:
        in_unit("HUR", quantity=self.quantity)
        not_negative(quantity=self.quantity)


class EquipmentActual(Value, frozen=True, kw_only=True):
    equipment_id: Key
    quantity: OptionalHours = None

    def __post_init__(self) -> None:
        in_unit("HUR", quantity=self.quantity)
        not_negative(quantity=self.quantity)


class ProductionConfirmation(Value, frozen=True, kw_only=True):
    """One confirmation of one operation of an order: the entity segment_response.

    id                  given by the MES; with the revision it is one fact
    segment_requirement_id  the operation of the order
    actual_start_time … actual_end_time   set-up until setup_end_time, processing from processing_start_time
                        to processing_end_time, teardown after it
    yield_quantity      good ones; scrap and rework are not in it
    scrap_reason,
    rework_reason       where given, they add up to the quantity
    reversal_of         id of the confirmation that this one takes back: its quantities are that one's
    evidence_event_ids  what it came of
    """

    id: Key
    operations_request_id: Key
    segment_requirement_id: Key
    confirmation_type: ConfirmationType
    posting_date: date
    actual_start_time: Moment
    actual_end_time: Moment
    yield_quantity: Quantity
    shift_id: Key
    revision: int = 0
    job_response_id: Key | None = None
    setup_end_time: Moment | None = None
    processing_start_time: Moment | None = None
    processing_end_time: Moment | None = None
    scrap_quantity: Quantity | None = None
    scrap_reason: list[QuantityByReason] = msgspec.field(default_factory=list)
    rework_quantity: Quantity | None = None
    rework_reason: list[QuantityByReason] = msgspec.field(default_factory=list)
    variance_reason_code: Key | None = None
    exception_code: list[str] = msgspec.field(default_factory=list)
    material_actual: list[MaterialUsed] = msgspec.field(default_factory=list)
    personnel_actual: list[LabourActual] = msgspec.field(default_factory=list)
    equipment_actual: list[EquipmentActual] = msgspec.field(default_factory=list)
    reversal_of: Key | None = None
    evidence_event_ids: list[Key] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        not_negative(
            yield_quantity=self.yield_quantity,
            scrap_quantity=self.scrap_quantity,
            rework_quantity=self.rework_quantity,
        )
        if self.reversal_of == self.id:
            raise ValueError(f"reversal_of {self.id} is the confirmation itself")
        in_order(
            actual_start_time=self.actual_start_time,
            setup_end_time=self.setup_end_time,
            processing_start_time=self.processing_start_time,
            processing_end_time=self.processing_end_time,
            actual_end_time=self.actual_end_time,
        )
        _one_unit(
            self.yield_quantity, scrap_quantity=self.scrap_quantity, rework_quantity=self.rework_quantity
        )
        _add_up("scrap", self.scrap_quantity, self.scrap_reason)
        _add_up("rework", self.rework_quantity, self.rework_reason)
        made = [
            serial
            for used in self.material_actual
            if used.material_use in _MADE
            for serial in used.material_sub_lot_id
        ]
        _no_repeat("material_actual.material_sub_lot_id", made)


class PostedConfirmation(Value, frozen=True, kw_only=True):
    """ERP has posted it. document: ERP's number of the confirmation; movement_id: of its goods movements."""

    id: Key
    operations_request_id: Key
    segment_requirement_id: Key
    document: Key
    posting_date: date
    revision: int = 0
    movement_id: list[Key] = msgspec.field(default_factory=list)


class RejectedConfirmation(Value, frozen=True, kw_only=True):
    """ERP refused it on business grounds. code: such as closed_period; owner: the desk that decides"""

    id: Key
    operations_request_id: Key
    segment_requirement_id: Key
    code: str
    reason: str
    owner: str
    revision: int = 0


class ConfirmationReversal(Value, frozen=True, kw_only=True):
    """Take a posted confirmation back.

    original_key  idempotency key under which it was posted
    document      number that ERP gave it
    """

    original_key: Key
    confirmation_id: Key
    operations_request_id: Key
    segment_requirement_id: Key
    document: Key
    posting_date: date
    reason_code: Key


def _one_unit(first: Quantity, **others: Quantity | None) -> None:
    for name, quantity in others.items():
        if quantity is not None and quantity.unit != first.unit:
            raise ValueError(f"{name} is in {quantity.unit}, yield_quantity in {first.unit}")


def _add_up(what: str, whole: Quantity | None, parts: Sequence[QuantityByReason]) -> None:
    if not parts:
        return
    if whole is None:
        raise ValueError(f"{what}_reason is given without {what}_quantity")
    for part in parts:
        in_unit(whole.unit, **{f"{what}_reason": part.quantity})
    total = sum((part.quantity.value for part in parts), Decimal(0))
    if total != whole.value:
        raise ValueError(f"{what}_reason comes to {total}, {what}_quantity is {whole.value}")


def _serials(serials: Sequence[str], quantity: Quantity) -> None:
    _no_repeat("material_sub_lot_id", serials)
    if serials and quantity.unit in _PIECES and quantity.value != len(serials):
        raise ValueError(f"material_sub_lot_id has {len(serials)} serial numbers for {quantity.value} pieces")


def _no_repeat(name: str, serials: Sequence[str]) -> None:
    if len(set(serials)) != len(serials):
        twice = next(serial for serial in serials if serials.count(serial) > 1)
        raise ValueError(f"{name} has {twice} more than once")
