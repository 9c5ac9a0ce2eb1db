"""Events of the domain production."""

from __future__ import annotations

from lineshaft.contracts.event import EventContract
from lineshaft.core.values import EventClass
from lineshaft.model.aggregates import CountAggregate
from lineshaft.model.batch import BatchExecution
from lineshaft.model.confirmation import PostedConfirmation, ProductionConfirmation, RejectedConfirmation
from lineshaft.model.counting import AcceptedCount
from lineshaft.model.orders import JobOrder, OperationsRequest, OrderStateChange
from lineshaft.model.systems import SystemKind as K

__all__ = [
    "BATCH_COMPLETED",
    "BATCH_STATE_CHANGED",
    "CONFIRMATION_POSTED",
    "CONFIRMATION_RECORDED",
    "CONFIRMATION_REJECTED",
    "CONFIRMATION_REVERSED",
    "COUNT_ACCEPTED",
    "COUNT_AGGREGATED",
    "JOB_COMPLETED",
    "JOB_DISPATCHED",
    "JOB_STARTED",
    "ORDER_CANCELLED",
    "ORDER_CHANGED",
    "ORDER_CLOSED",
    "ORDER_HELD",
    "ORDER_RELEASED",
]

COUNT_AGGREGATED = EventContract(
    "production.count.aggregated.v1",
    CountAggregate,
    eventclass=EventClass.OPERATIONAL,
    owner="production",
    key="equipment_id",
    sla_s=60,
    summary="What a counter of a machine counted in a window",
    entity="segment_response",
    system_of_record=K.IOT,
    producers=(K.IOT,),
    consumers=(K.MES, K.ERP),
)
COUNT_ACCEPTED = EventContract(
    "production.count.accepted.v1",
    AcceptedCount,
    eventclass=EventClass.TRANSACTIONAL,
    owner="production",
    key="equipment_id",
    order_by="operations_request_id",
    sla_s=60,
    summary="A machine's count agrees with the MES: its quantity may be received",
    entity="segment_response",
    producers=(K.PLATFORM,),
    consumers=(K.ERP,),
)

ORDER_RELEASED = EventContract(
    "production.order.released.v1",
    OperationsRequest,
    eventclass=EventClass.TRANSACTIONAL,
    owner="production",
    key="id",
    sla_s=30,
    summary="ERP has released a production order",
    entity="operations_request",
    producers=(K.ERP,),
    consumers=(K.MES, K.APS, K.WMS),
)
ORDER_CHANGED = EventContract(
    "production.order.changed.v1",
    OperationsRequest,
    eventclass=EventClass.TRANSACTIONAL,
    owner="production",
    key="id",
    sla_s=30,
    summary="ERP has changed a released production order",
    entity="operations_request",
    producers=(K.ERP,),
    consumers=(K.MES, K.APS, K.WMS),
)
ORDER_HELD = EventContract(
    "production.order.held.v1",
    OrderStateChange,
    eventclass=EventClass.TRANSACTIONAL,
    owner="production",
    key="id",
    sla_s=30,
    summary="ERP has put a production order on hold",
    entity="operations_request",
    producers=(K.ERP,),
    consumers=(K.MES, K.APS, K.WMS),
)
ORDER_CANCELLED = EventContract(
    "production.order.cancelled.v1",
    OrderStateChange,
    eventclass=EventClass.TRANSACTIONAL,
    owner="production",
    key="id",
    sla_s=30,
    summary="ERP has cancelled a production order",
    entity="operations_request",
    producers=(K.ERP,),
    consumers=(K.MES, K.APS, K.WMS),
)
ORDER_CLOSED = EventContract(
    "production.order.closed.v1",
    OrderStateChange,
    eventclass=EventClass.TRANSACTIONAL,
    owner="production",
    key="id",
    sla_s=300,
    summary="ERP takes no more postings on a production order",
    entity="operations_request",
    producers=(K.ERP,),
    consumers=(K.MES, K.APS, K.WMS),
)
JOB_DISPATCHED = EventContract(
    "production.job.dispatched.v1",
    JobOrder,
    eventclass=EventClass.OPERATIONAL,
    owner="production",
    key="id",
    sla_s=5,
    summary="The MES has given a job to equipment",
    entity="job_order",
    producers=(K.MES,),
    consumers=(K.APS, K.WMS, K.ANALYTICS),
)
JOB_STARTED = EventContract(
    "production.job.started.v1",
    JobOrder,
    eventclass=EventClass.OPERATIONAL,
    owner="production",
    key="id",
    sla_s=5,
    summary="A job runs",
    entity="job_order",
    producers=(K.MES,),
    consumers=(K.APS, K.WMS, K.ANALYTICS),
)
JOB_COMPLETED = EventContract(
    "production.job.completed.v1",
    JobOrder,
    eventclass=EventClass.OPERATIONAL,
    owner="production",
    key="id",
    sla_s=5,
    summary="A job is done",
    entity="job_order",
    producers=(K.MES,),
    consumers=(K.APS, K.WMS, K.ANALYTICS),
)
CONFIRMATION_RECORDED = EventContract(
    "production.confirmation.recorded.v1",
    ProductionConfirmation,
    eventclass=EventClass.TRANSACTIONAL,
    owner="production",
    key="operations_request_id",
    sla_s=60,
    summary="The MES has recorded what an operation has made",
    entity="segment_response",
    producers=(K.MES,),
    consumers=(K.ERP, K.WMS, K.APS),
)
CONFIRMATION_REVERSED = EventContract(
    "production.confirmation.reversed.v1",
    ProductionConfirmation,
    eventclass=EventClass.TRANSACTIONAL,
    owner="production",
    key="operations_request_id",
    sla_s=60,
    summary="The MES takes an earlier confirmation back",
    entity="segment_response",
    producers=(K.MES,),
    consumers=(K.ERP, K.WMS, K.APS),
)
CONFIRMATION_POSTED = EventContract(
    "production.confirmation.posted.v1",
    PostedConfirmation,
    eventclass=EventClass.TRANSACTIONAL,
    owner="production",
    key="operations_request_id",
    sla_s=60,
    summary="ERP has posted a confirmation",
    entity="segment_response",
    producers=(K.PLATFORM,),
    consumers=(K.MES, K.ANALYTICS),
)
CONFIRMATION_REJECTED = EventContract(
    "production.confirmation.rejected.v1",
    RejectedConfirmation,
    eventclass=EventClass.TRANSACTIONAL,
    owner="production",
    key="operations_request_id",
    sla_s=60,
    summary="ERP has refused a confirmation on business grounds",
    entity="segment_response",
    producers=(K.PLATFORM,),
    consumers=(K.MES, K.ANALYTICS),
)
BATCH_STATE_CHANGED = EventContract(
    "production.batch.state_changed.v1",
    BatchExecution,
    eventclass=EventClass.OPERATIONAL,
    owner="production",
    key="batch_id",
    sla_s=5,
    summary="A batch went into another state",
    entity="batch_execution",
    producers=(K.MES,),
    consumers=(K.QMS, K.ERP),
)
BATCH_COMPLETED = EventContract(
    "production.batch.completed.v1",
    BatchExecution,
    eventclass=EventClass.OPERATIONAL,
    owner="production",
    key="batch_id",
    sla_s=60,
    summary="A batch is complete",
    entity="batch_execution",
    producers=(K.MES,),
    consumers=(K.QMS, K.ERP),
)
