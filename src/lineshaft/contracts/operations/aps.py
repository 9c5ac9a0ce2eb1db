"""What planning (APS) is asked to do."""

from __future__ import annotations

from lineshaft.contracts.capability import Capability, command, query
from lineshaft.contracts.events.planning import CAPACITY_CONSTRAINED, CAPACITY_RESTORED, SCHEDULE_PUBLISHED
from lineshaft.model.planning import Demand, FirmedOrder, RescheduleRequest, Schedule, WorkCenterRef
from lineshaft.model.production import CapacitySignal

__all__ = ["Planning", "Scheduling"]


class Planning(Capability, name="planning", system_kind="aps"):
    @command(
        key=("reference",),
        order=("reference",),
        owner="planning",
        entity="operations_capability",
        emits=CAPACITY_CONSTRAINED,
        document="id",
    )
    async def constrain_capacity(self, request: CapacitySignal) -> CapacitySignal:
        """Tell planning that a work centre can do less."""

    @command(
        key=("reference",),
        order=("reference",),
        owner="planning",
        entity="operations_capability",
        emits=CAPACITY_RESTORED,
        document="id",
    )
    async def restore_capacity(self, request: CapacitySignal) -> CapacitySignal:
        """Tell planning that a work centre can do all again."""


class Scheduling(Capability, name="scheduling", system_kind="aps"):
    @query(owner="planning", entity="planned_order")
    async def schedule(self, request: WorkCenterRef) -> Schedule:
        """The schedule of a work centre that holds now."""

    @command(
        key=("reference", "line", "revision"),
        order=("reference", "line"),
        owner="planning",
        entity="planned_order",
        document="reference",
    )
    async def plan_demand(self, request: Demand) -> Demand:
        """Give a forecast or a sales order to planning."""

    @command(
        key=("work_center_id", "event_id"),
        order=("work_center_id",),
        owner="planning",
        entity="planned_order",
        emits=SCHEDULE_PUBLISHED,
        document="plan_version",
    )
    async def reschedule(self, request: RescheduleRequest) -> Schedule:
        """Have a work centre planned anew."""

    @command(
        key=("planned_order_id", "operations_request_id"),
        order=("planned_order_id",),
        owner="planning",
        entity="planned_order",
        document="operations_request_id",
    )
    async def note_firmed(self, request: FirmedOrder) -> FirmedOrder:
        """Tell planning which production order a planned one has become."""
