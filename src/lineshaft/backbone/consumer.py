"""Durable consumers of events: acknowledged after the effect, dead letters with a cause and an owner."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import structlog

from lineshaft.backbone.connection import Connection
from lineshaft.backbone.dead_letters import DeadLetter, DeadLetterBox, OnDeadLetter, event_in, fetch_message
from lineshaft.backbone.events import from_message
from lineshaft.backbone.pull import Delivery, PullFeed, acknowledge
from lineshaft.backbone.streams import ADVISORIES
from lineshaft.core.errors import (
    BusinessFault,
    ContractViolation,
    LineshaftError,
    OutcomeUnknown,
    PermanentFault,
    TransientFault,
)
from lineshaft.core.values import Event

__all__ = ["Consumer", "Handle", "HandleBatch", "Redelivery"]

Handle = Callable[[Event], Awaitable[None]]
HandleBatch = Callable[[Sequence[Event]], Awaitable[None]]

_log = structlog.get_logger(__name__)
_LAST_CHANCES = 2
_HOPELESS = (ContractViolation, PermanentFault, BusinessFault, OutcomeUnknown)


class Redelivery(msgspec.Struct, frozen=True, kw_only=True):
    """How often and how soon a message comes again.

    max_deliveries        in all; then it is a dead letter. Crashes of the whole process count too, and are
                          followed by up to two deliveries of the event by itself, to find the one that kills
    unexpected_attempts   deliveries after which an exception outside the error tree is a dead letter
    backoff_s             pause before the second, third, … delivery; the last one repeats
    ack_wait_s            a message whose handler's process died comes again after this long
    """

    max_deliveries: int = 20
    unexpected_attempts: int = 3
    backoff_s: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
    ack_wait_s: float = 30.0

    def pause_s(self, deliveries: int) -> float:
        return self.backoff_s[min(deliveries, len(self.backoff_s)) - 1]


class Consumer:
    """Hands over the events of a stream, in order while nothing fails, until each is done or a dead letter.

    handled, redelivered, dead   counts since start
    """

    def __init__(
        self,
        connection: Connection,
        *,
        stream: str,
        durable: str,
        owner: str,
        handle: Handle | None = None,
        handle_batch: HandleBatch | None = None,
        filter_subjects: Sequence[str] = (),
        on_dead_letter: OnDeadLetter | None = None,
        batch: int = 256,
        redelivery: Redelivery | None = None,
        deliver: str = "all",
    ) -> None:
        """durable: stable for ever, it is the place in the stream; owner: the desk that gets dead letters;
        deliver: `all` or `new`, where a new durable begins.

        handle         one event at a time; it is acknowledged when this returns
        handle_batch   up to `batch` events at once, acknowledged together (group commit downstream)

        A handler is called again for an event whose acknowledgement was lost: it must recognise repeats.
        What it raises decides: TransientFault → again after a pause (retry_after_s if given);
        ContractViolation, PermanentFault, BusinessFault, OutcomeUnknown → dead letter at once; anything
        else → again, a few times. A batch that failed with anything but a TransientFault is handed over event
        by event, so that only the culprits are given up.
        """
        if (handle is None) == (handle_batch is None):
            raise PermanentFault(f"consumer {durable} needs exactly one of handle and handle_batch")
        self._connection = connection
        self._handle = handle
        self._handle_batch = handle_batch
        self._owner = owner
        self._on_dead_letter = on_dead_letter
        self._batch = batch
        self._redelivery = redelivery or Redelivery()
        self._box = DeadLetterBox(connection)
        self._stream = stream
        self._durable = durable
        config: dict[str, Any] = {
            "durable_name": durable,
            "ack_wait": int(self._redelivery.ack_wait_s * 1e9),
            "max_deliver": self._redelivery.max_deliveries,
            "max_ack_pending": max(1000, 4 * batch),
            "deliver_policy": deliver,
        }
        if filter_subjects:
            config["filter_subjects"] = list(filter_subjects)
        self._feed = PullFeed(connection, stream, config, batch=batch)
        advised = _advisory_config(stream, durable, config["ack_wait"])
        self._advisories = PullFeed(connection, ADVISORIES, advised, batch=1, prefetch=False)
        self._one_at_a_time = asyncio.Lock()
        self._held: list[Delivery] = []
        self._advised: list[Delivery] = []
        self.ready = asyncio.Event()
        self.handled = self.redelivered = self.dead = 0

    async def run(self) -> None:
        """Until cancelled. `ready` is set when the durable exists.

        raises  ConfigError when the stream or consumer cannot be declared
        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._work())
                group.create_task(self._keep_alive())
                group.create_task(self._watch_advisories())
        except ExceptionGroup as faults:
            raise faults.exceptions[0] from faults

    async def _work(self) -> None:
        await self._feed.open()
        self.ready.set()
        try:
            while True:
                self._held = await self._feed.take(self._batch)
                async with self._one_at_a_time:
                    if self._handle_batch is not None:
                        await self._offer(self._held)
                    else:
                        for delivery in list(self._held):
                            await self._offer([delivery])
                self._held = []
        finally:
            await self._feed.close()

    async def _offer(self, deliveries: list[Delivery]) -> None:
        """Decode, hand over, settle. Nothing of the handler's gets past here but a cancellation."""
        readable: list[tuple[Delivery, Event]] = []
        for delivery in deliveries:
            try:
                readable.append((delivery, from_message(delivery.headers, delivery.data)))
            except ContractViolation as violation:
                await self._settle(delivery, violation)
        if not readable:
            return
        try:
            await self._call([event for _, event in readable])
        except Exception as error:
            if len(readable) > 1 and not isinstance(error, TransientFault):
                for delivery, _ in readable:
                    await self._offer([delivery])
                return
            for delivery, _ in readable:
                await self._settle(delivery, error)
            return
        done = [delivery for delivery, _ in readable]
        await acknowledge(self._connection, done)
        self.handled += len(done)

    async def _call(self, events: list[Event]) -> None:
        if self._handle_batch is not None:
            await self._handle_batch(events)
        elif self._handle is not None:
            for each in events:
                await self._handle(each)

    async def _settle(self, delivery: Delivery, error: Exception) -> None:
        if not self._is_hopeless(delivery, error):
            pause_s = getattr(error, "retry_after_s", None) or self._redelivery.pause_s(delivery.deliveries)
            self.redelivered += 1
            _log.info(
                "event comes again",
                consumer=self._durable,
                position=f"{delivery.stream}:{delivery.sequence}",
                deliveries=delivery.deliveries,
                pause_s=pause_s,
                error=str(error),
            )
            await self._reply(delivery, b'-NAK {"delay": %d}' % int(pause_s * 1e9))
            return
        try:
            await self._bury(
                delivery.sequence,
                delivery.subject,
                dict(delivery.headers),
                delivery.data,
                delivery.deliveries,
                error,
            )
        except Exception as fault:
            _log.error("dead letter not written; trying again", consumer=self._durable, error=str(fault))
            await self._reply(delivery, b'-NAK {"delay": %d}' % int(self._redelivery.backoff_s[-1] * 1e9))
            return
        await self._reply(delivery, b"+TERM dead letter")

    def _is_hopeless(self, delivery: Delivery, error: Exception) -> bool:
        if isinstance(error, _HOPELESS) or delivery.deliveries >= self._redelivery.max_deliveries:
            return True
        expected = isinstance(error, TransientFault)
        return not expected and delivery.deliveries >= self._redelivery.unexpected_attempts

    async def _bury(
        self,
        sequence: int,
        subject: str,
        headers: dict[str, str],
        data: bytes,
        deliveries: int,
        error: Exception,
        *,
        report_known: bool = True,
    ) -> None:
        """Dead letter first, then the callback; both may be repeated, neither may be missing."""
        letter = DeadLetter(
            stream=self._stream,
            sequence=sequence,
            durable=self._durable,
            subject=subject,
            cause=str(error) if isinstance(error, LineshaftError) else f"{type(error).__name__}: {error}",
            code=error.code if isinstance(error, LineshaftError) else "unexpected",
            owner=getattr(error, "owner", "") or self._owner,
            deliveries=deliveries,
            data=data,
            headers=headers,
            event=event_in(headers, data),
        )
        is_new = await self._box.put(letter)
        if is_new:
            self.dead += 1
            _log.error(
                "dead letter",
                consumer=self._durable,
                position=f"{letter.stream}:{letter.sequence}",
                owner=letter.owner,
                cause=letter.cause,
            )
        if self._on_dead_letter is not None and (is_new or report_known):
            await self._on_dead_letter(letter)

    async def _reply(self, delivery: Delivery, verdict: bytes) -> None:
        with contextlib.suppress(TransientFault):  # then the ack wait brings it again
            await self._connection.publish(delivery.ack_subject, verdict)

    async def _keep_alive(self) -> None:
        """Tell the server that what we hold is being worked on, so that it gives it to nobody else."""
        while True:
            await asyncio.sleep(self._redelivery.ack_wait_s / 3)
            for delivery in [*self._held, *self._feed.waiting, *self._advised]:
                await self._reply(delivery, b"+WPI")

    async def _watch_advisories(self) -> None:
        """Messages that the server gave up: each delivery took the process down, or someone ended them.

        A crash counts as a delivery of everything that was in our hands, so most of these may be innocent
        neighbours of one that kills. Each is therefore handed over once more by itself.
        """
        await self._advisories.open()
        try:
            while True:
                self._advised = await self._advisories.take(1)
                delivery = self._advised[0]
                try:
                    async with self._one_at_a_time:
                        await self._follow_advice(delivery)
                except Exception as error:  # the callback's included: nothing may end the watch
                    _log.error("advisory not handled yet", consumer=self._durable, error=str(error))
                    await self._reply(delivery, b'-NAK {"delay": 5000000000}')
                    continue
                await acknowledge(self._connection, [delivery])
        finally:
            await self._advisories.close()

    async def _follow_advice(self, delivery: Delivery) -> None:
        advisory = msgspec.json.decode(delivery.data)
        sequence, deliveries = int(advisory["stream_seq"]), int(advisory.get("deliveries", 0))
        exhausted = ".MAX_DELIVERIES." in delivery.subject
        found = await fetch_message(self._connection, self._stream, sequence)
        subject, headers, data = found or ("", {}, b"")
        if exhausted:
            cause = f"{deliveries} deliveries ended without a word from the handler: it crashed each time"
        else:
            cause = f"terminated: {advisory.get('reason') or 'no reason given'}"
        if found is None:
            cause += f"; {self._stream} no longer holds the message"
        error: Exception = PermanentFault(cause, code="max_deliveries" if exhausted else "terminated")
        event = event_in(headers, data)
        if exhausted and event is not None and delivery.deliveries <= _LAST_CHANCES:
            try:
                await self._call([event])
            except Exception as last:
                error = last
            else:
                self.handled += 1
                return
        await self._bury(sequence, subject, headers, data, deliveries, error, report_known=exhausted)


def _advisory_config(stream: str, durable: str, ack_wait_ns: int) -> dict[str, Any]:
    advisory = "$JS.EVENT.ADVISORY.CONSUMER"
    return {
        "durable_name": f"{stream}-{durable}-advisories",  # durables of two streams may share a name
        "ack_wait": ack_wait_ns,
        "max_deliver": -1,
        "filter_subjects": [
            f"{advisory}.MAX_DELIVERIES.{stream}.{durable}",
            f"{advisory}.MSG_TERMINATED.{stream}.{durable}",
        ],
    }
