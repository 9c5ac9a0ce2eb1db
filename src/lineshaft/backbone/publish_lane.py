"""A queue of messages to one stream, emptied round by round; one round is in flight, so that they are stored
in the order in which they were handed over.

While a lane waits for the server it gathers what others want to publish, then sends all of it together: a few
as single publishes, many as one atomic batch of up to 1,000 (a few disk flushes).
"""

from __future__ import annotations

import asyncio
from collections import deque

import msgspec
import structlog
from nats.aio.msg import Msg

from lineshaft.backbone.connection import Connection
from lineshaft.backbone.events import NatsMessage
from lineshaft.backbone.faults import as_fault
from lineshaft.core.errors import LineshaftError, PermanentFault, TransientFault
from lineshaft.core.ids import new_id

__all__ = ["Lane", "Lot"]

_log = structlog.get_logger(__name__)
_ATOMIC_FROM = 128  # below it, single publishes are faster than the fixed cost of a batch (9 ms)
_ROUND = 1000  # the server's limit for one batch
_ROUND_BYTES = 16 * 2**20
_BACKOFF_S = (0.02, 0.1, 0.5, 1.0, 2.0)
_TOO_LARGE = frozenset({10054, 10097})
_IN_BATCH_DUPLICATE = 10201


class Lot:
    """The messages of one call: how many are still to be acknowledged. Whoever gives up cancels `done`; what
    still waits for it is not sent any more."""

    __slots__ = ("done", "remaining")

    def __init__(self, size: int) -> None:
        self.remaining = size
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def acknowledge(self) -> None:
        self.remaining -= 1
        if self.remaining == 0 and not self.done.done():
            self.done.set_result(None)

    def fail(self, fault: LineshaftError) -> None:
        if not self.done.done():
            self.done.set_exception(fault)


_Entry = tuple[NatsMessage, Lot]


class _Ack(msgspec.Struct):
    class Error(msgspec.Struct):
        code: int = 0
        err_code: int = 0
        description: str = ""

    error: Error | None = None


