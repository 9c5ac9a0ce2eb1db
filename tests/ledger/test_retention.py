"""What is over goes after its time; what somebody may still need stays, however old."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Table

from lineshaft.contracts.catalogue import EVENTS, MAINTENANCE_ORDER_COMPLETED, THRESHOLD_EXCEEDED
from lineshaft.core.clock import rfc3339
from lineshaft.core.values import Event
from lineshaft.ledger import Desk, EventLog, KeepFor, Reads, Retention
from lineshaft.store import Store
from lineshaft.store.schema import (
    api_requests,
    business_keys,
    calls,
    events,
    exceptions,
    process_waits,
    processes,
    request_claims,
    retention_marks,
    signals,
)
from lineshaft.store.statements import put
from tests.clocks import ManualClock
from tests.facts import AT, breach, completion
from tests.ledger.exceptions_at_work import dead_event
from tests.rows import rows

KEEP = KeepFor(
    events=timedelta(days=10),
    signals=timedelta(days=5),
    exceptions=timedelta(days=20),
    call_payloads=timedelta(days=30),
)
OLD = rfc3339(AT)
DAY_S = 24 * 3600.0


class House:
    """A ledger, first as it is now, then `days` later."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = ManualClock()
        self.retention = Retention(store, EVENTS, self.clock, KEEP)

    async def event(self, number: int = 1) -> Event:
        told = THRESHOLD_EXCEEDED.make(
            breach(), plant="NSP", source="/x", identity=(str(number),), time=AT, correlation_id="story-1"
        )
        await EventLog(self.store, EVENTS, self.clock).record([told])
        return told

    async def put(self, table: Table, *given: dict[str, Any]) -> None:
        await self.store.write(lambda connection: [put(connection, table, [row]) for row in given])

    async def process(self, state: str, **columns: Any) -> None:
        row = {"process_id": "p1", "type": "repair", "version": 1, "business_key": "PUMP-7", "state": state}
        ended = OLD if state == "completed" else ""
        await self.put(processes, row | {"finished_at": ended, "correlation_id": "story-1"} | columns)

    async def call(self, state: str = "posted", number: int = 1, created_at: str = OLD) -> None:
        row = {"call_id": f"c{number}", "idempotency_key": f"k{number}", "operation": "books.post"}
        told = {"request": '{"a":1}', "reply": '{"b":2}', "document": "D-1", "fingerprint": "f"}
        await self.put(
            calls, row | told | {"state": state, "correlation_id": "story-1", "created_at": created_at}
        )

    async def signal(self, key: str = "MO-1") -> None:
        row = {"event_id": f"s-{key}", "event_type": MAINTENANCE_ORDER_COMPLETED.type, "key": key}
        await self.put(signals, row | {"received_at": OLD})

    async def after(self, days: float) -> dict[str, int]:
        self.clock.advance(days * DAY_S)
        would = await self.retention.sweep(dry_run=True)
        assert await self.retention.sweep() == would
        return {name: count for name, count in would.items() if count}


@pytest.fixture
def house(store: Store) -> House:
    return House(store)


async def test_events_go_with_their_keys(house: House) -> None:
    await house.event()
    assert len((await Reads(house.store).trace("PUMP-7"))["stories"]) == 1
    assert await house.after(9.9) == {}
    await house.event(2)
    assert await house.after(0.2) == {"events": 1}
    (left,) = await rows(house.store, events)
    assert {row["ref"] for row in await rows(house.store, business_keys)} == {left["event_id"]}


async def test_events_whose_payload_cannot_be_read_go_too(house: House) -> None:
    record = dead_event()
    assert record.event is not None
    await EventLog(house.store, EVENTS, house.clock).record([record.event])
    assert await house.after(11) == {"events": 1}
    assert await rows(house.store, business_keys) == []


async def test_events_of_an_open_process_stay(house: House) -> None:
    await house.event()
    await house.process("waiting")
    assert await house.after(1000) == {}
    await house.process("completed")
    assert await house.after(0) == {"events": 1}


async def test_an_event_that_an_open_process_took_in_stays(house: House) -> None:
    told = await house.event()
    await house.process("waiting", correlation_id="another")
    waited = {"process_id": "p1", "step": "1", "event_type": told.type, "key": "x", "event_id": told.id}
    await house.put(process_waits, waited)
    assert await house.after(1000) == {}


@pytest.mark.parametrize("state", ["sending", "unknown"])
async def test_events_of_a_call_whose_outcome_is_not_known_stay(state: str, house: House) -> None:
    await house.event()
    await house.call(state)
    assert await house.after(1000) == {}


async def test_events_of_an_open_exception_stay(house: House) -> None:
    await house.event()
    await Desk(house.store, house.clock).report([dead_event(correlation_id="story-1")])
    assert await house.after(1000) == {}
    await house.store.write(
        lambda connection: connection.exec_driver_sql("update exceptions set state = 'discarded'") and None
    )
    assert await house.after(0) == {"events": 1, "exceptions": 1}


