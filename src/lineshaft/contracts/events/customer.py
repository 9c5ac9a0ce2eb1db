"""Events of the domain customer."""

from __future__ import annotations

from lineshaft.contracts.event import EventContract
from lineshaft.core.values import EventClass
from lineshaft.model.customer import CustomerOrderPromise
from lineshaft.model.systems import SystemKind as K

__all__ = ["PROMISE_CHANGED"]

PROMISE_CHANGED = EventContract(
    "customer.promise.changed.v1",
    CustomerOrderPromise,
    eventclass=EventClass.TRANSACTIONAL,
    owner="sales",
    key="sales_order_id+line",
    sla_s=60,
    summary="The date promised to a customer has moved",
    entity="customer_order_promise",
    producers=(K.ERP, K.APS),
    consumers=(K.CRM,),
)