class Lane:
    """published   messages acknowledged since start
    resent      messages sent again because an acknowledgement did not come in time
    """

    def __init__(
        self, connection: Connection, *, atomic: bool, ack_timeout_s: float = 5.0, queue_limit: int = 20_000
    ) -> None:
        """atomic: whether the stream takes batches"""
        self.published = 0
        self.resent = 0
        self._connection = connection
        self._atomic = atomic
        self._ack_timeout_s = ack_timeout_s
        self._queue_limit = queue_limit
        self._queue: deque[_Entry] = deque()
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._inbox = connection.new_inbox()
        self._awaited: dict[str, _Entry] = {}
        self._unanswered = 0
        self._batch_reply = ""
        self._batch_answer: _Ack | None = None
        self._settled = asyncio.Event()
        self._forget = connection.when_lost(self._settled.set)
        self._task = asyncio.create_task(self._run())

    async def enqueue(self, entries: list[_Entry]) -> None:
        while len(self._queue) >= self._queue_limit:
            self._room.clear()
            await self._room.wait()
        self._queue.extend(entries)
        self._filled.set()

    async def close(self) -> None:
        self._forget()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._fail_all(
            TransientFault("backbone: the publisher was stopped", hint="publish after the restart")
        )

    async def _run(self) -> None:
        subscription = await self._connection.subscribe(f"{self._inbox}.*", self._on_ack)
        try:
            while True:
                await self._filled.wait()
                entries = self._next_round()
                if entries:
                    await self._deliver(entries)
        finally:
            await self._connection.unsubscribe(subscription)

    def _fail_all(self, fault: LineshaftError) -> None:
        for _, lot in [*self._queue, *self._awaited.values()]:
            lot.fail(fault)

    def _next_round(self) -> list[_Entry]:
        entries: list[_Entry] = []
        size = 0
        while self._queue and len(entries) < _ROUND and size < _ROUND_BYTES:
            entry = self._queue.popleft()
            if not entry[1].done.done():
                entries.append(entry)
                size += len(entry[0].data)
        if not self._queue:
            self._filled.clear()
        if len(self._queue) < self._queue_limit:
            self._room.set()
        return entries

    async def _deliver(self, entries: list[_Entry]) -> None:
        """Send until each entry is acknowledged, refused for good, or given up by its caller."""
        attempt = 0
        atomic = self._atomic and len(entries) >= _ATOMIC_FROM
        while entries:
            await self._connection.connected.wait()
            try:
                refused_as_batch = await (self._send_batch if atomic else self._send_singly)(entries)
            except TransientFault as fault:
                _log.warning("publish is tried again", error=str(fault), messages=len(entries))
                refused_as_batch = False
            except Exception as error:  # a bug, ours or nats-py's: its callers hear of it, the lane goes on
                bug = as_fault(error, "publish")
                for _, lot in entries:
                    lot.fail(bug)
                return
            entries = [entry for entry in self._awaited.values() if not entry[1].done.done()]
            self._awaited = {}
            if not entries:
                return
            if refused_as_batch:
                atomic = False
                continue
            atomic = atomic and len(entries) > 1
            self.resent += len(entries)
            if attempt == 1:
                _log.warning("messages are not acknowledged; resending", messages=len(entries))
            await asyncio.sleep(_BACKOFF_S[min(attempt, len(_BACKOFF_S) - 1)])
            attempt += 1

    async def _send_singly(self, entries: list[_Entry]) -> bool:
        round_id = new_id()
        self._awaited = {f"{self._inbox}.{round_id}-{index}": entry for index, entry in enumerate(entries)}
        self._unanswered = len(entries)
        self._settled.clear()
        for reply, (message, _) in list(self._awaited.items()):
            await self._connection.publish(
                message.subject, message.data, reply=reply, headers=message.headers
            )
        await self._wait_for_answers()
        return False

    async def _send_batch(self, entries: list[_Entry]) -> bool:
        """All or nothing, with one answer.

        returns  whether the batch was refused as a batch: it holds a duplicate, or something else that only
                 single publishes can tell apart
        """
        batch_id = new_id()
        reply = f"{self._inbox}.{batch_id}"
        last = len(entries)
        awaited = self._awaited = {f"{reply}-{index}": entry for index, entry in enumerate(entries)}
        self._batch_reply, self._batch_answer = reply, None
        self._settled.clear()
        for sequence, (message, _) in enumerate(entries, start=1):
            headers = {**message.headers, "Nats-Batch-Id": batch_id, "Nats-Batch-Sequence": str(sequence)}
            if sequence == last:
                headers["Nats-Batch-Commit"] = "1"
            # The first message asks for an answer too: a stream that takes no batches says so at once.
            await self._connection.publish(
                message.subject, message.data, reply=reply if sequence in (1, last) else "", headers=headers
            )
        await self._wait_for_answers()
        answer: _Ack | None = self._batch_answer
        self._batch_reply = ""
        if answer is None:
            return False
        if answer.error is None:
            for _, lot in awaited.values():
                lot.acknowledge()
            self.published += last
            self._awaited = {}
            return False
        if answer.error.err_code != _IN_BATCH_DUPLICATE:
            _log.warning("batch refused; publishing one by one", reason=answer.error.description, events=last)
        return True

    async def _wait_for_answers(self) -> None:
        """Until all answers are in, the connection is lost, or the time for an answer is over."""
        try:
            async with asyncio.timeout(self._ack_timeout_s):
                await self._settled.wait()
        except TimeoutError:
            return

    async def _on_ack(self, msg: Msg) -> None:
        subject = msg.subject
        if subject == self._batch_reply:
            if msg.data or msg.headers:
                self._batch_answer = _ack_of(msg)
                self._settled.set()
            return
        entry = self._awaited.get(subject)
        if entry is None:
            return
        error = None if msg.data and b'"error"' not in msg.data else _ack_of(msg).error
        if error is None:
            del self._awaited[subject]
            entry[1].acknowledge()
            self.published += 1
        elif error.err_code in _TOO_LARGE:
            del self._awaited[subject]
            entry[1].fail(
                PermanentFault(
                    f"backbone: {entry[0].subject} was refused: {error.description}",
                    code="event_too_large",
                    hint="send a reference instead of the data",
                )
            )
        self._unanswered -= 1
        if self._unanswered == 0:
            self._settled.set()


def _ack_of(msg: Msg) -> _Ack:
    """The server's answer; no responders (503) counts as an error without a code."""
    if not msg.data:
        return _Ack(error=_Ack.Error(code=503, description="no stream answers; JetStream may be starting"))
    return msgspec.json.decode(msg.data, type=_Ack)
