"""Events of the domain maintenance."""

from __future__ import annotations

from lineshaft.contracts.event import EventContract
from lineshaft.core.values import EventClass
from lineshaft.model.maintenance import MaintenanceRequest, OrderCompletion, OrderSettlement
from lineshaft.model.systems import SystemKind as K
from lineshaft.model.work import MaintenanceOrderRecord

__all__ = [
    "MAINTENANCE_ORDER_COMPLETED",
    "MAINTENANCE_ORDER_RELEASED",
    "MAINTENANCE_ORDER_SETTLED",
    "MAINTENANCE_REQUEST_CREATED",
]

MAINTENANCE_REQUEST_CREATED = EventContract(
    "maintenance.request.created.v1",
    MaintenanceRequest,
    eventclass=EventClass.TRANSACTIONAL,
    owner="maintenance",
    key="id",
    order_by="physical_asset_id",
    sla_s=30,
    summary="The CMMS has taken a maintenance request",
    entity="maintenance_request",
    producers=(K.PLATFORM,),
    consumers=(K.CMMS,),
)
MAINTENANCE_ORDER_COMPLETED = EventContract(
    "maintenance.order.completed.v1",
    OrderCompletion,
    eventclass=EventClass.TRANSACTIONAL,
    owner="maintenance",
    key="id",
    order_by="physical_asset_id",
    sla_s=60,
    summary="The technician finished a maintenance order: labour, parts, codes",
    entity="maintenance_order",
    producers=(K.CMMS,),
    consumers=(K.ERP, K.APS, K.MES),
)
MAINTENANCE_ORDER_SETTLED = EventContract(
    "maintenance.order.settled.v1",
    OrderSettlement,
    eventclass=EventClass.TRANSACTIONAL,
    owner="maintenance",
    key="maintenance_order_id",
    order_by="physical_asset_id",
    sla_s=60,
    summary="Labour and parts of a completed maintenance order are posted in ERP",
    entity="maintenance_order",
    producers=(K.PLATFORM,),
    consumers=(K.ERP, K.CMMS),
)

MAINTENANCE_ORDER_RELEASED = EventContract(
    "maintenance.order.released.v1",
    MaintenanceOrderRecord,
    eventclass=EventClass.TRANSACTIONAL,
    owner="maintenance",
    key="id",
    order_by="physical_asset_id",
    sla_s=60,
    summary="A maintenance order is free to be worked on",
    entity="maintenance_order",
    producers=(K.CMMS,),
    consumers=(K.ERP, K.APS, K.MES),
)
