"""Events of the domain logistics."""

from __future__ import annotations

from lineshaft.contracts.event import EventContract
from lineshaft.core.values import EventClass
from lineshaft.model.logistics import HandlingUnit, Shipment
from lineshaft.model.systems import SystemKind as K

__all__ = [
    "HANDLING_UNIT_COMPLETED",
    "HANDLING_UNIT_STAGED",
    "SHIPMENT_ARRIVED",
    "SHIPMENT_BLOCKED",
    "SHIPMENT_DEPARTED",
    "SHIPMENT_READY",
]

HANDLING_UNIT_COMPLETED = EventContract(
    "logistics.handling_unit.completed.v1",
    HandlingUnit,
    eventclass=EventClass.TRANSACTIONAL,
    owner="logistics",
    key="id",
    sla_s=5,
    summary="A handling unit is complete and labelled",
    entity="handling_unit",
    producers=(K.WMS, K.MES),
    consumers=(K.ERP, K.TMS),
)
HANDLING_UNIT_STAGED = EventContract(
    "logistics.handling_unit.staged.v1",
    HandlingUnit,
    eventclass=EventClass.TRANSACTIONAL,
    owner="logistics",
    key="id",
    sla_s=30,
    summary="A handling unit stands where its shipment is loaded",
    entity="handling_unit",
    producers=(K.WMS,),
    consumers=(K.ERP, K.TMS),
)
SHIPMENT_READY = EventContract(
    "logistics.shipment.ready.v1",
    Shipment,
    eventclass=EventClass.TRANSACTIONAL,
    owner="logistics",
    key="id",
    sla_s=30,
    summary="A shipment can leave",
    entity="shipment",
    producers=(K.WMS, K.TMS),
    consumers=(K.ERP, K.CRM),
)
SHIPMENT_BLOCKED = EventContract(
    "logistics.shipment.blocked.v1",
    Shipment,
    eventclass=EventClass.TRANSACTIONAL,
    owner="logistics",
    key="id",
    sla_s=5,
    summary="A shipment must not leave",
    entity="shipment",
    producers=(K.WMS, K.TMS),
    consumers=(K.ERP, K.CRM),
)
SHIPMENT_DEPARTED = EventContract(
    "logistics.shipment.departed.v1",
    Shipment,
    eventclass=EventClass.TRANSACTIONAL,
    owner="logistics",
    key="id",
    sla_s=60,
    summary="A shipment has left",
    entity="shipment",
    producers=(K.WMS, K.TMS),
    consumers=(K.ERP, K.CRM),
)
SHIPMENT_ARRIVED = EventContract(
    "logistics.shipment.arrived.v1",
    Shipment,
    eventclass=EventClass.TRANSACTIONAL,
    owner="logistics",
    key="id",
    sla_s=300,
    summary="A shipment is where it was to go",
    entity="shipment",
    producers=(K.TMS,),
    consumers=(K.ERP, K.CRM),
)
