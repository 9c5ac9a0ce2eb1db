"""Costs posted in ERP."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Key, Moment, Value

__all__ = ["CostPosting", "LabourPosting"]


class LabourPosting(Value, frozen=True, kw_only=True):
    """One person's labour on one operation of a maintenance order, to be posted as a cost in ERP.

    hours   decimal hours; amount = hours × hourly rate, rounded to the currency's minor unit
    """

    maintenance_order_id: Key
    operation: str
    person_id: Key
    start_time: Moment
    hours: Decimal
    amount: Decimal
    currency: str
    posting_date: date
    cost_center: str


class CostPosting(Value, frozen=True, kw_only=True):
    """A posted cost. id: ERP's own document number. Source: OAGIS CostingActivity."""

    id: Key
    cost_object: Key
    cost_element: str
    amount: Decimal
    currency: str
    posting_date: date
    source_transaction_id: Key
    quantity: Quantity | None = None
    fiscal_period: str | None = None
    reversal_of: Key | None = None
