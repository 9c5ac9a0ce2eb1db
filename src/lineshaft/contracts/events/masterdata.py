"""Events of the domain masterdata."""

from __future__ import annotations

from lineshaft.contracts.event import EventContract
from lineshaft.core.values import EventClass
from lineshaft.model.equipment import Equipment
from lineshaft.model.material import MaterialDefinition, OperationsDefinition
from lineshaft.model.systems import SystemKind as K

__all__ = ["EQUIPMENT_CHANGED", "MATERIAL_CHANGED", "ROUTING_CHANGED"]

MATERIAL_CHANGED = EventContract(
    "masterdata.material.changed.v1",
    MaterialDefinition,
    eventclass=EventClass.OPERATIONAL,
    owner="master-data",
    key="id",
    sla_s=300,
    summary="The master data of a material are new or changed",
    entity="material_definition",
    producers=(K.ERP, K.PLM),
    consumers=(K.MES, K.CMMS, K.WMS, K.QMS, K.APS),
)
ROUTING_CHANGED = EventContract(
    "masterdata.routing.changed.v1",
    OperationsDefinition,
    eventclass=EventClass.OPERATIONAL,
    owner="master-data",
    key="material_definition_id",
    sla_s=300,
    summary="The operations that make a material are new or changed",
    entity="operations_definition",
    producers=(K.ERP, K.PLM),
    consumers=(K.MES, K.APS),
)
EQUIPMENT_CHANGED = EventContract(
    "masterdata.equipment.changed.v1",
    Equipment,
    eventclass=EventClass.OPERATIONAL,
    owner="master-data",
    key="id",
    sla_s=300,
    summary="The master data of equipment are new or changed",
    entity="equipment",
    producers=(K.CMMS, K.ERP),
    consumers=(K.MES, K.CMMS, K.APS, K.IOT),
)
