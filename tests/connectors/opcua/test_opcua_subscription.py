"""What a server may do that no test server does: lose messages, limit requests and items, end a session."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_to_binary
from asyncua.ua.uaerrors import UaStatusCodeError
from opcua_facts import Sink

from lineshaft.connectors.opcua.arrivals import Arrivals
from lineshaft.connectors.opcua.link import Limits
from lineshaft.connectors.opcua.node_ids import parse_node
from lineshaft.connectors.opcua.options import OpcUaOptions
from lineshaft.connectors.opcua.subscription import Subscribed
from lineshaft.core.clock import SystemClock
from lineshaft.core.outgoing_readings import OutgoingReadings


class Server:
    """Stands in for a Link. answers: to PublishRequests, in turn; again: messages that it still has."""

    def __init__(self, *answers: Any, again: dict[int, float] | None = None, room: int = 1000) -> None:
        self.namespaces = ["http://opcfoundation.org/UA/"]
        self.limits = Limits()
        self.answers = list(answers)
        self.again = again or {}
        self.room = room
        self.items: dict[int, list[int]] = {}
        self.acknowledged: list[int] = []
        self.client = SimpleNamespace(uaclient=self)

    async def keep_channel(self) -> None:
        await asyncio.Event().wait()

    async def ask(self, request: ua.CreateSubscriptionRequest, answer: type[Any]) -> Any:
        del answer
        number = len(self.items) + 1
        self.items[number] = []
        wanted = request.Parameters
        return SimpleNamespace(
            Parameters=SimpleNamespace(
                SubscriptionId=number,
                RevisedPublishingInterval=wanted.RequestedPublishingInterval,
                RevisedMaxKeepAliveCount=wanted.RequestedMaxKeepAliveCount,
            )
        )

    async def create_monitored_items(self, wanted: ua.CreateMonitoredItemsParameters) -> list[Any]:
        results = []
        for item in wanted.ItemsToCreate:
            items = self.items[wanted.SubscriptionId]
            is_full = len(items) >= self.room
            if not is_full:
                items.append(item.RequestedParameters.ClientHandle)
            code = StatusCodes.BadTooManyMonitoredItems if is_full else 0
            results.append(
                ua.MonitoredItemCreateResult(
                    ua.StatusCode(ua.UInt32(code)),
                    RevisedSamplingInterval=50.0,
                    RevisedQueueSize=ua.UInt32(10),
                )
            )
        return results

    async def send(self, request: Any, *, timeout_s: float | None = None) -> Buffer:
        del timeout_s
        if isinstance(request, ua.RepublishRequest):
            number = request.Parameters.RetransmitSequenceNumber
            answer = ua.RepublishResponse()
            answer.NotificationMessage = message(number, self.again[number])
            return Buffer(struct_to_binary(answer))
        self.acknowledged += [each.SequenceNumber for each in request.Parameters.SubscriptionAcknowledgements]
        if not self.answers:
            await asyncio.Event().wait()
        told = self.answers.pop(0)
        if isinstance(told, Exception):
            raise told
        return Buffer(struct_to_binary(told))


def message(sequence: int, *values: float) -> ua.NotificationMessage:
    items = [ua.MonitoredItemNotification(ua.UInt32(0), ua.DataValue(ua.Variant(value))) for value in values]
    parts: list[Any] = [ua.DataChangeNotification(MonitoredItems=items)] if items else []
    return ua.NotificationMessage(SequenceNumber=ua.UInt32(sequence), NotificationData=parts)


def told(sequence: int, *values: float, available: Sequence[int] = ()) -> ua.PublishResponse:
    """Without values it is a sign of life."""
    answer = ua.PublishResponse()
    answer.Parameters.SubscriptionId = ua.UInt32(1)
    answer.Parameters.AvailableSequenceNumbers = [ua.UInt32(number) for number in available]
    answer.Parameters.NotificationMessage = message(sequence, *values)
    return answer


def ended() -> ua.PublishResponse:
    answer = told(1)
    status = ua.StatusChangeNotification(Status=ua.StatusCode(ua.UInt32(StatusCodes.BadTimeout)))
    answer.Parameters.NotificationMessage.NotificationData = [status]  # type: ignore[list-item]
    return answer


async def taken(server: Server, *, metrics: int = 1) -> tuple[Subscribed, list[float | None], str]:
    """The subscription after it has come to its end, the values of the first metric, and why it ended."""
    outgoing = OutgoingReadings("opcua/line1", gather_s=60)
    names = [f"i={number}" for number in range(metrics)]
    options = OpcUaOptions(url="opc.tcp://line1", silence_s=0.1, publishing_ms=10)
    arrivals = Arrivals(names, outgoing, SystemClock())
    subscribed = Subscribed(server, [parse_node(name) for name in names], options, arrivals, outgoing)  # type: ignore[arg-type]
    sink = Sink()
    await subscribed.open()
    with pytest.raises(ExceptionGroup) as raised:
        await subscribed.run()
    putting = asyncio.create_task(outgoing.run(sink))
    await asyncio.sleep(0)
    putting.cancel()
    await asyncio.gather(putting, return_exceptions=True)
    return subscribed, [value for value, _ in sink.of("i=0")], str(raised.value.exceptions[0])


async def test_messages_in_order_are_taken_and_acknowledged() -> None:
    server = Server(told(1), told(1, 10.0, 11.0), told(2), told(2, 12.0))
    subscribed, values, why = await taken(server)
    assert values == [10.0, 11.0, 12.0]
    assert server.acknowledged == [1, 2]
    assert subscribed.lost == 0
    assert "nothing was heard of OPC UA server opc.tcp://line1" in why


@pytest.mark.parametrize("found_by", [told(4, 13.0, available=[2, 3, 4]), told(4, available=[2, 3])])
async def test_a_lost_message_is_asked_for_again(found_by: ua.PublishResponse) -> None:
    server = Server(told(1, 10.0), found_by, again={2: 11.0, 3: 12.0})
    subscribed, values, _ = await taken(server)
    assert values[:3] == [10.0, 11.0, 12.0]
    assert subscribed.lost == 0


async def test_a_message_that_the_server_has_no_more_is_counted() -> None:
    server = Server(told(1, 10.0), told(4, 13.0, available=[3, 4]), again={3: 12.0})
    subscribed, values, _ = await taken(server)
    assert values == [10.0, 12.0, 13.0]
    assert subscribed.lost == 1


async def test_numbers_begin_again_at_1_after_the_last() -> None:
    server = Server(told(0xFFFFFFFF, 1.0, available=[]), told(1, 2.0))
    subscribed, values, _ = await taken(server)
    assert values == [1.0, 2.0]
    assert subscribed.lost == 0xFFFFFFFE


async def test_a_subscription_that_the_server_ends_ends_the_session() -> None:
    _, _, why = await taken(Server(ended()))
    assert "ended the subscription: BadTimeout" in why


async def test_a_request_that_timed_out_is_made_again_and_too_many_become_fewer() -> None:
    errors = [
        UaStatusCodeError(StatusCodes.BadTimeout),
        UaStatusCodeError(StatusCodes.BadTooManyPublishRequests),
    ]
    _, values, why = await taken(Server(*errors, told(1, 10.0)))
    assert values == [10.0]
    assert "nothing was heard" in why


async def test_items_beyond_what_one_subscription_takes_go_into_further_ones() -> None:
    server = Server(room=4)
    subscribed, _, _ = await taken(server, metrics=10)
    assert server.items == {1: [0, 1, 2, 3], 2: [4, 5, 6, 7], 3: [8, 9]}
    assert not subscribed.missing


async def test_a_server_that_takes_no_more_items_says_so_of_each() -> None:
    subscribed, values, _ = await taken(Server(room=0), metrics=2)
    assert subscribed.missing == {0: "BadTooManyMonitoredItems", 1: "BadTooManyMonitoredItems"}
    assert values == [None]
