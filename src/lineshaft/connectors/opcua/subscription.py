"""Subscriptions of a session: every metric monitored, every notification taken, silence noticed.

source  OPC 10000-4 §5.12 (monitored items), §5.13 (subscriptions, Publish, Republish)
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaStatusCodeError

from lineshaft.connectors.opcua.arrivals import Arrivals
from lineshaft.connectors.opcua.link import Link
from lineshaft.connectors.opcua.node_ids import NodeName
from lineshaft.connectors.opcua.notifications import Notification, notification_of, republished
from lineshaft.connectors.opcua.options import OpcUaOptions
from lineshaft.core.errors import TransientFault
from lineshaft.core.outgoing_readings import OutgoingReadings

__all__ = ["Subscribed"]

_LIFETIME_S = 60.0
_MOST_PER_MESSAGE = 10_000
_MISSING_AGAIN_S = 60.0
_LAST_SEQUENCE = 0xFFFF_FFFF


class Subscribed:
    """The metrics of one source at one server, for the life of one session.

    missing   by handle: why the server does not monitor it
    revised   (publishing ms, least and most sampling ms, least queue size) as the server will have it
    lost      notifications that could not be had again
    """

    def __init__(
        self,
        link: Link,
        names: Sequence[NodeName],
        options: OpcUaOptions,
        arrivals: Arrivals,
        outgoing: OutgoingReadings,
    ) -> None:
        self._link = link
        self._names = names
        self._options = options
        self._arrivals = arrivals
        self._outgoing = outgoing
        self._sequences: dict[int, int] = {}
        self._acknowledge: list[ua.SubscriptionAcknowledgement] = []
        self._heard = asyncio.Event()
        self._silence_s = options.silence_s
        self._publishers = 0
        self.missing: dict[int, str] = {}
        self.revised: tuple[float, float, float, int] = (0.0, float("inf"), 0.0, 2**32)
        self.lost = 0

    async def open(self) -> None:
        """Returns when the server monitors what it has. raises what asyncua raises"""
        await self._monitor(range(len(self._names)))
        if not self._sequences:
            await self._subscription()  # for its signs of life, until a node appears
        for handle in self.missing:
            self._arrivals.missing(handle)

    async def run(self) -> None:
        """Takes what comes until the session is lost: never returns, raises why."""
        async with asyncio.TaskGroup() as tasks:
            self._publishers = len(self._sequences) + 2
            for _ in range(self._publishers):
                tasks.create_task(self._publish())
            tasks.create_task(self._watch_silence())
            tasks.create_task(self._ask_again_for_missing())
            tasks.create_task(self._link.keep_channel())

    async def _monitor(self, handles: Sequence[int]) -> None:
        """One subscription, and further ones where the server does not take as many items in one."""
        namespaces = self._link.namespaces
        nodes = {handle: self._names[handle].at(namespaces) for handle in handles}
        for handle in handles:
            self.missing.pop(handle, None)
            if nodes[handle] is None:
                self.missing[handle] = f"namespace {self._names[handle].namespace} is not there"
        left = [(handle, node) for handle, node in nodes.items() if node is not None]
        self._arrivals.begin(handle for handle, _ in left)
        subscription = next(reversed(self._sequences), 0)
        is_new = False
        while left:
            if not subscription:
                subscription, is_new = await self._subscription(), True
            taken, refused = 0, []
            for start in range(0, len(left), self._link.limits.items):
                part = left[start : start + self._link.limits.items]
                results = await self._link.client.uaclient.create_monitored_items(
                    self._wanted(subscription, part)
                )
                for (handle, node), result in zip(part, results, strict=True):
                    if result.StatusCode.is_good():
                        taken += 1
                        self._note_revised(result)
                    elif result.StatusCode.value == StatusCodes.BadTooManyMonitoredItems:
                        refused.append((handle, node))
                    else:
                        self.missing[handle] = result.StatusCode.name
            if is_new and not taken:
                self.missing.update(
                    dict.fromkeys((handle for handle, _ in refused), "BadTooManyMonitoredItems")
                )
                refused = []
            left, subscription = refused, 0

    async def _subscription(self) -> int:
        options = self._options
        request = ua.CreateSubscriptionRequest()
        wanted = request.Parameters
        wanted.RequestedPublishingInterval = options.publishing_ms
        alive = max(1, int(options.silence_s * 1000 / 3 / options.publishing_ms))
        wanted.RequestedMaxKeepAliveCount = ua.UInt32(alive)
        lifetime = max(3 * alive, int(_LIFETIME_S * 1000 / options.publishing_ms))
        wanted.RequestedLifetimeCount = ua.UInt32(lifetime)
        wanted.MaxNotificationsPerPublish = ua.UInt32(_MOST_PER_MESSAGE)
        wanted.PublishingEnabled = True
        got = (await self._link.ask(request, ua.CreateSubscriptionResponse)).Parameters
        alive_s = got.RevisedPublishingInterval * got.RevisedMaxKeepAliveCount / 1000
        self._silence_s = max(self._silence_s, 2 * alive_s)
        self.revised = (got.RevisedPublishingInterval, *self.revised[1:])
        self._sequences[got.SubscriptionId] = 0
        return int(got.SubscriptionId)

    def _wanted(
        self, subscription: int, part: Sequence[tuple[int, ua.NodeId]]
    ) -> ua.CreateMonitoredItemsParameters:
        items = []
        for handle, node in part:
            item = ua.MonitoredItemCreateRequest()
            item.ItemToMonitor.NodeId = node
            item.ItemToMonitor.AttributeId = AttributeIds.Value
            item.MonitoringMode = ua.MonitoringMode.Reporting
            item.RequestedParameters.ClientHandle = ua.UInt32(handle)
            item.RequestedParameters.SamplingInterval = self._options.sampling_ms
            item.RequestedParameters.QueueSize = ua.UInt32(self._options.queue_size)
            item.RequestedParameters.DiscardOldest = True
            items.append(item)
        return ua.CreateMonitoredItemsParameters(
            SubscriptionId=subscription, TimestampsToReturn=ua.TimestampsToReturn.Both, ItemsToCreate=items
        )

    def _note_revised(self, result: ua.MonitoredItemCreateResult) -> None:
        publishing, least, most, queue = self.revised
        sampling = result.RevisedSamplingInterval
        self.revised = (
            publishing,
            min(least, sampling),
            max(most, sampling),
            min(queue, result.RevisedQueueSize),
        )

    async def _publish(self) -> None:
        """One of several requests that wait at the server, so that it always has one to answer."""
        while True:
            await self._outgoing.room()
            request = ua.PublishRequest()
            request.Parameters.SubscriptionAcknowledgements, self._acknowledge = self._acknowledge, []
            try:
                notification = notification_of(await self._link.send(request, timeout_s=0))
            except UaStatusCodeError as error:
                if error.code == StatusCodes.BadTimeout:
                    continue
                if error.code == StatusCodes.BadTooManyPublishRequests and self._publishers > 1:
                    self._publishers -= 1
                    return
                raise
            self._heard.set()
            if notification.subscription in self._sequences:
                await self._take(notification)

    async def _take(self, notification: Notification) -> None:
        expected = self._sequences[notification.subscription] % _LAST_SEQUENCE + 1
        if notification.is_alive_only:
            if notification.sequence != expected:
                await self._have_again(notification.subscription, expected, notification)
                self._sequences[notification.subscription] = notification.sequence - 1
            return
        self._sequences[notification.subscription] = notification.sequence
        self._acknowledge.append(
            ua.SubscriptionAcknowledgement(
                SubscriptionId=ua.UInt32(notification.subscription),
                SequenceNumber=ua.UInt32(notification.sequence),
            )
        )
        if notification.sequence != expected:
            await self._have_again(notification.subscription, expected, notification)
        self._arrivals.take(notification)
        if notification.ended:
            name = ua.StatusCode(ua.UInt32(notification.ended)).name
            raise TransientFault(f"OPC UA server {self._options.url} ended the subscription: {name}")

    async def _have_again(self, subscription: int, first: int, found: Notification) -> None:
        """Messages first … found - 1 did not come: those that the server still has are taken now."""
        gone = (found.sequence - first) % _LAST_SEQUENCE
        again = [number for number in found.available if (number - first) % _LAST_SEQUENCE < gone]
        for number in again:
            request = ua.RepublishRequest()
            request.Parameters.SubscriptionId = ua.UInt32(subscription)
            request.Parameters.RetransmitSequenceNumber = ua.UInt32(number)
            self._arrivals.take(republished(await self._link.send(request), subscription))
        self.lost += gone - len(again)

    async def _watch_silence(self) -> None:
        """A server tells that it is alive when there is nothing else to tell: a broken line does not."""
        while True:
            self._heard.clear()
            try:
                async with asyncio.timeout(self._silence_s):
                    await self._heard.wait()
            except TimeoutError:
                if not self._outgoing.is_full:
                    raise TransientFault(
                        f"nothing was heard of OPC UA server {self._options.url} for {self._silence_s:g} s"
                    ) from None

    async def _ask_again_for_missing(self) -> None:
        """Nodes can appear while a server runs."""
        while True:
            await asyncio.sleep(_MISSING_AGAIN_S)
            if self.missing:
                await self._monitor(sorted(self.missing))
