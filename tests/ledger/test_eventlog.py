"""Every event once, with its business keys."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from lineshaft.contracts.catalogue import EVENTS, MAINTENANCE_ORDER_SETTLED, THRESHOLD_EXCEEDED
from lineshaft.core.values import Event
from lineshaft.ledger import EventLog, Reads
from lineshaft.store import Store
from lineshaft.store.schema import business_keys, events
from tests.clocks import ManualClock
from tests.facts import AT, VALUES, breach
from tests.rows import rows


@pytest.fixture
def log(store: Store) -> EventLog:
    return EventLog(store, EVENTS, ManualClock())


def told(**changes: object) -> Event:
    event = THRESHOLD_EXCEEDED.make(breach(), plant="NSP", source="/x", identity=("1",), time=AT)
    return msgspec.structs.replace(event, **changes)


async def keys(store: Store) -> set[str]:
    return {row["key"] for row in await rows(store, business_keys)}


async def test_an_event_seen_twice_is_one_row(store: Store, log: EventLog) -> None:
    await asyncio.gather(log.record([told(), told()]), log.record([told()]))
    (row,) = await rows(store, events)
    assert (row["event_id"], row["time"]) == (told().id, "2026-03-02T06:00:00.000000Z")
    assert await keys(store) == {"FILLER-2", "PUMP-7"}


async def test_a_batch_with_one_known_event_records_the_others(store: Store, log: EventLog) -> None:
    await log.record([told(id="a")])
    await log.record([told(id="a"), told(id="b"), told(id="c")])
    assert {row["event_id"] for row in await rows(store, events)} == {"a", "b", "c"}


async def test_an_empty_batch_is_nothing(store: Store, log: EventLog) -> None:
    await log.record([])
    assert await rows(store, events) == []


async def test_lists_of_keys_are_noted_each(store: Store, log: EventLog) -> None:
    settlement = next(value for value in VALUES if type(value).__name__ == "OrderSettlement")
    await log.record(
        [MAINTENANCE_ORDER_SETTLED.make(settlement, plant="NSP", source="/x", identity=("1",), time=AT)]
    )  # type: ignore[arg-type]
    assert {"MO-1", "MV-1", "MV-2", "CO-1"} <= await keys(store)


@pytest.mark.parametrize(
    "data",
    [b"{}", b"no json", b"\xff\xfe\x00", b'{"equipment_id":"a\\u0000b"}', b"[" * 50_000 + b"]" * 50_000],
)
async def test_a_payload_that_breaks_its_contract_is_kept_under_its_subject(
    data: bytes, store: Store, log: EventLog
) -> None:
    await log.record([told(data=data), told(id="other")])
    assert len(await rows(store, events)) == 2
    assert "FILLER-2" in await keys(store)
    assert len((await Reads(store).trace("FILLER-2"))["stories"]) == 1


async def test_a_type_without_a_contract_is_kept_under_its_subject(store: Store, log: EventLog) -> None:
    await log.record([told(type="other.thing.happened.v1", subject="S-1")])
    assert await keys(store) == {"S-1"}


@pytest.mark.parametrize("subject", ["", "x" * 500])
async def test_a_subject_that_no_row_holds_is_no_reason_to_lose_the_event(
    subject: str, store: Store, log: EventLog
) -> None:
    """PostgreSQL refuses a longer key than declared, SQLite does not."""
    await log.record([told(subject=subject)])
    (row,) = await rows(store, events)
    assert row["subject"] == subject
