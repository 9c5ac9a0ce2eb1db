from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from structlog.testing import capture_logs

from lineshaft.backbone import Backbone
from lineshaft.backbone.connection import Connection
from lineshaft.backbone.forgetting import QOS1_DURABLE, Forgetting
from lineshaft.backbone.ingest import declare_interest
from lineshaft.core.errors import TransientFault
from lineshaft.core.ports import StreamPosition

from .conftest import TOPICS, message_count

STREAM = "$MQTT_msgs"


class Feed(msgspec.Struct):
    """What `Forgetting` looks at of a feed."""

    last: int
    stream: str = STREAM
    created: str = "c"


class Failing(Connection):
    """The connection of another; what is published fails at first."""

    def __init__(self, real: Connection) -> None:
        super().__init__(real._client)
        self.failures = 2

    async def publish(
        self, subject: str, payload: bytes = b"", *, reply: str = "", headers: dict[str, str] | None = None
    ) -> None:
        if self.failures:
            self.failures -= 1
            raise TransientFault("not now", hint="later")
        await super().publish(subject, payload, reply=reply, headers=headers)


@asynccontextmanager
async def forgetting(connection: Connection) -> AsyncIterator[Forgetting]:
    made = Forgetting(connection)
    run = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)


def note(made: Forgetting, feed: Feed, upto: int, created: str = "c") -> None:
    made.note(feed, StreamPosition(upto, created))  # type: ignore[arg-type]


async def store(backbone: Backbone, count: int) -> None:
    for number in range(count):
        await backbone.connection.store(f"$MQTT.msgs.plant.{number}", b"1")


async def left(backbone: Backbone, count: int) -> None:
    async with asyncio.timeout(60):
        while await message_count(backbone, STREAM) != count:  # noqa: ASYNC110 - the server's
            await asyncio.sleep(0.01)


async def test_exactly_what_is_done_is_forgotten(backbone: Backbone) -> None:
    """In steps of fewer than there are; what a run that ends has delivered and not done, the next forgets."""
    await store(backbone, 450)
    feed = Feed(last=450)
    async with forgetting(backbone.connection) as made:
        note(made, feed, 10)
        await left(backbone, 440)
        note(made, feed, 300)
        note(made, feed, 310)
        await left(backbone, 140)
        note(made, feed, 450, created="another")
        feed.last = 350
        note(made, feed, 400)  # beyond the last taken
        await left(backbone, 100)
    feed.last = 470
    await store(backbone, 20)
    async with forgetting(backbone.connection) as made:
        note(made, feed, 470)
        await left(backbone, 0)


async def test_it_is_tried_again(backbone: Backbone) -> None:
    await store(backbone, 5)
    with capture_logs() as logs:
        async with forgetting(Failing(backbone.connection)) as made:
            note(made, Feed(last=5), 5)
            await left(backbone, 0)
    assert [(each["stream"], each["upto"]) for each in logs if "tried again" in each["event"]] == [
        (STREAM, 5)
    ] * 2


async def test_the_durable_of_former_versions_is_replaced_and_nothing_lost(backbone: Backbone) -> None:
    api, former = backbone.connection.api, "ls-ingest-qos1"
    config = {"durable_name": former, "ack_policy": "explicit", "filter_subject": "$MQTT.msgs.plant.>"}
    await api(f"CONSUMER.DURABLE.CREATE.{STREAM}.{former}", {"stream_name": STREAM, "config": config})
    await api(f"CONSUMER.DELETE.{STREAM}.{QOS1_DURABLE}")
    await store(backbone, 5)
    await declare_interest(backbone.connection, TOPICS)
    assert (await api(f"CONSUMER.NAMES.{STREAM}"))["consumers"] == [QOS1_DURABLE]
    assert await message_count(backbone, STREAM) == 5
