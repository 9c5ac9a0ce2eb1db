"""Master data on their way from the system of record to one that keeps a copy.

source_sequence grows with every change in the system of record. A copy ignores what is not newer than it has.
"""

from __future__ import annotations

from lineshaft.core.values import Key, Value
from lineshaft.model.equipment import Equipment, PhysicalAssetRecord
from lineshaft.model.material import MaterialDefinition

__all__ = ["AssetChange", "LocationChange", "SparePartChange"]


class AssetChange(Value, frozen=True, kw_only=True):
    physical_asset_id: Key
    source_sequence: str
    physical_asset: PhysicalAssetRecord


class LocationChange(Value, frozen=True, kw_only=True):
    equipment_id: Key
    source_sequence: str
    equipment: Equipment


class SparePartChange(Value, frozen=True, kw_only=True):
    material_definition_id: Key
    source_sequence: str
    material_definition: MaterialDefinition
