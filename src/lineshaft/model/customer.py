"""What customers were promised. Source: OAGIS SalesOrder, Promise."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Key, Value
from lineshaft.model.measures import not_negative

__all__ = ["Confidence", "CustomerOrderPromise", "PromiseChange", "PromiseRef"]


class Confidence(StrEnum):
    FIRM = "firm"
    AT_RISK = "at_risk"
    LATE = "late"


class CustomerOrderPromise(Value, frozen=True, kw_only=True):
    """reason_event_id: of the event that moved it

    supplying_operations_request_id: the production order that makes it
    """

    id: Key
    sales_order_id: Key
    line: str
    material_definition_id: Key
    quantity: Quantity
    requested_date: date
    promised_date: date
    confidence: Confidence
    reason_event_id: Key | None = None
    supplying_operations_request_id: Key | None = None

    def __post_init__(self) -> None:
        not_negative(quantity=self.quantity)


class PromiseRef(Value, frozen=True, kw_only=True):
    sales_order_id: Key
    line: str


class PromiseChange(Value, frozen=True, kw_only=True):
    """Move a promise. reason_event_id: what for; once per order line and event."""

    sales_order_id: Key
    line: str
    promised_date: date
    confidence: Confidence
    reason_event_id: Key
    reason: str
    supplying_operations_request_id: Key | None = None
