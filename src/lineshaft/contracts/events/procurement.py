"""Events of the domain procurement."""

from __future__ import annotations

from lineshaft.contracts.event import EventContract
from lineshaft.core.values import EventClass
from lineshaft.model.procurement import PurchaseRequisition
from lineshaft.model.purchasing import AdvanceShipNotice, PurchaseOrder
from lineshaft.model.systems import SystemKind as K

__all__ = ["ASN_RECEIVED", "PURCHASE_ORDER_ISSUED", "REQUISITION_CREATED"]

REQUISITION_CREATED = EventContract(
    "procurement.requisition.created.v1",
    PurchaseRequisition,
    eventclass=EventClass.TRANSACTIONAL,
    owner="procurement",
    key="id",
    sla_s=60,
    summary="ERP has taken a purchase requisition",
    entity="purchase_requisition",
    producers=(K.PLATFORM,),
    consumers=(K.ERP,),
)

PURCHASE_ORDER_ISSUED = EventContract(
    "procurement.order.issued.v1",
    PurchaseOrder,
    eventclass=EventClass.TRANSACTIONAL,
    owner="procurement",
    key="id",
    sla_s=300,
    summary="A purchase order went to its supplier",
    entity="purchase_order",
    producers=(K.ERP,),
    consumers=(K.SUPPLIER_PORTAL,),
)
ASN_RECEIVED = EventContract(
    "procurement.asn.received.v1",
    AdvanceShipNotice,
    eventclass=EventClass.TRANSACTIONAL,
    owner="procurement",
    key="id",
    sla_s=60,
    summary="A supplier has announced a delivery",
    entity="advance_ship_notice",
    producers=(K.SUPPLIER_PORTAL,),
    consumers=(K.ERP, K.WMS),
)
