"""What a WMS is asked to do."""

from __future__ import annotations

from lineshaft.contracts.capability import Capability, command, query
from lineshaft.contracts.events.inventory import BALANCE_CHANGED, RESERVATION_CREATED
from lineshaft.contracts.events.logistics import HANDLING_UNIT_STAGED
from lineshaft.model.inventory import (
    BalanceUpdate,
    MaterialAtSite,
    Release,
    Reservation,
    StockBalance,
    Withdrawal,
)
from lineshaft.model.logistics import HandlingUnit, HandlingUnitRef, StagingTask, StockHold, TransferTask
from lineshaft.model.postings import ExpectedReceipt

__all__ = ["Inventory", "Warehouse"]


class Inventory(Capability, name="inventory", system_kind="wms"):
    @query(owner="warehouse", entity="stock_balance")
    async def availability(self, request: MaterialAtSite) -> StockBalance:
        """On-hand and reserved stock of a material at a site, with its reorder point."""

    @command(
        key=("for_reference", "line"),
        owner="warehouse",
        entity="reservation",
        emits=RESERVATION_CREATED,
        document="id",
    )
    async def reserve(self, request: Reservation) -> Reservation:
        """Promise stock to a maintenance order's part line."""

    @command(key=("reservation_id",), owner="warehouse", entity="reservation", document="reservation_id")
    async def withdraw(self, request: Withdrawal) -> Withdrawal:
        """End a reservation: its parts were used."""

    @command(key=("reservation_id",), owner="warehouse", entity="reservation", document="reservation_id")
    async def release(self, request: Release) -> Release:
        """End a reservation: its parts are not needed, and their stock is free again."""

    @command(
        key=("material_definition_id", "site", "source_sequence"),
        order=("material_definition_id", "site"),
        owner="warehouse",
        entity="stock_balance",
        emits=BALANCE_CHANGED,
        document="source_sequence",
    )
    async def synchronise_balance(self, request: BalanceUpdate) -> BalanceUpdate:
        """Tell the mirror the balance of the system of record."""


class Warehouse(Capability, name="warehouse", system_kind="wms"):
    @query(owner="logistics", entity="handling_unit")
    async def handling_unit(self, request: HandlingUnitRef) -> HandlingUnit:
        """A handling unit, what is on it and where it stands."""

    @command(
        key=("reference", "line"),
        owner="warehouse",
        entity="material_movement",
        document="id",
    )
    async def create_transfer_task(self, request: TransferTask) -> TransferTask:
        """Have stock or a handling unit moved."""

    @command(
        key=("handling_unit_id", "shipment_id"),
        order=("handling_unit_id",),
        owner="logistics",
        entity="handling_unit",
        emits=HANDLING_UNIT_STAGED,
        document="id",
    )
    async def stage_handling_unit(self, request: StagingTask) -> HandlingUnit:
        """Bring a handling unit to where its shipment is loaded."""

    @command(
        key=("hold_id", "material_lot_id", "handling_unit_id", "state"),
        order=("hold_id",),
        owner="quality",
        entity="quality_hold",
        document="id",
    )
    async def set_stock_hold(self, request: StockHold) -> StockHold:
        """Keep stock from being picked while a hold lasts, or free it."""

    @command(
        key=("supplier_id", "advance_ship_notice_id", "purpose"),
        order=("supplier_id", "advance_ship_notice_id"),
        owner="warehouse",
        entity="advance_ship_notice",
        document="id",
    )
    async def prepare_receipt(self, request: ExpectedReceipt) -> ExpectedReceipt:
        """Make room and doors ready for an announced delivery."""
