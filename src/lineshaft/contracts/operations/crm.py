"""What customer relationship management (CRM) is asked to do."""

from __future__ import annotations

from lineshaft.contracts.capability import Capability, command, query
from lineshaft.contracts.events.customer import PROMISE_CHANGED
from lineshaft.model.customer import CustomerOrderPromise, PromiseChange, PromiseRef

__all__ = ["CustomerOrders"]


class CustomerOrders(Capability, name="customer_orders", system_kind="crm"):
    @query(owner="sales", entity="customer_order_promise")
    async def promise(self, request: PromiseRef) -> CustomerOrderPromise:
        """What a customer was promised."""

    @command(
        key=("sales_order_id", "line", "reason_event_id"),
        order=("sales_order_id", "line"),
        owner="sales",
        entity="customer_order_promise",
        emits=PROMISE_CHANGED,
        document="id",
    )
    async def change_promise(self, request: PromiseChange) -> CustomerOrderPromise:
        """Move the date that a customer was promised."""
