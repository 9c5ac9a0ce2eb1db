"""Events out of a real backbone: in order, from any place, none missing and none twice."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from lineshaft.app.event_feed import BackboneFeed
from lineshaft.backbone import Backbone
from lineshaft.contracts.catalogue import COUNT_ACCEPTED, EVENTS, STATE_CHANGED, THRESHOLD_EXCEEDED
from lineshaft.core.ports import StreamPosition
from lineshaft.core.subscriptions import FedEvent
from lineshaft.core.values import Event
from tests.gateway.events.telling import threshold_event


@pytest.fixture
async def backbone(tmp_path: Path) -> AsyncIterator[Backbone]:
    started = await Backbone.start(None, tmp_path / "data", mqtt_port=0)
    yield started
    await started.stop()


@pytest.fixture
def feed(backbone: Backbone) -> BackboneFeed:
    return BackboneFeed(backbone, EVENTS)


def events(first: int, last: int) -> list[Event]:
    return [threshold_event(number) for number in range(first, last)]


async def read(
    feed: BackboneFeed, count: int, after: Mapping[str, StreamPosition], **how: object
) -> list[FedEvent]:
    found: list[FedEvent] = []
    async with asyncio.timeout(60), feed.follow(after, **how) as batches:  # type: ignore[arg-type]
        async for batch in batches:
            found += batch
            if len(found) >= count:
                break
    return found


async def test_from_anywhere_to_what_comes(backbone: Backbone, feed: BackboneFeed) -> None:
    told = events(0, 250)
    await backbone.publisher.publish(told[:150])
    coming = asyncio.create_task(read(feed, 250, {}))
    await backbone.publisher.publish(told[150:])
    found = await coming
    assert [each.event.id for each in found] == [event.id for event in told]
    assert found[0].event == told[0]
    places = [each.position for each in found]
    assert [each.sequence for each in places] == list(range(1, 251))
    assert places[-1].created == (await feed.newest())["LS_OPERATIONAL"].created
    again = await read(feed, 10, {"LS_OPERATIONAL": places[239]})
    assert [each.event.id for each in again] == [event.id for event in told[240:]]
    assert {stream: each.sequence for stream, each in (await feed.oldest()).items()} == {
        "LS_OPERATIONAL": 0,
        "LS_TRANSACTIONAL": 0,
    }


async def test_of_some_types_only(backbone: Backbone, feed: BackboneFeed) -> None:
    other = [threshold_event(7, id=f"s-{number}", type=STATE_CHANGED.type) for number in range(5)]
    await backbone.publisher.publish([*other, *events(0, 3)])
    found = await read(feed, 3, {}, types={THRESHOLD_EXCEEDED.type, COUNT_ACCEPTED.type})
    assert {each.event.type for each in found} == {THRESHOLD_EXCEEDED.type}


async def test_since_a_time_where_there_is_no_place(backbone: Backbone, feed: BackboneFeed) -> None:
    from datetime import UTC, datetime, timedelta

    await backbone.publisher.publish(events(0, 5))
    later = datetime.now(UTC) + timedelta(milliseconds=5)
    await asyncio.sleep(0.01)  # the server keeps the time of what it stores
    await backbone.publisher.publish(events(5, 8))
    assert len(await read(feed, 3, {}, since=later)) == 3
    begun = {"LS_OPERATIONAL": StreamPosition(2, (await feed.newest())["LS_OPERATIONAL"].created)}
    assert len(await read(feed, 6, begun, since=later)) == 6


async def test_a_server_that_is_killed_in_the_middle(backbone: Backbone, feed: BackboneFeed) -> None:
    told = events(0, 400)
    await backbone.publisher.publish(told[:200])
    found: list[FedEvent] = []
    half = asyncio.Event()

    async def follow() -> None:
        async with feed.follow({}) as batches:
            async for batch in batches:
                found.extend(batch)
                if len(found) >= 100:
                    half.set()
                if len(found) >= 400:
                    return

    following = asyncio.create_task(follow())
    await half.wait()
    assert backbone.server is not None
    assert backbone.server.pid is not None
    os.kill(backbone.server.pid, signal.SIGKILL)
    async with asyncio.timeout(90):
        await backbone.publisher.publish(told[200:])
        await following
    assert [each.event.id for each in found] == [event.id for event in told]
