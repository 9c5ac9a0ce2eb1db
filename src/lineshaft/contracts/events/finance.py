"""Events of the domain finance."""

from __future__ import annotations

from lineshaft.contracts.event import EventContract
from lineshaft.core.values import EventClass
from lineshaft.model.finance import CostPosting
from lineshaft.model.systems import SystemKind as K

__all__ = ["COST_POSTED"]

COST_POSTED = EventContract(
    "finance.cost.posted.v1",
    CostPosting,
    eventclass=EventClass.TRANSACTIONAL,
    owner="finance",
    key="id",
    order_by="cost_object",
    sla_s=60,
    summary="ERP has posted a cost",
    entity="cost_posting",
    producers=(K.ERP,),
    consumers=(K.ANALYTICS,),
)
