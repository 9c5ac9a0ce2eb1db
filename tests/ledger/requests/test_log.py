"""Notes of requests: soon where nothing was changed, and none lost at an orderly end."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec

from lineshaft.ledger.requests import RequestLog
from lineshaft.store import Store
from lineshaft.store.schema import api_requests
from tests.ledger.requests.noting import note
from tests.rows import rows


async def test_what_waits_is_written_at_the_end(store: Store) -> None:
    log = RequestLog(store)
    running = asyncio.create_task(log.run())
    await asyncio.sleep(0)
    noted = [note() for _ in range(3)]
    for each in noted:
        log.note(each)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert await rows(store, api_requests) == sorted(
        map(msgspec.structs.asdict, noted), key=lambda row: row["request_id"]
    )


async def test_many_that_changed_something_are_durable_at_once(store: Store) -> None:
    log = RequestLog(store)
    await asyncio.gather(*(log.noted(note()) for _ in range(20)))
    assert len(await rows(store, api_requests)) == 20


async def test_what_the_store_does_not_take_waits_for_it(store: Store) -> None:
    log = RequestLog(store)
    bad = msgspec.structs.replace(note(), request_id="1", status=None)  # type: ignore[arg-type]
    log.note(bad)
    await log.flush()
    assert await rows(store, api_requests) == []
    assert log.waiting == 1
