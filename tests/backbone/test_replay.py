from __future__ import annotations

import asyncio
import os
import signal

from lineshaft.backbone import Backbone

from .conftest import event, kill_server, message_count, until

STREAM = "LS_TRANSACTIONAL"


async def test_from_a_time_or_a_sequence_without_a_trace(backbone: Backbone) -> None:
    await backbone.publisher.publish([event(number) for number in range(10)])
    everything = [each async for each in backbone.replay(STREAM)]
    assert [each.sequence for each in everything] == list(range(1, 11))
    assert [each.sequence async for each in backbone.replay(STREAM, from_sequence=8)] == [8, 9, 10]
    since = everything[5].stored_at
    assert [each.sequence async for each in backbone.replay(STREAM, since=since)][-5:] == list(range(6, 11))
    assert [each async for each in backbone.replay(STREAM, from_sequence=11)] == []
    info = await backbone.connection.api(f"STREAM.INFO.{STREAM}")
    assert info["state"]["consumer_count"] == 0
    assert await message_count(backbone, STREAM) == 10


async def test_only_what_the_filter_lets_through(backbone: Backbone) -> None:
    await backbone.publisher.publish([event(1), event(2)])
    subject = (await anext(backbone.replay(STREAM))).subject
    assert len([each async for each in backbone.replay(STREAM, filter_subjects=[subject])]) == 2
    assert [each async for each in backbone.replay(STREAM, filter_subjects=["ls.transactional.none"])] == []


async def test_a_server_that_dies_in_between_costs_no_message_and_repeats_none(backbone: Backbone) -> None:
    await backbone.publisher.publish([event(number) for number in range(3000)])
    seen: list[int] = []
    async for delivery in backbone.replay(STREAM):
        seen.append(delivery.sequence)
        if len(seen) in (1, 700, 2999):
            kill_server(backbone)
            await until(lambda: not backbone.connection.connected.is_set())
    assert seen == list(range(1, 3001))


async def test_what_a_dying_server_was_asked_is_asked_again(backbone: Backbone) -> None:
    await backbone.publisher.publish([event(1)])
    assert backbone.server is not None
    assert backbone.server.pid is not None
    os.kill(backbone.server.pid, signal.SIGSTOP)  # the question arrives, an answer never
    replay, sent = backbone.replay(STREAM), backbone.connection._client.stats
    before = sent["out_msgs"]
    first = asyncio.ensure_future(anext(replay))
    await until(lambda: sent["out_msgs"] > before)
    kill_server(backbone)
    assert (await first).sequence == 1
    assert [each async for each in replay] == []
