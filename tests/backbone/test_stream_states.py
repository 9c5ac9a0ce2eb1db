"""How full streams are, and how far consumers are behind."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence

from lineshaft.backbone import Backbone
from lineshaft.core.values import Event

from .conftest import event, until


async def test_streams_and_their_consumers(backbone: Backbone) -> None:
    await backbone.publisher.publish([event(number) for number in range(3)])
    held = asyncio.Event()

    async def hold(batch: Sequence[Event]) -> None:
        await held.wait()

    consumer = backbone.consumer("LS_TRANSACTIONAL", "ledger", owner="integration", handle_batch=hold)
    running = asyncio.create_task(consumer.run())
    try:

        async def unacknowledged() -> int:
            found = {each.stream: each for each in await backbone.stream_states()}
            assert {"LS_OPERATIONAL", "LS_DEAD", "LS_RAW", "$MQTT_msgs"} <= found.keys()
            assert found["LS_OPERATIONAL"].messages == 0
            transactional = found["LS_TRANSACTIONAL"]
            assert transactional.messages == 3
            assert transactional.bytes > 0
            return sum(
                each.unacknowledged + each.pending
                for each in transactional.consumers
                if each.durable == "ledger"
            )

        await until(lambda: _is(unacknowledged(), 3))
        held.set()
        await until(lambda: _is(unacknowledged(), 0))
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _is(found: Coroutine[object, object, int], wanted: int) -> bool:
    return await found == wanted
