"""What a supplier portal is asked to do."""

from __future__ import annotations

from lineshaft.contracts.capability import Capability, command, query
from lineshaft.model.purchasing import AdvanceShipNotice
from lineshaft.model.supplier_claims import NoticeAcknowledgement, NoticeRef, SupplierClaim

__all__ = ["Suppliers"]


class Suppliers(Capability, name="suppliers", system_kind="supplier_portal"):
    @query(owner="procurement", entity="advance_ship_notice")
    async def notice(self, request: NoticeRef) -> AdvanceShipNotice:
        """A delivery as its supplier announced it."""

    @command(
        key=("supplier_id", "advance_ship_notice_id", "purpose"),
        order=("supplier_id", "advance_ship_notice_id"),
        owner="procurement",
        entity="advance_ship_notice",
        document="advance_ship_notice_id",
    )
    async def acknowledge_notice(self, request: NoticeAcknowledgement) -> NoticeAcknowledgement:
        """Tell a supplier whether the notice was taken."""

    @command(
        key=("nonconformance_id",),
        owner="quality",
        entity="nonconformance",
        document="id",
    )
    async def raise_claim(self, request: SupplierClaim) -> SupplierClaim:
        """Claim for goods that do not conform."""
