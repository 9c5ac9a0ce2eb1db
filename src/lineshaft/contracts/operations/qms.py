"""What a QMS is asked to do."""

from __future__ import annotations

from lineshaft.contracts.capability import Capability, command, query
from lineshaft.contracts.events.quality import (
    HOLD_PLACED,
    HOLD_RELEASED,
    INSPECTION_REQUESTED,
    NONCONFORMANCE_DISPOSITIONED,
    NONCONFORMANCE_RAISED,
)
from lineshaft.model.quality import (
    DispositionDecision,
    HoldRelease,
    HoldRequest,
    InspectionRef,
    InspectionRequest,
    Nonconformance,
    NonconformanceReport,
    QualityHold,
    TestResult,
)

__all__ = ["Quality"]


class Quality(Capability, name="quality", system_kind="qms"):
    @query(owner="quality", entity="test_result")
    async def result(self, request: InspectionRef) -> TestResult:
        """What an inspection found."""

    @command(
        key=("testable_object_id", "inspection_plan_id", "trigger", "trigger_reference"),
        order=("testable_object_id",),
        owner="quality",
        entity="test_result",
        emits=INSPECTION_REQUESTED,
        document="id",
    )
    async def request_inspection(self, request: InspectionRequest) -> InspectionRequest:
        """Have a lot, order or handling unit inspected by a plan."""

    @command(
        key=("event_id", "defect_code"),
        owner="quality",
        entity="nonconformance",
        emits=NONCONFORMANCE_RAISED,
        document="id",
    )
    async def raise_nonconformance(self, request: NonconformanceReport) -> Nonconformance:
        """Report material that does not conform."""

    @command(
        key=("nonconformance_id", "disposition"),
        order=("nonconformance_id",),
        owner="quality",
        entity="nonconformance",
        emits=NONCONFORMANCE_DISPOSITIONED,
        document="id",
    )
    async def disposition(self, request: DispositionDecision) -> Nonconformance:
        """Note what a person decided to do with nonconforming material."""

    @command(
        key=("material_lot_id", "handling_unit_id", "operations_request_id", "reference"),
        order=("material_lot_id", "handling_unit_id", "operations_request_id"),
        owner="quality",
        entity="quality_hold",
        emits=HOLD_PLACED,
        document="id",
    )
    async def place_hold(self, request: HoldRequest) -> QualityHold:
        """Hold a lot, a handling unit or what an order makes."""

    @command(
        key=("hold_id",),
        owner="quality",
        entity="quality_hold",
        emits=HOLD_RELEASED,
        document="id",
    )
    async def release_hold(self, request: HoldRelease) -> QualityHold:
        """End a hold."""
