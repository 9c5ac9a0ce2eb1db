"""The pull requests of one consumer: how many messages they may still bring, how each one ends, when to ask
again. Two are in flight, so that the server never waits for us; what is held bounds what is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
import structlog

from lineshaft.backbone.connection import Connection
from lineshaft.core.errors import TransientFault

__all__ = ["PullRequests"]

_log = structlog.get_logger(__name__)
_CONSUMER_GONE = ("Consumer Deleted", "Stream Deleted", "Consumer is push based")
_FULL = ("Batch Completed", "Message Size Exceeds MaxBytes")
_RETRY_S = 0.2


class PullRequests:
    """Answers come to subjects `<inbox>.*`; whoever reads them calls `delivered` and `ended`.

    stirred   set when something came; `wait` returns then
    gone      why the consumer has to be declared again, empty while it is there
    """

    def __init__(
        self,
        connection: Connection,
        stream: str,
        consumer: str,
        *,
        batch: int,
        in_flight: int = 2,
        max_bytes: int = 0,
        heartbeat_s: float = 5.0,
        expires_s: float = 30.0,
    ) -> None:
        """batch, max_bytes: of one request; max_bytes 0: no limit, else more than one message may have"""
        self._connection = connection
        self._consumer = consumer
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._batch = batch
        self._limit = batch * in_flight
        self._heartbeat_s = heartbeat_s
        request = {"batch": batch, "expires": int(expires_s * 1e9), "idle_heartbeat": int(heartbeat_s * 1e9)}
        self._request = msgspec.json.encode(request | ({"max_bytes": max_bytes} if max_bytes else {}))
        self.inbox = connection.new_inbox()
        self.stirred = asyncio.Event()
        self.gone = ""
        self._sent = 0
        self._outstanding = 0
        self._heard_at = 0.0
        self._retry_at = 0.0

    async def ask(self, held: int) -> None:
        """As often as there is room beside the messages that are held and those that are on their way."""
        loop = asyncio.get_running_loop()
        if self.gone or not self._connection.connected.is_set() or loop.time() < self._retry_at:
            return
        while self._outstanding + held + self._batch <= self._limit:
            self._sent += 1
            try:
                await self._connection.publish(
                    self._subject, self._request, reply=f"{self.inbox}.{self._sent}"
                )
            except TransientFault:
                return
            if self._outstanding == 0:
                self._heard_at = loop.time()
            self._outstanding += self._batch

    async def wait(self, held: int) -> bool:
        """Ask, then wait until something came or it is time to ask again.

        returns  False when not even a heartbeat came: the requests are lost
        """
        loop = asyncio.get_running_loop()
        self.stirred.clear()
        await self.ask(held)
        pause = self._retry_at - loop.time()
        try:
            async with asyncio.timeout(max(0.01, pause if pause > 0 else self._silence_s())):
                await self.stirred.wait()
        except TimeoutError:
            return pause > 0 or self._silence_s() > 0
        return True

    def _silence_s(self) -> float:
        """How much longer it may be silent."""
        return self._heard_at + 2 * self._heartbeat_s + 1 - asyncio.get_running_loop().time()

    def delivered(self, count: int = 1) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        self._outstanding = max(0, self._outstanding - count)
        self.stirred.set()

    def ended(self, headers: Mapping[str, str]) -> None:
        """A message without a delivery: 100 heartbeat; 408 expired, 409 refused, full or overtaken, 404, 503:
        a request ended before its batch was full."""
        self._heard_at = asyncio.get_running_loop().time()
        status = headers.get("Status", "")
        if not status or status == "100":
            return
        description = str(headers.get("Description", "")).strip()
        unfilled = headers.get("Nats-Pending-Messages")
        # A request from before a restart may still report its end; it must not free more than is counted.
        freed = int(unfilled) if unfilled and unfilled.isdigit() else self._batch
        self._outstanding = max(0, self._outstanding - freed)
        if any(gone in description for gone in _CONSUMER_GONE) or status in ("404", "503"):
            self.gone, self._outstanding = description or "it did not answer", 0
        elif status != "408" and description not in _FULL:
            self.pause()
            _log.debug("pull request ended", consumer=self._consumer, status=status, description=description)
        self.stirred.set()

    def pause(self) -> None:
        """Ask for nothing for a moment."""
        self._retry_at = asyncio.get_running_loop().time() + _RETRY_S

    def start_over(self) -> None:
        """What was asked for will not come: the connection was lost."""
        self._outstanding = 0
        self._heard_at = asyncio.get_running_loop().time()
        self.stirred.set()
