"""What a MES is asked to do."""

from __future__ import annotations

from lineshaft.contracts.capability import Capability, command, query
from lineshaft.contracts.events.production import CONFIRMATION_RECORDED
from lineshaft.model.batch import BatchExecution, BatchRef
from lineshaft.model.calendar import CalendarEntries, EquipmentPeriod
from lineshaft.model.confirmation import ProductionConfirmation
from lineshaft.model.counting import CountedQuantity, CountRef
from lineshaft.model.downtime import DowntimeRecord, StopReason, StopRef
from lineshaft.model.orders import DispatchedOrder, JobChange, JobOrder, JobRef, OrderDispatch
from lineshaft.model.production import EquipmentRef, ProductionContext

__all__ = ["Dispatching", "Execution", "Production", "WorkCalendar"]


class Production(Capability, name="production", system_kind="mes"):
    @query(owner="production", entity="job_order")
    async def context(self, request: EquipmentRef) -> ProductionContext:
        """The work centre of the equipment and the job that runs on it."""

    @query(owner="production", entity="reason_code")
    async def stop_reason(self, request: StopRef) -> StopReason:
        """The reason of a stop, as the operator or the MES has it by now."""

    @query(owner="production", entity="segment_response")
    async def counted(self, request: CountRef) -> CountedQuantity:
        """What the order at the equipment has made in a window, and what else a receipt has to know."""


class WorkCalendar(Capability, name="calendar", system_kind="mes"):
    @query(owner="production", entity="work_calendar")
    async def entries(self, request: EquipmentPeriod) -> CalendarEntries:
        """Shifts, breaks, planned downtime and holidays of an equipment in a period."""


class Dispatching(Capability, name="dispatching", system_kind="mes"):
    @query(owner="production", entity="job_order")
    async def job(self, request: JobRef) -> JobOrder:
        """A job as the MES has it."""

    @command(
        key=("operations_request_id", "revision"),
        order=("operations_request_id",),
        owner="production",
        entity="job_order",
        document="operations_request_id",
    )
    async def dispatch_order(self, request: OrderDispatch) -> DispatchedOrder:
        """Give a released order to the MES, which makes jobs of it."""

    @command(
        key=("job_order_id", "command", "event_id"),
        order=("job_order_id",),
        owner="production",
        entity="job_order",
        document="id",
    )
    async def change_job(self, request: JobChange) -> JobOrder:
        """Hold a job, resume it or end it."""


class Execution(Capability, name="execution", system_kind="mes"):
    @query(owner="production", entity="batch_execution")
    async def batch(self, request: BatchRef) -> BatchExecution:
        """A batch as it runs, with its parameters."""

    @command(
        key=("operations_request_id", "segment_requirement_id", "id", "revision"),
        order=("operations_request_id",),
        owner="production",
        entity="segment_response",
        emits=CONFIRMATION_RECORDED,
        document="id",
    )
    async def record_confirmation(self, request: ProductionConfirmation) -> ProductionConfirmation:
        """Record what an operation has made: a part of it, or all."""

    @command(
        key=("equipment_id", "start_time", "revision"),
        order=("equipment_id",),
        owner="production",
        entity="downtime_record",
        document="id",
    )
    async def record_downtime(self, request: DowntimeRecord) -> DowntimeRecord:
        """Record a stop with its reason."""
