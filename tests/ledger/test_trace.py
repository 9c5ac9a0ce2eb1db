"""The explanation, over a made-up story written with the real parts: reading to document and back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from sqlalchemy import Connection, Table, update

from lineshaft.contracts.catalogue import (
    EVENTS,
    MAINTENANCE_ORDER_COMPLETED,
    THRESHOLD_EXCEEDED,
    Maintenance,
)
from lineshaft.core.clock import rfc3339
from lineshaft.core.values import Command, Event, ExceptionKind, ExceptionRecord, Origin
from lineshaft.ledger import Audit, Claims, Desk, EventLog, Reads
from lineshaft.ledger.trace_search import keys_like
from lineshaft.model.maintenance import MaintenanceRequest
from lineshaft.store import Outbox, Store
from lineshaft.store.schema import (
    api_requests,
    business_keys,
    calls,
    events,
    exceptions,
    process_steps,
    process_waits,
    processes,
)
from lineshaft.store.statements import put
from tests.clocks import ManualClock
from tests.facts import AT, VALUES, breach, completion

SAMPLES = {type(value): value for value in VALUES}


@dataclass
class Story:
    store: Store
    breach: Event
    process_id: str
    call_id: str
    key: str
    webhook: Event

    async def trace(self, key: str) -> dict[str, Any]:
        return await Reads(self.store).trace(key)


@pytest_asyncio.fixture
async def story(store: Store) -> Story:
    clock = ManualClock()
    log = EventLog(store, EVENTS, clock)
    claims = Claims(store, Outbox(store), Audit("node", clock), clock)
    told = THRESHOLD_EXCEEDED.make(breach(), plant="NSP", source="/nsp/telemetry", identity=("1",), time=AT)
    await log.record([told])
    clock.advance(1)
    instance = {
        "process_id": "process-1",
        "type": "corrective_maintenance",
        "version": 1,
        "business_key": "PUMP-7/low-pressure/x",
        "state": "running",
        "plant": "NSP",
        "input": told.data.decode(),
        "correlation_id": told.correlationid,
        "causation_id": told.id,
        "started_at": rfc3339(clock.now()),
    }
    key = {"key": instance["business_key"], "kind": "process", "ref": "process-1", "field": "business_key"}
    await write(store, processes, instance)
    await write(store, business_keys, key)
    clock.advance(1)

    operation = Maintenance.operations["create_request"]
    answer = SAMPLES[MaintenanceRequest]
    request = msgspec.structs.replace(answer, id=None, maintenance_order_id=None)
    origin = Origin(
        plant="NSP", actor="p", correlation_id=told.correlationid, causation_id="process-1/0", traceparent=""
    )
    command = Command(operation=operation.name, request=request, origin=origin)
    claim = await claims.claim(command, operation, "cmms")
    clock.advance(1)
    created = operation.emits.make(  # type: ignore[union-attr]
        answer,
        plant="NSP",
        source="/x",
        identity=(claim.call_id,),
        time=clock.now(),
        correlation_id=told.correlationid,
        causation_id=claim.call_id,
    )
    await claims.posted(claim, operation, answer, 1, created)
    await log.record([created])
    await write(store, process_steps, step(0, "call", operation.name, clock))
    clock.advance(3600)
    # a webhook of the CMMS: it knows nothing of the story
    webhook = MAINTENANCE_ORDER_COMPLETED.make(
        completion(), plant="NSP", source="/nsp/cmms", identity=("w",), time=clock.now()
    )
    await log.record([webhook])
    await write(store, process_steps, step(1, "wait", webhook.type, clock))
    waited = {"process_id": "process-1", "step": "1", "event_type": webhook.type, "key": "MO-1"}
    await write(store, process_waits, waited | {"event_id": webhook.id})
    return Story(store, told, "process-1", claim.call_id, claim.idempotency_key, webhook)


def step(number: int, kind: str, name: str, clock: ManualClock) -> dict[str, Any]:
    at = rfc3339(clock.now())
    told = {"process_id": "process-1", "step": str(number), "kind": kind, "name": name}
    return told | {"state": "done", "input": "{}", "started_at": at}


async def move(store: Store, table: Table, plant: str) -> None:
    await store.write(lambda connection: connection.execute(update(table).values(plant=plant)) and None)


async def write(store: Store, table: Table, row: dict[str, Any]) -> None:
    await store.write(lambda connection: put(connection, table, [row]))


async def test_it_leads_from_the_reading_to_the_document(story: Story) -> None:
    (found,) = (await story.trace("PUMP-7"))["stories"]
    assert found["correlation_id"] == story.breach.id
    kinds = sorted(node["kind"] for node in found["nodes"])
    assert kinds == ["call", "document", *["event"] * 3, "process", "reading", "rule", "step", "step"]
    edges = {tuple(edge) for edge in found["edges"]}
    for edge in [
        ("reading:RAW:4711", f"rule:{story.breach.id}"),
        (f"rule:{story.breach.id}", story.breach.id),
        (story.breach.id, "process-1"),
        ("process-1", "process-1/0"),
        ("process-1/0", story.call_id),
        (story.call_id, "cmms:MR-1"),
        (story.webhook.id, "process-1/1"),
    ]:
        assert edge in edges
    nodes = {node["id"] for node in found["nodes"]}
    assert all(cause in nodes and effect in nodes for cause, effect in edges)
    assert [node["at"] for node in found["nodes"]] == sorted(node["at"] for node in found["nodes"])


@pytest.mark.parametrize(
    "asked",
    [
        lambda story: "PUMP-7",
        lambda story: "MO-1",  # the order's id: in the reply of the call, and in the webhook
        lambda story: "MR-1",  # document number
        lambda story: "P-77",  # only in the webhook, which joined the story by being waited for
        lambda story: story.breach.id,
        lambda story: story.webhook.id,
        lambda story: story.call_id,
        lambda story: story.key,
        lambda story: story.process_id,
        lambda story: "PUMP-7/low-pressure/x",
    ],
)
async def test_every_name_of_a_part_finds_the_whole(asked: Any, story: Story) -> None:
    result = await story.trace(asked(story))
    assert [found["correlation_id"] for found in result["stories"]] == [story.breach.id]
    assert (result["query"], result["more"]) == (asked(story), 0)
    assert len(result["stories"][0]["nodes"]) == 10


async def test_an_exception_stands_between_what_failed_and_what_was_redriven(story: Story) -> None:
    failed = ExceptionRecord(
        kind=ExceptionKind.DEAD_LETTER,
        plant="NSP",
        source="processes of x",
        owner="maintenance",
        cause="crashed",
        ref=story.breach.id,
        correlation_id=story.breach.correlationid,
    )
    await Desk(story.store, ManualClock()).report([failed])
    (row,) = await Reads(story.store).open_exceptions()
    one = row["exception_id"]
    again = msgspec.structs.replace(story.breach, id="again", causationid=one)
    await EventLog(story.store, EVENTS, ManualClock()).record([again])
    for key in (one, "PUMP-7"):
        (found,) = (await story.trace(key))["stories"]
        assert [story.breach.id, one] in found["edges"]
        assert [one, "again"] in found["edges"]
        (node,) = [node for node in found["nodes"] if node["kind"] == "exception"]
        assert (node["id"], node["state"], node["cause"]) == (one, "open", "crashed")


async def test_a_redriven_body_belongs_to_the_story_that_took_its_event_in(story: Story) -> None:
    """A body that told no event has no story of its own."""
    refused = ExceptionRecord(
        kind=ExceptionKind.CONTRACT_VIOLATION,
        plant="NSP",
        source="/webhooks/cmms/order-completed",
        owner="maintenance",
        cause="noon",
    )
    await Desk(story.store, ManualClock()).report([refused])
    (row,) = await Reads(story.store).open_exceptions()
    one = row["exception_id"]
    assert (await story.trace(one))["stories"] == []

    def redriven(connection: Connection) -> None:
        connection.execute(update(exceptions).values(redrive_ref=story.webhook.id))
        connection.execute(
            update(events).where(events.c.event_id == story.webhook.id).values(causation_id=one)
        )

    await story.store.write(redriven)
    (found,) = (await story.trace(one))["stories"]
    assert found["correlation_id"] == story.breach.id
    assert [one, story.webhook.id] in found["edges"]


@pytest.mark.parametrize("key", ["nothing", "", "%", "' or 1=1 --"])
async def test_an_unknown_key_gives_an_empty_result(key: str, story: Story) -> None:
    assert await story.trace(key) == {"query": key, "stories": [], "more": 0, "cut": False}


async def test_the_rule_says_its_version_and_limit(story: Story) -> None:
    (found,) = (await story.trace("PUMP-7"))["stories"]
    (rule,) = [node for node in found["nodes"] if node["kind"] == "rule"]
    told = [rule[name] for name in ("title", "version", "limit", "unit", "asset")]
    assert told == ["low-pressure", "1", "below 2.2", "BAR", "PUMP-7"]


async def test_a_story_is_told_of_ones_own_plants(story: Story) -> None:
    """A story that goes on in another plant has its nodes of that plant only for who sees it."""
    await move(story.store, calls, "LYON")
    reads = Reads(story.store)

    async def kinds(key: str, *plants: str) -> set[str]:
        found = (await reads.trace(key, plants))["stories"]
        return {node["kind"] for each in found for node in each["nodes"]}

    everything = {node["kind"] for node in (await story.trace("PUMP-7"))["stories"][0]["nodes"]}
    assert await kinds("PUMP-7", "NSP", "LYON") == everything
    assert await kinds("PUMP-7", "NSP") == everything - {"call", "document"}
    assert await kinds(story.key, "LYON") == {"call", "document"}
    for key in ("PUMP-7", story.process_id, story.webhook.id, story.breach.id):
        assert await reads.trace(key, ["OSLO"]) == {"query": key, "stories": [], "more": 0, "cut": False}


async def test_an_event_that_another_plant_took_in_is_its_own_story_at_home(story: Story) -> None:
    await move(story.store, processes, "LYON")
    (found,) = (await Reads(story.store).trace("P-77", ["NSP"]))["stories"]
    assert [node["id"] for node in found["nodes"]] == [story.webhook.id]


async def test_keys_are_suggested_by_their_beginning(story: Story) -> None:
    async def like(begins: str, *plants: str, most: int = 10) -> list[str]:
        return await story.store.read(
            lambda connection: keys_like(connection, begins, plants or None, most=most)
        )

    assert await like("PUM") == ["PUMP-7", "PUMP-7/low-pressure/x"]
    assert await like("PUM", most=1) == ["PUMP-7"]
    assert await like("PUM", "NSP") == ["PUMP-7", "PUMP-7/low-pressure/x"]
    for begins in ("P", "", "pum", "PUMP-9", "%", "~~~"):
        assert await like(begins) == []
    assert await like("PUM", "LYON") == []


async def test_a_webhook_that_nobody_waited_for_is_a_story_of_its_own(store: Store) -> None:
    log = EventLog(store, EVENTS, ManualClock())
    webhook = MAINTENANCE_ORDER_COMPLETED.make(
        completion(), plant="NSP", source="/nsp/cmms", identity=("w",), time=AT
    )
    await log.record([webhook])
    (found,) = (await Reads(store).trace("P-77"))["stories"]
    assert [node["id"] for node in found["nodes"]] == [webhook.id]


async def test_the_newest_stories_are_shown_and_the_others_counted(store: Store) -> None:
    clock = ManualClock()
    log = EventLog(store, EVENTS, clock)
    for number in range(25):
        at = AT + timedelta(minutes=number)
        await log.record(
            [THRESHOLD_EXCEEDED.make(breach(at), plant="NSP", source="/x", identity=(str(number),), time=at)]
        )
        clock.advance(60)
    result = await Reads(store).trace("PUMP-7")
    assert (len(result["stories"]), result["more"]) == (20, 5)
    times = [found["nodes"][0]["at"] for found in result["stories"]]
    assert times == sorted(times, reverse=True)
    assert times[0] == rfc3339(AT + timedelta(minutes=24))


async def test_a_key_of_very_many_events_can_be_asked_for(store: Store) -> None:
    """More than a statement may have variables: 32 766 in SQLite."""
    from sqlalchemy import insert

    from lineshaft.store.schema import business_keys

    many = [{"key": "BUSY", "kind": "event", "ref": f"e{n}", "field": "x"} for n in range(33_000)]
    await store.write(lambda connection: connection.execute(insert(business_keys), many) and None)
    assert (await Reads(store).trace("BUSY"))["stories"] == []


async def test_a_story_that_is_too_long_is_cut_and_says_so(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await story.trace(story.key)
    monkeypatch.setattr("lineshaft.ledger.trace._MOST_ROWS", 1)
    cut = await story.trace(story.key)
    assert (whole["cut"], cut["cut"]) == (False, True)
    assert 0 < len(cut["stories"][0]["nodes"]) < len(whole["stories"][0]["nodes"])


async def test_times_with_another_offset_are_put_in_order(store: Store) -> None:
    log = EventLog(store, EVENTS, ManualClock())
    data = msgspec.json.decode(msgspec.json.encode(breach()))
    data["evidence"]["time"] = "2026-03-02T06:59:00+01:00"  # 05:59 UTC
    event = THRESHOLD_EXCEEDED.make(breach(), plant="NSP", source="/x", identity=("1",), time=AT)
    await log.record([msgspec.structs.replace(event, data=msgspec.json.encode(data))])
    (found,) = (await Reads(store).trace("PUMP-7"))["stories"]
    assert [node["kind"] for node in found["nodes"]] == ["reading", "rule", "event"]
    assert found["nodes"][0]["at"] == "2026-03-02T05:59:00.000000Z"


async def test_the_read_model_shows_what_is_there(story: Story) -> None:
    reads = Reads(story.store)
    (process,) = await reads.recent_processes()
    assert process["state"] == "running"
    await Desk(story.store, ManualClock()).report([])
    assert await reads.open_exceptions() == []
    assert await reads.counts() == {
        "events": 3,
        "outbox": 1,
        "exceptions.open": 0,
        "calls.posted": 1,
        "processes.running": 1,
    }


async def test_a_call_that_came_by_http_hangs_under_its_request(story: Story) -> None:
    request = {
        "request_id": "r1",
        "at": rfc3339(AT),
        "caller": "key:mes",
        "method": "POST",
        "path": "/api/system/cmms/v1/maintenance/create_request",
        "status": 200,
        "duration_ms": 3.0,
        "correlation_id": story.breach.correlationid,
        "ref": story.call_id,
    }
    read = request | {"request_id": "r2", "method": "GET", "ref": ""}
    await story.store.write(
        lambda connection: [put(connection, api_requests, [row]) for row in (request, read)]
    )
    for key in ("r1", story.call_id):
        (found,) = (await story.trace(key))["stories"]
        (node,) = [node for node in found["nodes"] if node["kind"] == "request"]
        assert (node["id"], node["caller"], node["state"]) == ("r1", "key:mes", "200")
        assert ["r1", story.call_id] in found["edges"]
    assert (await story.trace("r2"))["stories"] == []
