from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lineshaft.backbone import Backbone, Connection, Publisher, from_message, stream_of
from lineshaft.core.errors import PermanentFault, TransientFault
from lineshaft.core.values import EventClass

from .conftest import event, kill_server, message_count, until


async def stored_ids(backbone: Backbone, stream: str) -> list[str]:
    return [from_message(each.headers, each.data).id async for each in backbone.replay(stream)]


@pytest.mark.parametrize("size", [1, 20, 1500])
async def test_events_are_stored_once_and_in_order(backbone: Backbone, size: int) -> None:
    events = [event(number) for number in range(size)]
    await backbone.publisher.publish(events)
    await backbone.publisher.publish(events)
    assert await stored_ids(backbone, "LS_TRANSACTIONAL") == [each.id for each in events]
    assert backbone.publisher.published == 2 * size


async def test_a_batch_with_some_known_events_adds_the_others(backbone: Backbone) -> None:
    await backbone.publisher.publish([event(number) for number in range(0, 400, 10)])
    await backbone.publisher.publish([event(number) for number in range(400)] + [event(399)])
    ids = await stored_ids(backbone, "LS_TRANSACTIONAL")
    assert len(ids) == len(set(ids)) == 400


async def test_each_class_has_its_stream(backbone: Backbone) -> None:
    await backbone.publisher.publish(
        [event(number, eventclass=each) for number, each in enumerate(EventClass)]
    )
    for each in EventClass:
        assert await message_count(backbone, stream_of(each)) == 1


async def test_nothing_is_lost_or_doubled_when_the_server_is_killed(backbone: Backbone) -> None:
    """Large and small calls side by side, two kills in the middle."""
    sizes = [1, 7, 300, 900]
    confirmed: list[str] = []
    halfway, second = asyncio.Event(), asyncio.Event()

    async def produce(lane: int) -> None:
        for call in range(12):
            start = lane * 1_000_000 + call * 1000
            events = [event(start + number) for number in range(sizes[lane])]
            await backbone.publisher.publish(events)
            confirmed.extend(each.id for each in events)
            if lane == 3 and call in (3, 7):
                (halfway if call == 3 else second).set()

    async def kill() -> None:
        for moment in (halfway, second):
            await moment.wait()
            await asyncio.sleep(0.005)  # into the middle of the next batch
            kill_server(backbone)

    async with asyncio.TaskGroup() as group:
        for lane in range(len(sizes)):
            group.create_task(produce(lane))
        group.create_task(kill())
    ids = await stored_ids(backbone, "LS_TRANSACTIONAL")
    assert len(ids) == len(set(ids))
    assert set(ids) == set(confirmed)
    assert len(confirmed) == 12 * sum(sizes)
    assert backbone.server is not None
    assert backbone.server.restarts == 2
    assert backbone.connection.reconnects >= 2


async def test_without_a_server_a_publish_fails_in_time_and_may_be_repeated(tmp_path: Path) -> None:
    backbone = await Backbone.start(None, tmp_path / "data", mqtt_port=0)
    assert backbone.server is not None
    publisher = Publisher(backbone.connection, deadline_s=0.5)
    await backbone.server.stop()
    with pytest.raises(TransientFault, match=r"2 of 2 events were not acknowledged within 0\.5 s"):
        await publisher.publish([event(1), event(2)])
    url, data_dir = backbone.server.url, tmp_path / "data"
    again = await Backbone.start(None, data_dir, mqtt_port=0)
    assert again.server is not None
    assert again.server.url == url
    await publisher.close()
    publisher = Publisher(backbone.connection)  # it takes a while until the connection is there again
    await publisher.publish([event(1), event(2)])
    assert await stored_ids(again, "LS_TRANSACTIONAL") == ["e-1", "e-2"]
    await publisher.close()
    await backbone.connection.close()
    await again.stop()


async def test_a_full_stream_is_back_pressure(tmp_path: Path) -> None:
    backbone = await Backbone.start(None, tmp_path / "data", mqtt_port=0, storage_bytes=10 * 2**20)
    publisher = Publisher(backbone.connection, deadline_s=1)
    large = bytes(200_000)
    with pytest.raises(TransientFault, match="not acknowledged"):
        await publisher.publish([event(number, data=large) for number in range(20)])
    await until(lambda: message_count(backbone, "LS_TRANSACTIONAL"))  # what was sent may be on its way
    assert await message_count(backbone, "LS_TRANSACTIONAL") < 20
    await publisher.close()
    await backbone.publisher.publish([event(100, eventclass=EventClass.OPERATIONAL)])
    await backbone.stop()


async def test_an_event_that_cannot_fit_is_refused_at_once(backbone: Backbone) -> None:
    with pytest.raises(PermanentFault, match="9000000 bytes"):
        await backbone.publisher.publish([event(1), event(2, data=bytes(9_000_000))])
    assert await message_count(backbone, "LS_TRANSACTIONAL") == 0


async def test_a_call_given_up_does_not_hold_up_the_next(backbone: Backbone) -> None:
    call = asyncio.create_task(backbone.publisher.publish([event(number) for number in range(5000)]))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await backbone.publisher.publish([event(9999)])
    assert "e-9999" in await stored_ids(backbone, "LS_TRANSACTIONAL")


async def test_a_wrong_password_is_a_mistake_in_the_settings(backbone: Backbone) -> None:
    from lineshaft.core.errors import ConfigError

    assert backbone.server is not None
    url = backbone.server.url
    refused = await asyncio.gather(  # it tries again until the time is over
        Connection.open(url, user="lineshaft", password="wrong", timeout_s=10),
        Connection.open(url, timeout_s=10),
        return_exceptions=True,
    )
    assert [type(error) for error in refused] == [ConfigError, ConfigError]
    assert "refused user 'lineshaft'" in str(refused[0])
    assert "refused user" in str(refused[1])


async def test_a_bug_while_sending_reaches_its_caller_and_not_the_next(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(backbone.connection, "publish", broken)
        with pytest.raises(PermanentFault, match="ZeroDivisionError"):
            await backbone.publisher.publish([event(1)])
    await backbone.publisher.publish([event(1)])
    assert await stored_ids(backbone, "LS_TRANSACTIONAL") == ["e-1"]


async def test_a_line_break_cannot_smuggle_a_header_in(backbone: Backbone) -> None:
    with pytest.raises(PermanentFault, match="invalid header"):
        await backbone.connection.publish("x", b"", headers={"A": "1\r\nNats-Rollup: all"})
