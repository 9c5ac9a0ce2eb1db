"""Events of the domain quality."""

from __future__ import annotations

from lineshaft.contracts.event import EventContract
from lineshaft.core.values import EventClass
from lineshaft.model.quality import InspectionRequest, Nonconformance, QualityHold, TestResult
from lineshaft.model.systems import SystemKind as K

__all__ = [
    "HOLD_PLACED",
    "HOLD_RELEASED",
    "INSPECTION_COMPLETED",
    "INSPECTION_REQUESTED",
    "NONCONFORMANCE_DISPOSITIONED",
    "NONCONFORMANCE_RAISED",
]

INSPECTION_REQUESTED = EventContract(
    "quality.inspection.requested.v1",
    InspectionRequest,
    eventclass=EventClass.TRANSACTIONAL,
    owner="quality",
    key="material_lot_id|testable_object_id",
    sla_s=60,
    summary="The QMS has taken an inspection",
    entity="test_result",
    producers=(K.MES, K.ERP, K.PLATFORM),
    consumers=(K.QMS,),
)
INSPECTION_COMPLETED = EventContract(
    "quality.inspection.completed.v1",
    TestResult,
    eventclass=EventClass.TRANSACTIONAL,
    owner="quality",
    key="material_lot_id|testable_object_id",
    sla_s=60,
    summary="An inspection has its result",
    entity="test_result",
    producers=(K.QMS,),
    consumers=(K.ERP, K.MES),
)
NONCONFORMANCE_RAISED = EventContract(
    "quality.nonconformance.raised.v1",
    Nonconformance,
    eventclass=EventClass.TRANSACTIONAL,
    owner="quality",
    key="material_lot_id|id",
    sla_s=60,
    summary="Material does not conform",
    entity="nonconformance",
    producers=(K.QMS,),
    consumers=(K.ERP, K.SUPPLIER_PORTAL),
)
NONCONFORMANCE_DISPOSITIONED = EventContract(
    "quality.nonconformance.dispositioned.v1",
    Nonconformance,
    eventclass=EventClass.TRANSACTIONAL,
    owner="quality",
    key="material_lot_id|id",
    sla_s=60,
    summary="It is decided what becomes of nonconforming material",
    entity="nonconformance",
    producers=(K.QMS,),
    consumers=(K.ERP, K.SUPPLIER_PORTAL),
)
HOLD_PLACED = EventContract(
    "quality.hold.placed.v1",
    QualityHold,
    eventclass=EventClass.TRANSACTIONAL,
    owner="quality",
    key="scope.material_lot_id|scope.handling_unit_id|scope.operations_request_id",
    sla_s=5,
    summary="A lot, handling unit or order is held",
    entity="quality_hold",
    producers=(K.QMS,),
    consumers=(K.ERP, K.WMS, K.TMS),
)
HOLD_RELEASED = EventContract(
    "quality.hold.released.v1",
    QualityHold,
    eventclass=EventClass.TRANSACTIONAL,
    owner="quality",
    key="scope.material_lot_id|scope.handling_unit_id|scope.operations_request_id",
    sla_s=30,
    summary="A hold is over",
    entity="quality_hold",
    producers=(K.QMS,),
    consumers=(K.ERP, K.WMS, K.TMS),
)
