"""What a CMMS is asked to do."""

from __future__ import annotations

from lineshaft.contracts.capability import Capability, command, query
from lineshaft.contracts.events.maintenance import MAINTENANCE_REQUEST_CREATED
from lineshaft.model.maintenance import (
    AssetPeriod,
    AssetRef,
    MaintenanceRequest,
    Observation,
    OpenOrders,
    PhysicalAsset,
    PlannedWork,
    TaskUpdate,
)
from lineshaft.model.master_changes import AssetChange, LocationChange, SparePartChange

__all__ = ["AssetRegister", "Maintenance"]


class Maintenance(Capability, name="maintenance", system_kind="cmms"):
    @query(owner="maintenance", entity="physical_asset")
    async def asset(self, request: AssetRef) -> PhysicalAsset:
        """The asset's master data and usual repair kit."""

    @query(owner="maintenance", entity="maintenance_order")
    async def open_orders(self, request: AssetRef) -> OpenOrders:
        """Orders of the asset on which work is not finished."""

    @query(owner="maintenance", entity="maintenance_order")
    async def planned_work(self, request: AssetPeriod) -> PlannedWork:
        """Work that was planned for the asset in a period."""

    @command(
        key=("physical_asset_id", "rule", "episode_start"),
        owner="maintenance",
        entity="maintenance_request",
        emits=MAINTENANCE_REQUEST_CREATED,
        document="id",
    )
    async def create_request(self, request: MaintenanceRequest) -> MaintenanceRequest:
        """Ask for work on an asset; the CMMS opens an order for it."""

    @command(
        key=("maintenance_order_id", "rule", "episode_start"),
        owner="maintenance",
        entity="maintenance_order",
        document="id",
    )
    async def add_observation(self, request: Observation) -> Observation:
        """Join a further finding to an open order."""

    @command(
        key=("maintenance_order_id", "state"),
        order=("maintenance_order_id",),
        owner="maintenance",
        entity="maintenance_order",
        document="maintenance_order_id",
    )
    async def update_task(self, request: TaskUpdate) -> TaskUpdate:
        """Tell the technician whether the parts are there."""


class AssetRegister(Capability, name="asset_register", system_kind="cmms"):
    @command(
        key=("physical_asset_id", "source_sequence"),
        order=("physical_asset_id",),
        owner="maintenance",
        entity="physical_asset",
        document="physical_asset_id",
    )
    async def synchronise_asset(self, request: AssetChange) -> AssetChange:
        """Take over what the system of record says of an asset."""

    @command(
        key=("equipment_id", "source_sequence"),
        order=("equipment_id",),
        owner="maintenance",
        entity="equipment",
        document="equipment_id",
    )
    async def synchronise_location(self, request: LocationChange) -> LocationChange:
        """Take over a place in the plant's hierarchy."""

    @command(
        key=("material_definition_id", "source_sequence"),
        order=("material_definition_id",),
        owner="maintenance",
        entity="material_definition",
        document="material_definition_id",
    )
    async def synchronise_spare_part(self, request: SparePartChange) -> SparePartChange:
        """Take over the master data of a spare part."""
