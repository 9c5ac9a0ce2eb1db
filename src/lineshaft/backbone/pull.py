"""Messages of one durable consumer by raw pull requests: several times the rate of nats-py's `fetch`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from lineshaft.backbone.connection import ApiRefused, Connection
from lineshaft.backbone.pull_requests import PullRequests
from lineshaft.core.errors import ConfigError, LineshaftError, TransientFault

__all__ = ["Delivery", "PullFeed", "acknowledge", "declare_consumer"]

_log = structlog.get_logger(__name__)
_V1_TOKENS = 9
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RETRY_S = 0.2


class Delivery:
    """One message as a durable consumer delivered it.

    ack_subject   `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<time ns>.<pending>`,
                  with `<domain>.<account>` after `$JS.ACK` on newer routes
    """

    __slots__ = ("_tokens", "ack_subject", "data", "headers", "subject")

    def __init__(self, msg: Msg) -> None:
        self.subject: str = msg.subject
        self.data: bytes = msg.data
        self.headers: Mapping[str, str] = msg.headers or {}
        self.ack_subject: str = msg.reply
        tokens = msg.reply.split(".")
        self._tokens = tokens[2:] if len(tokens) == _V1_TOKENS else tokens[4:]

    @property
    def stream(self) -> str:
        return self._tokens[0]

    @property
    def deliveries(self) -> int:
        """How often it has been delivered, this time included."""
        return int(self._tokens[2])

    @property
    def sequence(self) -> int:
        """Its number in the stream."""
        return int(self._tokens[3])

    @property
    def turn(self) -> int:
        """The how manieth delivery of its consumer it is; a gap: some were lost on their way."""
        return int(self._tokens[4])

    @property
    def pending(self) -> int:
        """How many messages its consumer had not delivered at all by then."""
        return int(self._tokens[6])

    @property
    def stored_at(self) -> datetime:
        """UTC, cut to the microsecond, so that a replay since this moment includes the message."""
        return _EPOCH + timedelta(microseconds=int(self._tokens[5]) // 1000)


async def declare_consumer(connection: Connection, stream: str, config: Mapping[str, Any]) -> None:
    """Create or update a durable pull consumer; where it begins is decided once, at its creation.

    config   fields of the JetStream API's ConsumerConfig, with durable_name
    raises   ConfigError when the stream is missing or the server refuses
    """
    durable = config["durable_name"]
    wanted = {"ack_policy": "explicit", "deliver_policy": "all", "replay_policy": "instant", **config}
    try:
        present = (await connection.api(f"CONSUMER.INFO.{stream}.{durable}"))["config"]
        for field in ("deliver_policy", "opt_start_seq", "opt_start_time"):
            wanted.pop(field, None)
            if field in present:
                wanted[field] = present[field]
    except ApiRefused:
        present = None
    try:
        await connection.api(
            f"CONSUMER.CREATE.{stream}.{durable}",
            {"stream_name": stream, "config": {"name": durable, **wanted}},
        )
    except ApiRefused as refused:
        raise ConfigError(
            f"consumer {durable} on {stream} cannot be declared: {refused}",
            hint="is the stream declared, and do its filter subjects lie within the stream's?",
        ) from refused


class PullFeed:
    """The deliveries of one consumer, in the order in which the server sent them.

    Use from one task: `open`, then `take` for ever, then `close`.
    """

    def __init__(
        self,
        connection: Connection,
        stream: str,
        config: Mapping[str, Any],
        *,
        batch: int = 500,
        prefetch: bool = True,
        heartbeat_s: float = 5.0,
        expires_s: float = 30.0,
    ) -> None:
        """config: of the durable, see `declare_consumer`; batch: per pull request, two are in flight.

        prefetch   False: nothing is delivered while what was taken is being worked on, so that a crash counts
                   as a delivery of nothing else
        """
        self._connection = connection
        self._config = config
        self.stream = stream
        self.durable: str = config["durable_name"]
        self._prefetch = prefetch
        self._requests = PullRequests(
            connection,
            stream,
            self.durable,
            batch=batch,
            in_flight=2 if prefetch else 1,
            heartbeat_s=heartbeat_s,
            expires_s=expires_s,
        )
        self._buffer: deque[Delivery] = deque()
        self._subscription: Subscription | None = None
        self._forget: Callable[[], None] | None = None

    async def open(self) -> None:
        """Waits for a server that is away: it may have gone while it was asked.

        raises  ConfigError when the consumer cannot be declared
        """
        while self._subscription is None:
            try:
                await declare_consumer(self._connection, self.stream, self._config)
                self._subscription = await self._connection.subscribe(
                    f"{self._requests.inbox}.*", self._on_message
                )
            except TransientFault as fault:
                _log.warning("consumer not declared yet", consumer=self.durable, fault=str(fault))
                await asyncio.sleep(_RETRY_S)
        self._forget = self._connection.when_found(self._requests.start_over)

    async def close(self) -> None:
        """What was delivered and not acknowledged comes again after the consumer's ack wait."""
        if self._forget is not None:
            self._forget()
            self._forget = None
        if self._subscription is not None:
            await self._connection.unsubscribe(self._subscription)
            self._subscription = None
        self._buffer.clear()

    @property
    def waiting(self) -> list[Delivery]:
        """Delivered to us, not taken yet."""
        return list(self._buffer)

    async def take(self, limit: int) -> list[Delivery]:
        """At least one delivery and at most `limit`; waits for ever.

        raises  ConfigError when the consumer is gone and cannot be declared again
        """
        while not self._buffer:
            if self._requests.gone:
                await self._declare_again()
            if not await self._requests.wait(0):
                self._requests.start_over()
        taken = [self._buffer.popleft() for _ in range(min(limit, len(self._buffer)))]
        if self._prefetch:
            await self._requests.ask(len(self._buffer))
        return taken

    async def _declare_again(self) -> None:
        try:
            await declare_consumer(self._connection, self.stream, self._config)
        except TransientFault:
            self._requests.pause()
            return
        _log.warning(
            "consumer declared again", consumer=self.durable, stream=self.stream, reason=self._requests.gone
        )
        self._requests.gone = ""

    async def _on_message(self, msg: Msg) -> None:
        if msg.reply.startswith("$JS.ACK."):
            self._buffer.append(Delivery(msg))
            self._requests.delivered()
        else:
            self._requests.ended(msg.headers or {})


async def acknowledge(connection: Connection, deliveries: list[Delivery]) -> None:
    """Tell the server that they are done. A lost acknowledgement costs a redelivery, nothing else."""
    for delivery in deliveries:
        try:
            await connection.publish(delivery.ack_subject, b"+ACK")
        except LineshaftError as fault:
            _log.warning("acknowledgement not sent; a redelivery will follow", fault=str(fault))
            return