async def test_only_closed_exceptions_go(house: House) -> None:
    desk = Desk(house.store, house.clock)
    await desk.report([dead_event(1), dead_event(2)])
    closed = rfc3339(AT + timedelta(days=15))

    def close_one(connection: Connection) -> None:
        found = connection.exec_driver_sql("select min(exception_id) from exceptions").scalar()
        connection.exec_driver_sql(
            f"update exceptions set state = 'resolved', closed_at = '{closed}' where exception_id = '{found}'"
        )

    await house.store.write(close_one)
    assert await house.after(30) == {}
    assert await house.after(10) == {"exceptions": 1}
    (left,) = await rows(house.store, exceptions)
    assert left["state"] == "open"


async def test_a_call_keeps_all_that_makes_a_repeat_recognisable(house: House) -> None:
    await house.call()
    assert await house.after(29) == {}
    assert await house.after(2) == {"call_payloads": 1}
    (row,) = await rows(house.store, calls)
    assert (row["request"], row["reply"]) == ("", "")
    assert (row["idempotency_key"], row["fingerprint"], row["state"], row["document"]) == (
        "k1",
        "f",
        "posted",
        "D-1",
    )


async def test_a_call_that_is_left_out_is_looked_at_again(house: House) -> None:
    """The mark goes no further than the first that kept its payload."""
    await house.call("unknown", 1)
    later = rfc3339(AT + timedelta(hours=1))
    await house.call("posted", 2, later)
    assert await house.after(31) == {"call_payloads": 1}
    assert [row["up_to"] for row in await rows(house.store, retention_marks)] == [OLD]
    await house.call("rejected", 1)
    assert await house.after(0) == {"call_payloads": 1}
    (mark,) = await rows(house.store, retention_marks)
    assert mark["up_to"] == rfc3339(AT + timedelta(days=1))


async def test_a_signal_that_nobody_can_take_goes(house: House) -> None:
    await house.signal()
    await house.process("waiting")
    assert await house.after(4) == {}
    assert await house.after(2) == {"signals": 1}


async def test_a_signal_that_somebody_waits_for_stays(house: House) -> None:
    await house.signal()
    waiting = {"process_id": "p1", "step": "1", "event_type": MAINTENANCE_ORDER_COMPLETED.type, "key": "MO-1"}
    await house.put(process_waits, waiting | {"event_id": ""})
    assert await house.after(1000) == {}


@pytest.mark.parametrize("kind", ["process", "call", "event", "taken"])
async def test_a_signal_whose_key_an_open_story_knows_stays(kind: str, house: House) -> None:
    """It may be asked for at a later step."""
    await house.signal()
    told = await house.event()
    await house.call()
    ref = {"process": "p1", "call": "c1", "event": told.id, "taken": told.id}[kind]
    key = {"key": "MO-1", "kind": "event" if kind == "taken" else kind, "ref": ref, "field": "x"}
    await house.put(business_keys, key)
    if kind == "taken":
        await house.process("running", correlation_id="another")
        waited = {"process_id": "p1", "step": "1", "event_type": told.type, "key": "x", "event_id": told.id}
        await house.put(process_waits, waited)
    else:
        await house.process("running")
    assert (await house.after(9)).get("signals") is None
    await house.process("completed")
    assert (await house.after(0)).get("signals") == 1


async def test_more_than_a_batch_goes_in_one_sweep(house: House) -> None:
    told = [
        MAINTENANCE_ORDER_COMPLETED.make(
            completion(f"MO-{number}"), plant="NSP", source="/x", identity=(str(number),), time=AT
        )
        for number in range(450)
    ]
    await EventLog(house.store, EVENTS, house.clock).record(told)
    await house.call()
    held = told[0].correlationid
    await house.process("waiting", correlation_id=held)
    assert await house.after(11) == {"events": 449}
    assert [row["correlation_id"] for row in await rows(house.store, events)] == [held]


async def test_requests_go_with_their_answers_but_not_that_an_event_came(house: House) -> None:
    request = {"request_id": "r1", "at": OLD, "status": 200, "duration_ms": 1.0}
    await house.put(
        api_requests, request, request | {"request_id": "r2", "at": rfc3339(AT + timedelta(days=300))}
    )
    claim = {"created_at": OLD, "state": "done"}
    await house.put(
        request_claims,
        claim | {"claim_id": "c1", "scope": "cmms.maintenance.create_request"},
        claim | {"claim_id": "c2", "scope": "event"},
        claim | {"claim_id": "c3", "scope": "cmms.maintenance.create_request", "state": "in_flight"},
    )
    assert await house.after(401) == {"requests": 1, "request_claims": 1}
    assert [row["request_id"] for row in await rows(house.store, api_requests)] == ["r2"]
    assert [row["claim_id"] for row in await rows(house.store, request_claims)] == ["c2", "c3"]
