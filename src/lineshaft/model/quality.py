"""Inspections, nonconformances and holds. Source: B2MML TestResult, Disposition; ISO 9000."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from lineshaft.core.quantity import Quantity, Unit
from lineshaft.core.values import Key, Moment, Value
from lineshaft.model.measures import in_order, not_negative

__all__ = [
    "CriterionResult",
    "DispositionDecision",
    "HoldRelease",
    "HoldRequest",
    "HoldScope",
    "HoldState",
    "InspectionRef",
    "InspectionRequest",
    "InspectionTrigger",
    "MeasurementResult",
    "Nonconformance",
    "NonconformanceDisposition",
    "NonconformanceOrigin",
    "NonconformanceReport",
    "NonconformanceState",
    "PropertyMeasurement",
    "QualityHold",
    "TestResult",
]


class InspectionTrigger(StrEnum):
    RECEIPT = "receipt"
    IN_PROCESS = "in_process"
    BATCH_COMPLETE = "batch_complete"
    ALARM = "alarm"
    MANUAL = "manual"


class InspectionRequest(Value, frozen=True, kw_only=True):
    """Asked of the QMS; its answer fills id.

    testable_object_id   the lot, order, batch or handling unit to be inspected
    trigger_reference    id of what set it off; one inspection per object, plan and trigger
    """

    testable_object_id: Key
    inspection_plan_id: Key
    trigger: InspectionTrigger
    trigger_reference: Key
    requested_time: Moment
    material_definition_id: Key | None = None
    material_lot_id: Key | None = None
    operations_request_id: Key | None = None
    quantity: Quantity | None = None
    id: Key | None = None

    def __post_init__(self) -> None:
        not_negative(quantity=self.quantity)


class InspectionRef(Value, frozen=True, kw_only=True):
    inspection_id: Key


class MeasurementResult(StrEnum):
    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"


class PropertyMeasurement(Value, frozen=True, kw_only=True):
    """value and limits: in unit_of_measure, UNECE Rec 20; a value may be a word"""

    property: str
    value: str
    result: MeasurementResult
    unit_of_measure: Unit | None = None
    lower_limit: str | None = None
    upper_limit: str | None = None


class CriterionResult(StrEnum):
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    ACCEPTED_WITH_DEVIATION = "accepted_with_deviation"


class TestResult(Value, frozen=True, kw_only=True):
    """What an inspection found, and what was made of it."""

    __test__ = False  # pytest takes a name for a test

    id: Key
    testable_object_id: Key
    property_measurement: Annotated[list[PropertyMeasurement], Meta(min_length=1)]
    evaluated_criterion_result: CriterionResult
    evaluation_date: Moment
    material_lot_id: Key | None = None
    operations_request_id: Key | None = None
    sample_size: Quantity | None = None

    def __post_init__(self) -> None:
        not_negative(sample_size=self.sample_size)
        failed = any(each.result is MeasurementResult.FAIL for each in self.property_measurement)
        if failed and self.evaluated_criterion_result is CriterionResult.ACCEPTED:
            raise ValueError(
                "evaluated_criterion_result is accepted with a property_measurement that failed; "
                "expected rejected or accepted_with_deviation"
            )


class NonconformanceOrigin(StrEnum):
    SUPPLIER = "supplier"
    PRODUCTION = "production"
    CUSTOMER = "customer"


class NonconformanceDisposition(StrEnum):
    PENDING = "pending"
    USE_AS_IS = "use_as_is"
    REWORK = "rework"
    SCRAP = "scrap"
    RETURN_TO_SUPPLIER = "return_to_supplier"


class NonconformanceState(StrEnum):
    OPEN = "open"
    DISPOSITIONED = "dispositioned"
    CLOSED = "closed"


class NonconformanceReport(Value, frozen=True, kw_only=True):
    """Asked of the QMS. event_id: what it came of; one nonconformance per event and defect."""

    event_id: Key
    defect_code: Key
    material_definition_id: Key
    quantity: Quantity
    origin: NonconformanceOrigin
    material_lot_id: Key | None = None
    operations_request_id: Key | None = None
    supplier_id: Key | None = None

    def __post_init__(self) -> None:
        not_negative(quantity=self.quantity)


class Nonconformance(Value, frozen=True, kw_only=True):
    """quantity: that does not conform"""

    id: Key
    material_definition_id: Key
    quantity: Quantity
    defect_code: Key
    origin: NonconformanceOrigin
    disposition: NonconformanceDisposition
    state: NonconformanceState
    material_lot_id: Key | None = None

    def __post_init__(self) -> None:
        not_negative(quantity=self.quantity)
        pending = self.disposition is NonconformanceDisposition.PENDING
        if pending != (self.state is NonconformanceState.OPEN):
            raise ValueError(f"disposition {self.disposition} does not go with state {self.state}")


class DispositionDecision(Value, frozen=True, kw_only=True):
    """What becomes of nonconforming material, as a person decided it."""

    nonconformance_id: Key
    disposition: NonconformanceDisposition
    decided_by: str
    decided_time: Moment
    reason: str


class HoldScope(Value, frozen=True, kw_only=True):
    """What is held: exactly one of these."""

    material_lot_id: Key | None = None
    handling_unit_id: Key | None = None
    operations_request_id: Key | None = None

    def __post_init__(self) -> None:
        _exactly_one(self.material_lot_id, self.handling_unit_id, self.operations_request_id)


class HoldState(StrEnum):
    ACTIVE = "active"
    RELEASED = "released"


class HoldRequest(Value, frozen=True, kw_only=True):
    """Hold exactly one of a lot, a handling unit and what an order makes.

    reference   of the event, inspection or nonconformance that it is for; one hold for each
    """

    reference: Key
    reason_code: Key
    placed_time: Moment
    placed_by: str
    material_lot_id: Key | None = None
    handling_unit_id: Key | None = None
    operations_request_id: Key | None = None

    def __post_init__(self) -> None:
        _exactly_one(self.material_lot_id, self.handling_unit_id, self.operations_request_id)


class QualityHold(Value, frozen=True, kw_only=True):
    id: Key
    scope: HoldScope
    reason_code: Key
    placed_time: Moment
    placed_by: str
    state: HoldState
    released_time: Moment | None = None
    released_by: str | None = None

    def __post_init__(self) -> None:
        if self.state is HoldState.RELEASED and not (self.released_time and self.released_by):
            raise ValueError(f"hold {self.id} is released; expected released_time and released_by")
        in_order(placed_time=self.placed_time, released_time=self.released_time)


class HoldRelease(Value, frozen=True, kw_only=True):
    hold_id: Key
    released_time: Moment
    released_by: str
    reason: str


def _exactly_one(*given: str | None) -> None:
    if sum(each is not None for each in given) != 1:
        raise ValueError("expected exactly one of material_lot_id, handling_unit_id, operations_request_id")
