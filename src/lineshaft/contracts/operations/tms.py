"""What transport management (TMS) is asked to do."""

from __future__ import annotations

from lineshaft.contracts.capability import Capability, command, query
from lineshaft.contracts.events.logistics import SHIPMENT_BLOCKED, SHIPMENT_READY
from lineshaft.model.logistics import (
    Shipment,
    ShipmentBlock,
    ShipmentChange,
    ShipmentReadiness,
    ShipmentRef,
    ShipmentRelease,
)

__all__ = ["Transport"]


class Transport(Capability, name="transport", system_kind="tms"):
    @query(owner="logistics", entity="shipment")
    async def shipment(self, request: ShipmentRef) -> Shipment:
        """A shipment with its times."""

    @command(
        key=("shipment_id", "event_id"),
        order=("shipment_id",),
        owner="logistics",
        entity="shipment",
        document="id",
    )
    async def recalculate(self, request: ShipmentChange) -> Shipment:
        """Find departure and arrival anew, because its goods are ready at another time."""

    @command(
        key=("shipment_id",),
        order=("shipment_id",),
        owner="logistics",
        entity="shipment",
        emits=SHIPMENT_READY,
        document="id",
    )
    async def mark_ready(self, request: ShipmentReadiness) -> Shipment:
        """Tell that all of a shipment stands ready."""

    @command(
        key=("shipment_id", "hold_id"),
        order=("shipment_id",),
        owner="quality",
        entity="shipment",
        emits=SHIPMENT_BLOCKED,
        document="id",
    )
    async def block(self, request: ShipmentBlock) -> Shipment:
        """Keep a shipment from leaving."""

    @command(
        key=("shipment_id", "hold_id"),
        order=("shipment_id",),
        owner="quality",
        entity="shipment",
        document="id",
    )
    async def unblock(self, request: ShipmentRelease) -> Shipment:
        """Let a blocked shipment leave."""
