"""Publishes events so that a normal return means: on disk, once. One lane per event class."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from lineshaft.backbone.connection import Connection
from lineshaft.backbone.events import NatsMessage, to_message
from lineshaft.backbone.publish_lane import Lane, Lot
from lineshaft.core.errors import PermanentFault, TransientFault
from lineshaft.core.values import Event, EventClass

__all__ = ["Publisher"]

_HEADER_ROOM = 1024


class Publisher:
    """Implements `core.ports.EventPublisher`.

    published   events acknowledged since start
    resent      events sent again because an acknowledgement did not come in time
    """

    def __init__(
        self,
        connection: Connection,
        *,
        deadline_s: float = 30.0,
        ack_timeout_s: float = 5.0,
        queue_limit: int = 20_000,
    ) -> None:
        """deadline_s: for one `publish` call, queue and resends included; queue_limit: events per class"""
        self._connection = connection
        self._deadline_s = deadline_s
        self._ack_timeout_s = ack_timeout_s
        self._queue_limit = queue_limit
        self._lanes: dict[EventClass, Lane] = {}
        self._stopped = False

    @property
    def published(self) -> int:
        return sum(lane.published for lane in self._lanes.values())

    @property
    def resent(self) -> int:
        return sum(lane.resent for lane in self._lanes.values())

    async def publish(self, events: Sequence[Event]) -> None:
        """Returns when every event is on disk. Same source and id, same effect: repeats are safe.

        raises  ContractViolation (malformed event) and PermanentFault (larger than a message may be) before
                anything is sent; TransientFault when the backbone does not take them all in time: some may
                be stored, publish all again
        """
        if not events:
            return
        if self._stopped:
            raise TransientFault("backbone: the publisher is stopped", hint="publish again after the restart")
        lot = Lot(len(events))
        entries: dict[EventClass, list[tuple[NatsMessage, Lot]]] = {}
        for event in events:
            message = to_message(event)
            size = len(message.data) + _HEADER_ROOM
            if size > self._connection.max_payload:
                raise PermanentFault(
                    f"event {event.id} ({event.type}) has {len(message.data)} bytes of data",
                    code="event_too_large",
                    hint=f"at most {self._connection.max_payload - _HEADER_ROOM}: send a reference instead",
                )
            entries.setdefault(event.eventclass, []).append((message, lot))
        try:
            async with asyncio.timeout(self._deadline_s):
                for eventclass, chosen in entries.items():
                    await self._lane(eventclass).enqueue(chosen)
                await lot.done
        except TimeoutError:
            raise TransientFault(
                f"backbone: {lot.remaining} of {len(events)} events were not acknowledged within "
                f"{self._deadline_s:g} s",
                hint="publish them again, the same ids are stored once; is the disk full or the server down?",
            ) from None
        finally:
            lot.done.cancel()  # what still waits in a lane for this call is not sent any more

    async def close(self) -> None:
        """Stop the lanes; calls still waiting get TransientFault."""
        self._stopped = True
        for lane in self._lanes.values():
            await lane.close()

    def _lane(self, eventclass: EventClass) -> Lane:
        lane = self._lanes.get(eventclass)
        if lane is None:
            lane = self._lanes[eventclass] = Lane(
                self._connection,
                atomic=True,
                ack_timeout_s=self._ack_timeout_s,
                queue_limit=self._queue_limit,
            )
        return lane
