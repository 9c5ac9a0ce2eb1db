"""One load on one side: what came of it and when, and whether the side keeps up with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from typing import Any, Protocol

import msgspec

from lineshaft.app.bench.child import Child, child
from lineshaft.app.bench.processors import Usage
from lineshaft.app.bench.rounds import percentile
from lineshaft.app.bench.telemetry.load import Breach, Shape
from lineshaft.backbone import Backbone
from lineshaft.core.errors import TransientFault

__all__ = ["Rig", "Side", "Told", "Trial", "rig"]

_GENERATOR = "lineshaft.app.bench.telemetry.generator"
_MAKING_S, _SENDING_S = 30.0, 10.0
_SILENCE_S = 3.0
_GROWTH = 0.04  # of the time: what a side 5 % too slow falls behind
_TOLERATED_S = 0.02

Told = tuple[str, int]
"""Tag and time, in ms, of the reading that began an episode."""


class Side(Protocol):
    """What takes device messages and tells of broken limits.

    prefix   of the subjects that it takes in
    pids     by name: processes that are not known by their program's name
    """

    prefix: str
    pids: Mapping[int, str]

    async def listen(self, tell: Callable[[bytes], None]) -> Callable[[], Awaitable[None]]:
        """Hand over what it tells from now on; returns how to end that."""
        ...

    def told(self, payload: bytes) -> Told | None:
        """None for what tells of no limit."""
        ...


class Trial(msgspec.Struct, frozen=True):
    """latencies_s: by the time into the load at which a message was due; in its order

    lost, wrong   episodes that were not told, and what was told and is none, or again
    """

    rate: float
    seconds: float
    latencies_s: list[float]
    lost: int
    wrong: int
    usage: dict[str, Any]

    @property
    def growth_s(self) -> float:
        """Of the lag, from the first quarter to the last one."""
        quarter = max(len(self.latencies_s) // 4, 1)
        return _middle(self.latencies_s[-quarter:]) - _middle(self.latencies_s[:quarter])

    @property
    def is_sustained(self) -> bool:
        if self.lost or not self.latencies_s:
            return False
        return self.growth_s <= _GROWTH * self.seconds + _TOLERATED_S

    def quantile_ms(self, share: float) -> float:
        return round(percentile(self.latencies_s, share) * 1000, 2)


class Rig:
    """A server, and the generator beside it. backbone: of the server"""

    def __init__(self, backbone: Backbone, generator: Child) -> None:
        self.backbone = backbone
        self._generator = generator
        self._next_ms = 0

    async def trial(self, side: Side, shape: Shape, rate: float, seconds: float) -> Trial:
        """rate: messages per second. Returns when everything is told, or nothing more comes.

        raises  TransientFault when the generator ended
        """
        came: dict[Told, float] = {}
        again = 0
        news = asyncio.Event()

        def tell(payload: bytes) -> None:
            nonlocal again
            if (told := side.told(payload)) is not None:
                again += told in came
                came.setdefault(told, time.time())
                news.set()

        await self._make(side.prefix, shape, rate, seconds)
        end = await side.listen(tell)
        usage = Usage({**side.pids, self._generator.pid: "load"})
        try:
            answer = await self._send(seconds)
            breaches = msgspec.convert(answer["breaches"], list[Breach])
            wanted = {(breach.tag, breach.time_ms): answer["begun_at"] + breach.at for breach in breaches}
            took = usage.cores()
            await _all(wanted.keys(), came, news)
        finally:
            await end()
        return Trial(
            rate=rate,
            seconds=seconds,
            latencies_s=[came[told] - due for told, due in wanted.items() if told in came],
            lost=len(wanted.keys() - came.keys()),
            wrong=len(came.keys() - wanted.keys()) + again,
            usage=took,
        )

    async def send(self, prefix: str, shape: Shape, rate: float, seconds: float) -> None:
        """A load that nobody looks at."""
        await self._make(prefix, shape, rate, seconds)
        await self._send(seconds)

    async def _send(self, seconds: float) -> dict[str, Any]:
        return await self._generator.ask({"send": True}, within_s=_SENDING_S + 10 * seconds)

    async def _make(self, prefix: str, shape: Shape, rate: float, seconds: float) -> None:
        server = self.backbone.server
        if server is None:
            raise TransientFault("the bench needs a server of its own")
        from_ms = max(int(time.time() * 1000), self._next_ms)
        self._next_ms = from_ms + int((seconds + 1) * 2000)
        question = {
            "url": server.url,
            "user": server.user,
            "password": server.password,
            "prefix": prefix,
            "shape": shape,
            "rate": rate,
            "seconds": seconds,
            "from_ms": from_ms,
        }
        await self._generator.ask(question, within_s=_MAKING_S + 10 * seconds)


@asynccontextmanager
async def rig(backbone: Backbone) -> AsyncIterator[Rig]:
    async with child(_GENERATOR) as generator:
        yield Rig(backbone, generator)


async def _all(wanted: Set[Told], came: Mapping[Told, float], news: asyncio.Event) -> None:
    """Returns when all that is wanted came, or nothing came for a while."""
    while not wanted <= came.keys():
        news.clear()
        try:
            async with asyncio.timeout(_SILENCE_S):
                await news.wait()
        except TimeoutError:
            return


def _middle(values: Sequence[float]) -> float:
    return percentile(values, 0.5) if values else 0.0
