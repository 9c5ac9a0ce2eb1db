"""Events of the domain planning."""

from __future__ import annotations

from lineshaft.contracts.event import EventContract
from lineshaft.core.values import EventClass
from lineshaft.model.planning import PlannedOrderRecord, Schedule
from lineshaft.model.production import CapacitySignal
from lineshaft.model.systems import SystemKind as K

__all__ = [
    "CAPACITY_CONSTRAINED",
    "CAPACITY_RESTORED",
    "PLANNED_ORDER_FIRMED",
    "PLANNED_ORDER_PROPOSED",
    "SCHEDULE_PUBLISHED",
]

CAPACITY_CONSTRAINED = EventContract(
    "planning.capacity.constrained.v1",
    CapacitySignal,
    eventclass=EventClass.OPERATIONAL,
    owner="planning",
    key="work_center_id",
    sla_s=30,
    summary="Planning was told that a work centre can do less",
    entity="operations_capability",
    producers=(K.PLATFORM,),
    consumers=(K.APS, K.CRM),
)
CAPACITY_RESTORED = EventContract(
    "planning.capacity.restored.v1",
    CapacitySignal,
    eventclass=EventClass.OPERATIONAL,
    owner="planning",
    key="work_center_id",
    sla_s=30,
    summary="Planning was told that a work centre can do all again",
    entity="operations_capability",
    producers=(K.PLATFORM,),
    consumers=(K.APS, K.CRM),
)

PLANNED_ORDER_PROPOSED = EventContract(
    "planning.order.proposed.v1",
    PlannedOrderRecord,
    eventclass=EventClass.TRANSACTIONAL,
    owner="planning",
    key="id",
    sla_s=300,
    summary="Planning proposes a production order",
    entity="planned_order",
    producers=(K.APS,),
    consumers=(K.ERP,),
)
PLANNED_ORDER_FIRMED = EventContract(
    "planning.order.firmed.v1",
    PlannedOrderRecord,
    eventclass=EventClass.TRANSACTIONAL,
    owner="planning",
    key="id",
    sla_s=300,
    summary="A proposed order will not be moved by planning any more",
    entity="planned_order",
    producers=(K.APS,),
    consumers=(K.ERP,),
)
SCHEDULE_PUBLISHED = EventContract(
    "planning.schedule.published.v1",
    Schedule,
    eventclass=EventClass.OPERATIONAL,
    owner="planning",
    key="work_center_id",
    sla_s=60,
    summary="Planning has a new schedule for a work centre",
    entity="planned_order",
    producers=(K.APS,),
    consumers=(K.MES,),
)
