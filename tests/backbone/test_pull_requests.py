from __future__ import annotations

import pytest
from nats.aio.msg import Msg

from lineshaft.backbone import Backbone
from lineshaft.backbone.pull import declare_consumer
from lineshaft.backbone.pull_requests import PullRequests
from tests.waiting import until


async def test_silence_is_told_from_heartbeats(backbone: Backbone) -> None:
    """Where nothing happens for hours, the requests stay; where no heartbeat comes, they are lost."""
    await declare_consumer(backbone.connection, "LS_RAW", {"durable_name": "idle"})
    requests = PullRequests(backbone.connection, "LS_RAW", "idle", batch=10, heartbeat_s=0.1)

    async def answer(msg: Msg) -> None:
        requests.ended(msg.headers or {})

    subscription = await backbone.connection.subscribe(f"{requests.inbox}.*", answer)
    await until(lambda: requests.wait(0))  # False where the server stalls for longer than a heartbeat takes
    info = await backbone.connection.api("CONSUMER.INFO.LS_RAW.idle")
    assert info["num_waiting"] == 2
    await backbone.connection.unsubscribe(subscription)
    while await requests.wait(0):  # the last heartbeat was a moment ago
        pass
    assert not requests.gone


@pytest.mark.parametrize(("batch", "max_bytes"), [(100, 2500), (2, 100_000)])
async def test_a_request_that_is_full_is_followed_by_the_next_at_once(
    backbone: Backbone, batch: int, max_bytes: int
) -> None:
    for number in range(10):
        await backbone.connection.store("plant.a", b"%d" % number + bytes(1000))
    await declare_consumer(backbone.connection, "LS_RAW", {"durable_name": "big"})
    requests = PullRequests(
        backbone.connection, "LS_RAW", "big", batch=batch, in_flight=1, max_bytes=max_bytes
    )
    seen: list[bytes] = []

    async def answer(msg: Msg) -> None:
        if msg.reply:
            seen.append(msg.data)
            requests.delivered()
        else:
            requests.ended(msg.headers or {})

    await backbone.connection.subscribe(f"{requests.inbox}.*", answer)
    while len(seen) < 10:
        assert await requests.wait(0)  # eleven seconds of silence are many
    assert requests._retry_at == 0.0
    assert [payload.rstrip(b"\0") for payload in seen] == [b"%d" % number for number in range(10)]
