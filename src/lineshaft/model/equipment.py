"""Equipment, the assets that fill its roles, and work centres. Source: B2MML Equipment, PhysicalAsset."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from lineshaft.core.values import Key, Moment, Value
from lineshaft.model.enumerations import EquipmentLevel
from lineshaft.model.measures import (
    OptionalHours,
    PerHour,
    Pieces,
    in_order,
    in_unit,
    not_negative,
)

__all__ = [
    "ActivityType",
    "AssetCriticality",
    "AssetState",
    "Equipment",
    "EquipmentAssetMapping",
    "PhysicalAssetRecord",
    "WorkCenter",
]


class Equipment(Value, frozen=True, kw_only=True):
    """A role in the plant, such as "filler 2"; which machine fills it is an EquipmentAssetMapping.

    hierarchy_scope         path from the enterprise down, `/` separated
    time_zone               IANA name; a site has to have one
    counter_rollover_value  counts at which its counter begins again
    max_rate                counts per hour that it cannot exceed
    """

    id: Key
    equipment_level: EquipmentLevel
    hierarchy_scope: str
    parent_equipment_id: Key | None = None
    equipment_class_id: list[str] = msgspec.field(default_factory=list)
    operational_location: str | None = None
    time_zone: str | None = None
    work_calendar_id: Key | None = None
    counter_rollover_value: Pieces | None = None
    max_rate: PerHour | None = None
    effective_start_date: Moment | None = None
    effective_end_date: Moment | None = None
    other_value: dict[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.equipment_level is EquipmentLevel.SITE and not self.time_zone:
            raise ValueError(f"site {self.id} has no time_zone")
        not_negative(max_rate=self.max_rate)
        in_order(effective_start_date=self.effective_start_date, effective_end_date=self.effective_end_date)


class AssetCriticality(StrEnum):
    A = "A"
    B = "B"
    C = "C"


class AssetState(StrEnum):
    AVAILABLE = "available"
    OUT_OF_SERVICE = "out_of_service"
    SCRAPPED = "scrapped"


class EquipmentAssetMapping(Value, frozen=True, kw_only=True):
    """The asset filled the role in [start_time, end_time)."""

    equipment_id: Key
    start_time: Moment
    end_time: Moment | None = None


class PhysicalAssetRecord(Value, frozen=True, kw_only=True):
    """A machine with a serial number. fixed_asset_id: its number in the ERP's asset accounting."""

    id: Key
    asset_state: AssetState
    physical_asset_class_id: list[str] = msgspec.field(default_factory=list)
    fixed_asset_id: Key | None = None
    vendor_id: Key | None = None
    serial_number: str | None = None
    physical_location: str | None = None
    equipment_asset_mapping: list[EquipmentAssetMapping] = msgspec.field(default_factory=list)
    criticality: AssetCriticality | None = None


class ActivityType(Value, frozen=True, kw_only=True):
    """What ERP charges for: setup, machine or labour time. unit_of_measure: UNECE Rec 20 code."""

    id: str
    unit_of_measure: str


class WorkCenter(Value, frozen=True, kw_only=True):
    """capacity: hours a day"""

    id: Key
    equipment_id: Key
    cost_center: str | None = None
    capacity: OptionalHours = None
    activity_types: list[ActivityType] = msgspec.field(default_factory=list)
    planned_busy_time_source: str | None = None

    def __post_init__(self) -> None:
        in_unit("HUR", capacity=self.capacity)
        not_negative(capacity=self.capacity)
