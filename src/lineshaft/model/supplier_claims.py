"""What suppliers are told: that their notice has arrived, and what was wrong with their goods."""

from __future__ import annotations

import msgspec

from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Key, Moment, Value
from lineshaft.model.measures import positive
from lineshaft.model.purchasing import NoticePurpose

__all__ = ["NoticeAcknowledgement", "NoticeRef", "SupplierClaim"]


class NoticeRef(Value, frozen=True, kw_only=True):
    supplier_id: Key
    advance_ship_notice_id: Key


class NoticeAcknowledgement(Value, frozen=True, kw_only=True):
    """finding: empty where the notice was taken as it is"""

    supplier_id: Key
    advance_ship_notice_id: Key
    purpose: NoticePurpose
    accepted: bool
    acknowledged_time: Moment
    finding: list[str] = msgspec.field(default_factory=list)


class SupplierClaim(Value, frozen=True, kw_only=True):
    """One claim per nonconformance; the portal's answer fills id."""

    nonconformance_id: Key
    supplier_id: Key
    material_definition_id: Key
    quantity: Quantity
    defect_code: Key
    description: str
    supplier_lot_id: Key | None = None
    purchase_order_id: Key | None = None
    id: Key | None = None

    def __post_init__(self) -> None:
        positive(quantity=self.quantity)
