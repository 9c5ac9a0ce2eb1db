"""What is common to the peers: plain subjects in, plain subjects out, and how one knows that they run."""

from __future__ import annotations

import asyncio
import time
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec
from nats.aio.msg import Msg

from lineshaft.app.bench.telemetry.load import LIMIT, PER_MESSAGE, Shape
from lineshaft.app.bench.telemetry.trial import Told
from lineshaft.backbone import Backbone, Connection
from lineshaft.core.errors import TransientFault

__all__ = ["BREACHES", "INPUT", "Peer", "PeerSide"]

INPUT = "devices"
"""First token of what peers take in: no stream keeps it, so the server does less for them than for us."""

BREACHES = "results.breach"
_START_S = 60.0
_AGAIN_S = 0.25


class _Breach(msgspec.Struct):
    """at: None where mq-bridge tells of a window alone; diff: -1 where Pathway takes a row back, as it does
    when the next one of its tag follows"""

    tag: str
    at: int | None
    diff: int = 1


_breach = msgspec.json.Decoder(_Breach)


class Peer(Protocol):
    """version: of the product; has_state: whether it does hysteresis and windows"""

    name: str
    version: str

    def has_state(self, shape: Shape) -> bool: ...

    def running(
        self, backbone: Backbone, shape: Shape, *, stateful: bool
    ) -> AbstractAsyncContextManager[PeerSide]: ...


class PeerSide:
    """Implements `trial.Side`."""

    prefix = INPUT

    def __init__(self, name: str, process: Process, connection: Connection) -> None:
        self._name = name
        self._process = process
        self._connection = connection
        self.pids: Mapping[int, str] = {process.pid: name}

    async def listen(self, tell: Callable[[bytes], None]) -> Callable[[], Awaitable[None]]:
        async def on_message(message: Msg) -> None:
            tell(message.data)

        subscription = await self._connection.subscribe(BREACHES, on_message)
        await self._connection.flush()
        return lambda: self._connection.unsubscribe(subscription)

    def told(self, payload: bytes) -> Told | None:
        breach = _breach.decode(payload)
        return None if breach.at is None or breach.diff < 0 else (breach.tag, breach.at)

    async def begin(self, shape: Shape) -> None:
        """Returns when it has told of a broken limit, which it is sent until then.

        raises  TransientFault when it does not
        """
        told = asyncio.Event()
        end = await self.listen(lambda _: told.set())
        give_up_at = time.monotonic() + _START_S
        number = 0
        try:
            while not told.is_set():
                if time.monotonic() > give_up_at or self._process.returncode is not None:
                    raise TransientFault(f"{self._name} did not start", hint="what it said is above")
                number += 1
                await self._connection.publish(f"{INPUT}.probe", _probe(shape, number))
                try:
                    async with asyncio.timeout(_AGAIN_S):
                        await told.wait()
                except TimeoutError:
                    continue
        finally:
            await end()


def _probe(shape: Shape, number: int) -> bytes:
    time_ms, value = int(time.time() * 1000), LIMIT + 1
    tag = f"p{number:04}"
    if shape is Shape.BATCHES:
        times = list(range(time_ms, time_ms + PER_MESSAGE))
        return msgspec.json.encode({"tag": tag, "value": [value] * PER_MESSAGE, "time": times})
    return msgspec.json.encode({"tag": tag, "value": value, "time": time_ms})
