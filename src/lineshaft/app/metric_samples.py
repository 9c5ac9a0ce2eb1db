"""What has to be asked of database and backbone for metrics: every few seconds, not by who reads them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection

from lineshaft.backbone import Backbone, StreamState
from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.errors import LineshaftError
from lineshaft.core.standing import Standing
from lineshaft.ledger.gauges import Gauges, gauges
from lineshaft.processes.waits import next_wake
from lineshaft.store import Store

__all__ = ["Sample", "Sampler"]

_LOG = structlog.get_logger(__name__)
_EVERY_S = 15.0
_SHARE = 50.0  # of the time that sampling may take, one part
_SETTLED = timedelta(seconds=5)  # after which what is stamped is committed, too
_LOOP_EVERY_S = 0.5


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """at: epoch seconds; wake_late_s: how long the process that is due longest has been due."""

    at: float
    gauges: Gauges
    standing: Standing
    wake_late_s: float
    streams: Sequence[StreamState]


class Sampler:
    """standing: how the plant stands; came_back: told how late the event loop was, in seconds."""

    def __init__(
        self,
        store: Store,
        backbone: Backbone,
        plant: str,
        clock: Clock,
        came_back: Callable[[float], None],
        standing: Callable[[], Awaitable[Standing]],
    ) -> None:
        self._store = store
        self._backbone = backbone
        self._plant = plant
        self._clock = clock
        self._came_back = came_back
        self._standing = standing
        self._seen_up_to = clock.now() - _SETTLED
        self.last: Sample | None = None
        self.opened: Counter[tuple[str, str]] = Counter()
        self.closed: Counter[tuple[str, str]] = Counter()

    def runs(self) -> list[Coroutine[Any, Any, None]]:
        """Each until cancelled."""
        return [self._follow(), self._watch_the_loop()]

    async def sample(self) -> Sample:
        """raises  TransientFault when database or backbone do not answer"""
        now = self._clock.now()
        after, until = self._seen_up_to, now - _SETTLED

        def ask(connection: Connection) -> tuple[Gauges, float | None]:
            return gauges(connection, self._plant, rfc3339(after), rfc3339(until)), next_wake(connection)

        found, wake_at = await self._store.read(ask)
        self._seen_up_to = until
        self.opened.update(found.opened)
        self.closed.update(found.closed)
        for desk in {*found.exceptions, *found.opened}:
            self.closed[desk] += 0  # so that it can be seen that none was closed
        self.last = Sample(
            at=now.timestamp(),
            gauges=found,
            standing=await self._standing(),
            wake_late_s=max(0.0, now.timestamp() - wake_at) if wake_at is not None else 0.0,
            streams=await self._backbone.stream_states(),
        )
        return self.last

    async def _follow(self) -> None:
        while True:
            began = self._clock.monotonic()
            try:
                await self.sample()
            except LineshaftError as fault:
                _LOG.info("metrics.no_sample", reason=str(fault))
            except Exception:  # a wrong figure must not end the node
                _LOG.exception("metrics.no_sample")
            took_s = self._clock.monotonic() - began
            await asyncio.sleep(max(_EVERY_S, took_s * _SHARE))

    async def _watch_the_loop(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            asked = loop.time()
            await asyncio.sleep(_LOOP_EVERY_S)
            self._came_back(loop.time() - asked - _LOOP_EVERY_S)
