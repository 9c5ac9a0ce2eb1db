"""Takes what an external broker has for us, and acknowledges it when the backbone has stored it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

import structlog

from lineshaft.connectors.mqtt.link import Link
from lineshaft.connectors.mqtt.settings import MqttOptions
from lineshaft.connectors.mqtt.topic_names import TopicNames
from lineshaft.core.errors import ConfigError, PermanentFault, TransientFault
from lineshaft.core.mqtt_packets import Publish, Will
from lineshaft.core.ports import Health, HealthState, RawSink

__all__ = ["MqttSource"]

_log = structlog.get_logger(__name__)
_BACKOFF_S = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
_STEADY_S = 10.0
_MOST_BYTES = 64 * 2**20
_Arrived = tuple[Link, bytes, str | None, bytes]


class MqttSource:
    """Implements core.ports.DeviceSource.

    At QoS 1 nothing is lost while the broker keeps our session, over the end of either side; a message may
    then be put twice. Order is kept as the broker sends.

    taken           messages stored; left_out: by reason, acknowledged without being put
    sessions_lost   how often the broker had forgotten us when we came back
    """

    def __init__(
        self,
        options: MqttOptions,
        *,
        will: Will | None = None,
        on_connect: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """will: published by the broker whenever our connection ends; on_connect: called after each connect,
        e.g. to publish the Sparkplug STATE that the will takes back

        raises  ConfigError
        """
        if not options.name and not options.client_id:
            raise ConfigError("an MQTT source has no name", hint="give it one, or a client_id")
        options.address, options.tls()
        self._options, self._will, self._on_connect = options, will, on_connect
        self._names = TopicNames(options.topics, options.prefix)
        self._arrived: list[_Arrived] = []
        self._unstored = self._unstored_bytes = 0
        self._more = asyncio.Event()
        self._connected = asyncio.Event()
        self._link: Link | None = None
        self._had_session = False
        self._health = Health(state=HealthState.STARTING, detail=f"connecting to {options.url}")
        self._stuck = ""
        self.taken = self.sessions_lost = 0
        self.left_out: dict[str, int] = {}

    async def run(self, sink: RawSink) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._stay_connected())
                group.create_task(self._store(sink))
        except ExceptionGroup as faults:
            raise faults.exceptions[0] from faults

    async def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, deadline_s: float = 10.0
    ) -> None:
        """To the broker's clients, e.g. a Sparkplug rebirth request; the topic as it is, without prefix.

        raises  TransientFault when there is no connection or no acknowledgement in time; PermanentFault for
                another QoS
        """
        if qos not in (0, 1):
            raise PermanentFault(f"QoS {qos} for {topic} is not supported", hint="use 0 or 1")
        try:
            async with asyncio.timeout(deadline_s):
                await self._connected.wait()
                if self._link is not None:
                    await self._link.publish(topic, payload, qos, retain)
        except TimeoutError:
            raise TransientFault(
                f"{topic} was not acknowledged by {self._options.url} within {deadline_s:g} s",
                hint="publish it again",
            ) from None

    def health(self) -> Health:
        notes = [self._stuck] if self._stuck else []
        notes += [self._health.detail] if self._health.detail else []
        notes += [f"{count} messages left out: {reason}" for reason, count in self.left_out.items()]
        state = HealthState.DEGRADED if self._stuck else self._health.state
        return Health(state=state, detail="; ".join(notes))

    async def _stay_connected(self) -> None:
        attempt, loop = 0, asyncio.get_running_loop()
        while True:
            self._link = link = Link(self._options, self._will, self._deliver, self._has_room)
            since = loop.time()
            try:
                await self._connect(link)
                reason = await self._stay(link)
            except (TransientFault, ConfigError) as fault:
                reason = fault.message
            finally:
                was_connected = self._connected.is_set()
                self._connected.clear()
                link.close()
            attempt = 0 if loop.time() - since > _STEADY_S else attempt + 1
            if was_connected and attempt > 2:
                reason += f"; another client may use our client id {self._options.session!r}"
            if self._health.state is not HealthState.DEGRADED or reason not in self._health.detail:
                _log.warning("MQTT source is not connected", source=self._options.name, reason=reason)
            self._health = Health(
                state=HealthState.DEGRADED, detail=f"{self._options.url} is not connected: {reason}"
            )
            await asyncio.sleep(_BACKOFF_S[min(attempt, len(_BACKOFF_S) - 1)])

    async def _stay(self, link: Link) -> str:
        greeting = asyncio.create_task(self._greet())
        try:
            return await asyncio.shield(link.lost)
        finally:
            greeting.cancel()
            await asyncio.gather(greeting, return_exceptions=True)

    async def _greet(self) -> None:
        if self._on_connect is not None:
            with contextlib.suppress(TransientFault):
                await self._on_connect()

    async def _connect(self, link: Link) -> None:
        options = self._options
        answer = await link.open()
        notes = await link.subscribe(options.topics)
        if answer.session_expiry_s is not None and answer.session_expiry_s < options.session_expiry_s:
            notes.append(f"the broker keeps our session for {answer.session_expiry_s} s only")
        state = HealthState.DEGRADED if notes else HealthState.ACTIVE
        if self._had_session and not answer.session_present:
            self.sessions_lost += 1
        self._had_session = True
        if self.sessions_lost:
            notes.append(
                f"the broker forgot our session {self.sessions_lost} times: what came meanwhile is lost"
            )
        self._health = Health(state=state, detail="; ".join(notes))
        (_log.warning if notes else _log.info)("MQTT source is connected", source=options.name, notes=notes)
        self._connected.set()

    def _has_room(self) -> bool:
        return self._unstored < self._options.window and self._unstored_bytes < _MOST_BYTES

    def _deliver(self, link: Link, message: Publish) -> None:
        name = self._names.name(message.topic)
        reason = ""
        if name is None:
            reason = "a topic that is not asked for, or that the backbone cannot hold"
        elif len(message.payload) > self._options.largest_bytes:
            reason = f"longer than {self._options.largest_bytes} bytes"
        elif message.retained and not self._options.retained:
            reason = "retained"
        if reason:
            name = None
            self.left_out[reason] = self.left_out.get(reason, 0) + 1
        self._arrived.append((link, message.packet_id, name, message.payload))
        self._unstored += 1
        self._unstored_bytes += len(message.payload)
        self._more.set()

    async def _store(self, sink: RawSink) -> None:
        """What was left out is acknowledged in its turn: a broker expects the order in which it sent."""
        while True:
            await self._more.wait()
            self._more.clear()
            arrived, self._arrived = self._arrived, []
            messages = [(name, payload) for _, _, name, payload in arrived if name is not None]
            if messages:
                await self._put(sink, messages)
            self.taken += len(messages)
            self._unstored -= len(arrived)
            self._unstored_bytes -= sum(len(payload) for _, _, _, payload in arrived)
            for link in dict.fromkeys(link for link, _, _, _ in arrived):
                link.acknowledge([packet_id for by, packet_id, _, _ in arrived if by is link and packet_id])
            if self._link is not None:
                self._link.go_on()

    async def _put(self, sink: RawSink, messages: Sequence[tuple[str, bytes]]) -> None:
        attempt = 0
        while True:
            try:
                await sink.put(messages)
            except TransientFault as fault:
                self._stuck = f"the backbone does not take {len(messages)} messages: {fault}"
                _log.warning("MQTT source waits", source=self._options.name, fault=str(fault))
                await asyncio.sleep(fault.retry_after_s or _BACKOFF_S[min(attempt, len(_BACKOFF_S) - 1)])
                attempt += 1
            else:
                self._stuck = ""
                return
