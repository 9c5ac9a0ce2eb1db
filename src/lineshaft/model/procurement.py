"""Requisitions: what maintenance asks purchasing for."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Key, Value

__all__ = ["PurchaseRequisition", "RequisitionReason", "RequisitionState"]


class RequisitionReason(StrEnum):
    SHORTAGE = "shortage"
    MAINTENANCE = "maintenance"
    REORDER_POINT = "reorder_point"
    MANUAL = "manual"


class RequisitionState(StrEnum):
    REQUESTED = "requested"
    APPROVED = "approved"
    REJECTED = "rejected"
    ORDERED = "ordered"
    CANCELLED = "cancelled"


class PurchaseRequisition(Value, frozen=True, kw_only=True):
    """Asked of ERP (id empty), and its answer (id: ERP's number): a purchase_requisition of one line."""

    reference: Key
    material_definition_id: Key
    quantity: Quantity
    required_date: date
    site: str
    reason: RequisitionReason
    cost_object: str = ""
    id: Key | None = None
    state: RequisitionState = RequisitionState.REQUESTED
