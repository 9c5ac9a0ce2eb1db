"""The history of one machine, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import insert

from lineshaft.contracts.plant_facts import Condition
from lineshaft.core.clock import rfc3339
from lineshaft.core.values import Event
from lineshaft.insight.machine_history import MachineHistory
from lineshaft.store import Store
from lineshaft.store.schema import calls, processes
from tests.ledger.projections.plant_events import AT, Plant, told

BOTH = {"equipment_id": "FILLER-2", "physical_asset_id": "PUMP-7"}
IDS, HERE = {"FILLER-2", "PUMP-7"}, ["leipzig"]


def state(at_s: float, number: int, before: int | None, before_s: float = 0) -> Event:
    changes = {"previous": before, "previous_start_time": text(before_s) if before is not None else None}
    return told("equipment.state.changed", at_s, **BOTH, state=number, start_time=text(at_s), **changes)


def text(at_s: float) -> str:
    return rfc3339(AT + timedelta(seconds=at_s))


async def test_states_follow_each_other_and_the_first_begins_before(store: Store) -> None:
    await Plant(store).hears(state(100, 6, 2, 10), state(200, 11, 6, 100), state(50, 2, None))
    history = MachineHistory(store)
    spans = await history.states(IDS, HERE, AT + timedelta(seconds=60))
    assert [(span.state, span.condition, span.start, span.end) for span in spans] == [
        ("stopped", Condition.STANDING, AT + timedelta(seconds=10), AT + timedelta(seconds=100)),
        ("running", Condition.RUNNING, AT + timedelta(seconds=100), AT + timedelta(seconds=200)),
        ("held", Condition.STANDING, AT + timedelta(seconds=200), None),
    ]
    assert await history.states(IDS, ["lyon"], AT) == []
    assert [history.state_word(number) for number in (0, 6, 9, 99)] == [
        "unknown",
        "running",
        "aborted",
        "state 99",
    ]


async def test_a_stop_is_one_whether_its_end_was_told_or_not(store: Store) -> None:
    def stop(kind: str, at_s: float, begun: float, **more: Any) -> Event:
        facts = {"rule": "stops", "start_time": text(begun), "upstream": ""} | more
        return told(f"equipment.downtime.{kind}", at_s, **BOTH, **facts)

    await Plant(store).hears(
        stop("started", 10, 10, end_time=None, reason_code=""),
        stop("ended", 70, 10, end_time=text(70), reason_code="JAM", upstream="CAP"),
        stop("started", 90, 90, end_time=None, reason_code="SEAL"),
    )
    lasting, over = await MachineHistory(store).stops(IDS, HERE, AT)
    assert (lasting.reason, lasting.end) == ("SEAL", None)
    assert (over.reason, over.upstream, over.end) == ("JAM", "CAP", AT + timedelta(seconds=70))


async def test_a_firing_comes_once_with_the_process_that_it_began_and_the_documents(store: Store) -> None:
    breach = told("equipment.condition.threshold_exceeded", 5, **BOTH, rule="low", value=1.4, limit=1.8)
    await Plant(store).hears(breach)
    story = breach.correlationid
    process = {
        "process_id": "p-1",
        "type": "repair",
        "version": 1,
        "business_key": "k",
        "state": "parked",
        "plant": "leipzig",
        "cause": "period closed",
        "correlation_id": story,
        "started_at": text(6),
    }
    call = {
        "call_id": "c-1",
        "operation": "maintenance.create_request",
        "system": "cmms",
        "plant": "leipzig",
        "idempotency_key": "i",
        "state": "posted",
        "document": "MR-1",
        "correlation_id": story,
        "created_at": text(7),
    }

    def unit(connection: Any) -> None:
        elsewhere = {"plant": "lyon", "created_at": text(8)}
        connection.execute(insert(processes).values(**process))
        connection.execute(
            insert(processes).values(**process | {"process_id": "p-2", "business_key": "l", "plant": "lyon"})
        )
        connection.execute(insert(calls).values(**call))
        connection.execute(
            insert(calls).values(
                **call | elsewhere | {"call_id": "c-2", "idempotency_key": "j", "document": "MR-9"}
            )
        )

    await store.write(unit)
    history = MachineHistory(store)
    (firing,) = await history.firings(IDS, HERE, AT)
    assert (firing.rule, firing.value, firing.limit, firing.story) == ("low", 1.4, 1.8, story)
    (effect,) = firing.effects
    assert (effect.type, effect.state, effect.documents) == ("repair", "parked", ("MR-1",))
    (work,) = await history.open_work(IDS, HERE, {story})
    assert (work.kind, work.title, work.detail) == ("process", "repair", "period closed")
    assert [work.id for work in await history.open_work(IDS, ["lyon"], {story})] == ["p-2"]
    assert await history.open_work(IDS, ["turin"], {story}) == []
    assert await history.open_work(IDS, HERE, set()) == []
