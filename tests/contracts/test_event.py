"""Event types are declared once, and one fact is one event."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from lineshaft.contracts.catalogue import EVENTS, MAINTENANCE_REQUEST_CREATED, THRESHOLD_EXCEEDED
from lineshaft.contracts.event import EventContract, Sla
from lineshaft.contracts.examples import example
from lineshaft.core.errors import ContractViolation
from lineshaft.core.values import Event, EventClass
from lineshaft.model.condition import ThresholdExceeded
from tests.facts import AT, VALUES, breach


def declared(
    type: str = "a.b.c.v1", key: str = "equipment_id", order_by: str = ""
) -> EventContract[ThresholdExceeded]:
    return EventContract(
        type,
        ThresholdExceeded,
        eventclass=EventClass.OPERATIONAL,
        owner="x",
        key=key,
        order_by=order_by,
        sla_s=1,
        summary="s",
    )


def told(identity: tuple[str, ...] = ("PUMP-7", "r1"), **changes: str) -> Event:
    arguments = {"plant": "NSP", "source": "/acme/NSP/telemetry/1"} | changes
    return THRESHOLD_EXCEEDED.make(breach(), identity=identity, time=AT, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "type",
    [
        "",
        "a.b.v1",
        "a.b.c",
        "a.b.c.v0",
        "a.b.c.v01",
        "A.b.c.v1",
        "a.b.c.d.e.v1",
        "a.b-c.d.v1",
        "a.b.c.v1\n",
        " a.b.c.v1",
    ],
)
def test_a_malformed_type_is_refused(type: str) -> None:
    with pytest.raises(ValueError, match="no event type"):
        declared(type)


@pytest.mark.parametrize("facets", [{"key": "nothing"}, {"order_by": "nothing"}])
def test_a_key_that_is_no_field_is_refused(facets: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="no field 'nothing'"):
        declared(**facets)


def test_order_is_kept_within_the_key_unless_said_otherwise() -> None:
    assert declared().order_by == "equipment_id"
    assert declared(order_by="physical_asset_id").order_by == "physical_asset_id"


def test_one_fact_told_twice_is_one_event() -> None:
    assert told() == told()
    assert told().id != told(identity=("PUMP-7", "r2")).id
    assert told().id != told(source="/acme/NSP/telemetry/2").id
    assert told(("a", "bc")).id != told(("ab", "c")).id


def test_an_event_says_whose_it_is_and_begins_a_story_or_goes_on_with_one() -> None:
    event = told()
    assert (event.subject, event.partitionkey, event.type) == (
        "FILLER-2",
        "FILLER-2",
        THRESHOLD_EXCEEDED.type,
    )
    assert event.correlationid == event.id
    assert told(correlation_id="s", causation_id="c").correlationid == "s"
    assert event.payload["rule"] == "low-pressure"


def test_the_order_key_is_the_partition() -> None:
    request = next(value for value in VALUES if type(value).__name__ == "MaintenanceRequest")
    event = MAINTENANCE_REQUEST_CREATED.make(request, plant="NSP", source="/x", identity=("1",), time=AT)  # type: ignore[arg-type]
    assert (event.subject, event.partitionkey) == ("MR-1", "PUMP-7")


def test_decoding_gives_the_data_back_or_every_finding() -> None:
    event = told()
    assert THRESHOLD_EXCEEDED.decode(event) == breach()
    with pytest.raises(ContractViolation) as caught:
        THRESHOLD_EXCEEDED.decode(msgspec.structs.replace(event, data=b"{}"))
    assert len(caught.value.findings) == 13


@pytest.mark.parametrize("contract", EVENTS.values(), ids=EVENTS)
def test_each_describes_itself(contract: EventContract[ThresholdExceeded]) -> None:
    described = contract.describe()
    assert msgspec.json.decode(msgspec.json.encode(described)) == described
    assert described["summary"]
    assert timedelta(seconds=described["sla_s"]) > timedelta()
    assert "%" not in repr(contract)


@pytest.mark.parametrize(
    ("seconds", "sla"),
    [
        (0.1, Sla.REAL_TIME),
        (5, Sla.REAL_TIME),
        (5.1, Sla.NEAR_REAL_TIME),
        (300, "near real time"),
        (301, "batch"),
    ],
)
def test_the_seconds_decide_the_class_of_the_sla(seconds: float, sla: str) -> None:
    assert Sla.of(seconds) == sla


def test_an_entity_that_is_not_canonical_is_refused() -> None:
    with pytest.raises(ValueError, match="'pump' is no canonical entity; known: equipment, physical_asset"):
        EventContract(
            "a.b.c.v1",
            ThresholdExceeded,
            eventclass=EventClass.OPERATIONAL,
            owner="x",
            key="rule",
            sla_s=1,
            summary="s",
            entity="pump",
        )


def test_the_system_of_record_is_that_of_the_entity() -> None:
    contract = EVENTS["quality.hold.placed.v1"]
    assert contract.system_of_record == "qms"
    assert contract.describe()["system_of_record"] == "qms"
    assert EVENTS["platform.contract.violated.v1"].system_of_record is None


def subject(type: str, **changes: object) -> str:
    contract = EVENTS[type]
    return contract.subject(contract.schema.convert(example(contract) | changes))


def test_a_key_of_two_fields_names_both() -> None:
    kind = "customer.promise.changed.v1"
    assert subject(kind, sales_order_id="SO-7", line="20") == "SO-7+20"
    assert subject("inventory.material.consumed.v1", from_location=None) == "WATER-05+-"


def test_a_key_with_alternatives_takes_the_first_that_is_there() -> None:
    kind = "quality.inspection.completed.v1"
    assert subject(kind, material_lot_id="LOT-1", testable_object_id="PO-1") == "LOT-1"
    assert subject(kind, material_lot_id=None, testable_object_id="PO-1") == "PO-1"


def test_a_key_may_be_inside_a_field() -> None:
    kind = "quality.hold.placed.v1"
    assert subject(kind, scope={"handling_unit_id": "340123450000000014"}) == "340123450000000014"
    assert subject(kind, scope={"operations_request_id": "PO-1"}) == "PO-1"
