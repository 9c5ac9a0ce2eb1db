"""Which instances there are: page by page, by what is asked, counted by state; on rows, on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import insert

from lineshaft.core.clock import rfc3339
from lineshaft.core.errors import ContractViolation
from lineshaft.processes.listing import Asked, counted, cursor_of, desks, distinct, listed
from lineshaft.processes.records import FINISHED
from lineshaft.store import Store
from lineshaft.store.schema import process_steps, process_waits, processes

NOW = datetime(2026, 3, 9, 14, 0, tzinfo=UTC)
STATES = ("running", "waiting", "retrying", "parked", "completed", "aborted")


def row(number: int, **facts: Any) -> dict[str, Any]:
    """One a minute, the first the newest; two of each state."""
    began, state = NOW - timedelta(minutes=number), STATES[number % len(STATES)]
    return {
        "process_id": f"p{number:02}",
        "type": "paying" if number % 2 else "asking",
        "version": 1,
        "business_key": f"key_{number:02}",
        "state": state,
        "plant": "leipzig" if number < 6 else "hamburg",
        "input": "{}",
        "owner": "controlling",
        "started_at": rfc3339(began),
        "updated_at": rfc3339(began),
        "finished_at": rfc3339(began) if state in FINISHED else "",
        **facts,
    }


async def begun(store: Store, rows: Sequence[dict[str, Any]]) -> None:
    await store.write(lambda connection: connection.execute(insert(processes), rows))


@pytest.fixture
async def twelve(store: Store) -> Store:
    await begun(store, [row(number) for number in range(12)])
    return store


async def ids(store: Store, **asked: Any) -> list[str]:
    found = await store.read(partial(listed, asked=Asked(**asked), now=NOW))
    return [each["process_id"] for each in found]


async def counts(store: Store, **asked: Any) -> dict[str, int]:
    return await store.read(partial(counted, asked=Asked(**asked), now=NOW))


@pytest.mark.parametrize("asked", [{}, {"state": "open"}, {"type": "asking"}, {"key": "key_"}])
async def test_pages_follow_each_other_without_loss_or_repeat(twelve: Store, asked: dict[str, Any]) -> None:
    await begun(twelve, [row(20 + number, started_at=rfc3339(NOW)) for number in range(5)])
    whole, paged, after = await ids(twelve, **asked), [], ""
    while True:
        question = partial(listed, asked=Asked(**asked, after=after, limit=3), now=NOW)
        page = await twelve.read(question)
        paged += [each["process_id"] for each in page]
        if len(page) < 3:
            break
        after = cursor_of(page[-1])
    assert paged == whole
    assert len(set(whole)) == len(whole) > 6


async def test_filters_narrow_and_counts_follow_them(twelve: Store) -> None:
    assert await ids(twelve, state="parked") == ["p03", "p09"]
    assert await ids(twelve, state="open", plants=frozenset({"leipzig"})) == ["p00", "p01", "p02", "p03"]
    assert await ids(twelve, plants=frozenset()) == []
    assert await ids(twelve, since=rfc3339(NOW - timedelta(minutes=1))) == ["p00", "p01"]
    assert await ids(twelve, until=rfc3339(NOW - timedelta(minutes=10))) == ["p11"]
    assert await ids(twelve, key="key_1") == ["p10", "p11"]
    assert await ids(twelve, key="key%") == []
    assert await ids(twelve, state="lost") == []
    assert await counts(twelve) == dict.fromkeys(STATES, 2)
    assert await counts(twelve, state="parked", plants=frozenset({"hamburg"})) == dict.fromkeys(STATES, 1)
    assert await counts(twelve, key="key_1") == {"completed": 1, "aborted": 1}


async def test_late_is_what_should_get_on_and_does_not(twelve: Store) -> None:
    late = {"paying": 300.0, "asking": 3600.0}
    assert await ids(twelve, late=late) == ["p09"]
    assert await counts(twelve, late=late) == {"parked": 1}
    assert await ids(twelve, late={}) == []
    assert await ids(twelve, late={"asking": 1.0}, state="running") == ["p06"]


async def test_what_is_waited_for_is_found_by_name_and_key(twelve: Store) -> None:
    step = {"kind": "wait", "name": "finance.posting.booked.v1", "input": "{}", "attempts": 1}
    steps = [
        {**step, "process_id": "p01", "step": "0", "state": "waiting"},
        {**step, "process_id": "p07", "step": "0", "state": "done"},
    ]
    waits = [
        {"process_id": "p01", "step": "0", "event_type": step["name"], "key": "B-1", "event_id": ""},
        {"process_id": "p07", "step": "0", "event_type": step["name"], "key": "B-7", "event_id": "e"},
    ]
    await twelve.write(lambda connection: connection.execute(insert(process_steps), steps))
    await twelve.write(lambda connection: connection.execute(insert(process_waits), waits))
    assert await ids(twelve, waiting_for="finance.posting.booked.v1") == ["p01"]
    assert await ids(twelve, waiting_for="B-1") == ["p01"]
    assert await ids(twelve, waiting_for="B-7") == []
    assert await counts(twelve, waiting_for="B-1") == {"waiting": 1}


async def test_what_there_is_to_choose_from(twelve: Store) -> None:
    assert await twelve.read(lambda connection: distinct(connection, processes.c.plant)) == [
        "hamburg",
        "leipzig",
    ]
    assert await twelve.read(partial(desks, plants=None)) == ["controlling"]
    assert await twelve.read(partial(desks, plants={"nowhere"})) == []


async def test_what_is_no_cursor_is_said(store: Store) -> None:
    with pytest.raises(ContractViolation) as refused:
        await ids(store, after="p01")
    assert refused.value.findings == ["after: 'p01' is not the cursor of a page"]
