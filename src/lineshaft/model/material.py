"""Materials, their lots, bills and routings. Source: B2MML Material, OperationsDefinition."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from lineshaft.core.quantity import Quantity, Unit
from lineshaft.core.values import Key, Value
from lineshaft.model.enumerations import AssemblyRelationship, AssemblyType, Dependency, Disposition
from lineshaft.model.measures import Percent, Seconds, check_digit, not_negative, positive

__all__ = [
    "AlternateUnit",
    "AssemblyLot",
    "BillItem",
    "MaterialDefinition",
    "MaterialLot",
    "MaterialRef",
    "MaterialStatus",
    "MaterialSubLot",
    "MaterialVersion",
    "OperationsDefinition",
    "OperationsMaterialBill",
    "OperationsSegment",
    "SegmentDependency",
]


class MaterialRef(Value, frozen=True, kw_only=True):
    material_definition_id: Key


class MaterialVersion(Value, frozen=True, kw_only=True):
    """Of a material, what is effective on a day."""

    material_definition_id: Key
    effective_date: date


class MaterialStatus(StrEnum):
    ACTIVE = "active"
    BLOCKED = "blocked"
    OBSOLETE = "obsolete"


class AlternateUnit(Value, frozen=True, kw_only=True):
    """numerator base units are denominator of this one: 24 bottles (H87) are 1 case."""

    unit_of_measure: Unit
    numerator: Decimal
    denominator: Decimal

    def __post_init__(self) -> None:
        not_negative(numerator=self.numerator, denominator=self.denominator)
        if not self.numerator or not self.denominator:
            raise ValueError(f"{self.numerator}/{self.denominator} is no factor for {self.unit_of_measure}")


class MaterialDefinition(Value, frozen=True, kw_only=True):
    """gtin: GS1, 14 digits; assembly_definition: materials that it is put together from"""

    id: Key
    description: str
    base_unit_of_measure: Unit
    lot_managed: bool
    serial_managed: bool
    status: MaterialStatus
    material_class_id: list[str] = msgspec.field(default_factory=list)
    gtin: Annotated[str, Meta(pattern="^[0-9]{14}$")] | None = None
    alternate_units: list[AlternateUnit] = msgspec.field(default_factory=list)
    shelf_life: timedelta | None = None
    assembly_definition: list[Key] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        if self.gtin:
            check_digit("gtin", self.gtin)


class MaterialSubLot(Value, frozen=True, kw_only=True):
    """Of a serial number, the quantity is 1 C62."""

    id: Key
    status: str | None = None
    disposition: Disposition | None = None
    quantity: Quantity | None = None
    other_value: dict[str, str] = msgspec.field(default_factory=dict)


class AssemblyLot(Value, frozen=True, kw_only=True):
    """A lot that went into this one."""

    material_lot_id: Key
    quantity: Quantity | None = None


class MaterialLot(Value, frozen=True, kw_only=True):
    """assembly_lot: genealogy, one step back"""

    id: Key
    material_definition_id: Key
    disposition: Disposition
    quantity: Quantity
    storage_location: str
    status: str | None = None
    production_date: date | None = None
    expiration_date: date | None = None
    supplier_lot_id: Key | None = None
    material_sub_lot: list[MaterialSubLot] = msgspec.field(default_factory=list)
    assembly_lot: list[AssemblyLot] = msgspec.field(default_factory=list)
    other_value: dict[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        not_negative(quantity=self.quantity)


class BillItem(Value, frozen=True, kw_only=True):
    """quantity: for the bill's base quantity; use_type: how the material is used, as the owner calls it"""

    id: Key
    material_definition_id: Key
    quantity: Quantity
    use_type: str | None = None
    operations_segment_id: Key | None = None
    scrap_percent: Percent | None = None
    assembly_type: AssemblyType | None = None
    assembly_relationship: AssemblyRelationship | None = None
    other_value: dict[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        not_negative(scrap_percent=self.scrap_percent)


class OperationsMaterialBill(Value, frozen=True, kw_only=True):
    id: Key
    version: str
    material_definition_id: Key
    base_quantity: Quantity
    operations_material_bill_item: Annotated[list[BillItem], Meta(min_length=1)]
    effective_start_date: date | None = None
    effective_end_date: date | None = None

    def __post_init__(self) -> None:
        positive(base_quantity=self.base_quantity)


class SegmentDependency(Value, frozen=True, kw_only=True):
    """This operation may begin … the other: AfterEnd, AtStart and so on."""

    operations_segment_id: Key
    dependency: Dependency
    other_value: dict[str, str] = msgspec.field(default_factory=dict)


class OperationsSegment(Value, frozen=True, kw_only=True):
    """run_time_per_unit: seconds for one base unit (ISO 22400 PRI)"""

    id: Key
    work_center_id: Key
    is_count_point: bool
    process_segment_id: Key | None = None
    setup_time: Seconds | None = None
    run_time_per_unit: Seconds | None = None
    segment_dependency: list[SegmentDependency] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        not_negative(setup_time=self.setup_time, run_time_per_unit=self.run_time_per_unit)


class OperationsDefinition(Value, frozen=True, kw_only=True):
    """A routing: the operations of a material in order."""

    id: Key
    version: str
    material_definition_id: Key
    operations_segment: Annotated[list[OperationsSegment], Meta(min_length=1)]
