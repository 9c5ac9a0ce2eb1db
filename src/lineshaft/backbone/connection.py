"""One NATS connection that never gives up, and lets nothing of nats-py out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import msgspec
import nats.errors
import nats.js.errors
import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from lineshaft.backbone.client import FastClient
from lineshaft.backbone.faults import as_fault, faults_mapped
from lineshaft.core.cancelling import cancellation_kept
from lineshaft.core.errors import ConfigError, TransientFault

__all__ = ["ApiRefused", "Connection"]

_log = structlog.get_logger(__name__)
_OLDEST_SERVER = (2, 12)
_NO_RESPONDERS = "503"


class ApiRefused(Exception):
    """The JetStream API said no. err_code as in nats-server's errors.json, e.g. 10059 stream not found."""

    def __init__(self, code: int, err_code: int, description: str) -> None:
        super().__init__(f"{description} ({code}/{err_code})")
        self.code = code
        self.err_code = err_code
        self.description = description


class Connection:
    """Reconnects for ever; a black hole is noticed after 10 s.

    connected    set while a server answers: wait for it before work that must arrive
    reconnects   how often the connection was lost and found again
    """

    def __init__(self, client: FastClient) -> None:
        self._client = client
        self.connected = asyncio.Event()
        self.reconnects = 0
        self._on_lost: list[Callable[[], object]] = []
        self._on_reconnect: list[Callable[[], None]] = []

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        user: str = "",
        password: str = "",
        name: str = "lineshaft",
        timeout_s: float = 15.0,
        client: FastClient | None = None,
    ) -> Connection:
        """url: one `nats://host:port`, or several separated by commas; client: not connected yet.

        raises  ConfigError (wrong credentials, a server older than 2.12), TransientFault (nobody answers)
        """
        connection = cls(client or FastClient())
        refusals: list[str] = []

        async def on_error(error: Exception) -> None:
            refusals.append(str(error) or type(error).__name__)
            if isinstance(error, nats.errors.SlowConsumerError):
                _log.error("messages were dropped before they reached us", subject=error.subject)
            elif connection._client.is_connected:
                _log.warning("nats connection", error=refusals[-1])

        try:
            async with asyncio.timeout(timeout_s):
                await connection._client.connect(
                    servers=url.split(","),
                    name=name,
                    allow_reconnect=True,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=0.1,
                    connect_timeout=5,
                    ping_interval=5,
                    max_outstanding_pings=2,
                    pending_size=8 * 2**20,
                    error_cb=on_error,
                    disconnected_cb=connection._lost,
                    reconnected_cb=connection._found,
                    user=user or None,
                    password=password or None,
                )
        except asyncio.CancelledError:
            await connection.close()
            raise
        except (TimeoutError, OSError, nats.errors.Error) as error:
            with contextlib.suppress(Exception):
                await connection._client.close()
            heard = f"; last heard: {refusals[-1]}" if refusals else ""
            if any("authorization" in refusal.lower() for refusal in refusals):
                raise ConfigError(
                    f"NATS at {url} refused user {user!r}{heard}", hint="correct the user and password"
                ) from error
            raise TransientFault(
                f"NATS at {url} did not answer within {timeout_s:g} s{heard}",
                hint="is the server up, and the address right?",
            ) from error
        version = connection._client.connected_server_version
        if (version.major, version.minor) < _OLDEST_SERVER:
            await connection.close()
            raise ConfigError(
                f"NATS at {url} is version {version.major}.{version.minor}",
                hint="atomic batches need nats-server 2.12 or later; 2.15.1 is what we test with",
            )
        connection.connected.set()
        return connection

    @property
    def server_version(self) -> str:
        """Of the server that we are connected to, e.g. `2.15.1`."""
        version = self._client.connected_server_version
        return f"{version.major}.{version.minor}.{version.patch}"

    @property
    def max_payload(self) -> int:
        """Bytes that one message may have, headers included."""
        return int(self._client.max_payload)

    def when_lost(self, react: Callable[[], object]) -> Callable[[], None]:
        """Call `react` at every loss of the connection; returns how to end that."""
        self._on_lost.append(react)
        return lambda: self._on_lost.remove(react)

    def when_found(self, react: Callable[[], None]) -> Callable[[], None]:
        """Call `react` after every reconnect, subscriptions restored; returns how to end that."""
        self._on_reconnect.append(react)
        return lambda: self._on_reconnect.remove(react)

    def new_inbox(self) -> str:
        return str(self._client.new_inbox())

    async def publish(
        self,
        subject: str,
        payload: bytes = b"",
        *,
        reply: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        """Hand the message to the socket; that is no promise that it was stored.

        raises  TransientFault while disconnected and the 8 MiB buffer is full, PermanentFault (bad subject)
        """
        try:
            await self._client.publish(subject, payload, reply, headers)
        except (nats.errors.Error, OSError, TimeoutError) as error:
            raise as_fault(error, f"publish to {subject}") from error

    async def subscribe(self, subject: str, handle: Callable[[Msg], Awaitable[None]]) -> Subscription:
        """Unbounded on our side: nats-py drops what exceeds a limit; the pull protocol bounds it."""
        with faults_mapped(f"subscribe to {subject}"):
            subscription: Subscription = await self._client.subscribe(
                subject, cb=handle, pending_msgs_limit=0, pending_bytes_limit=0
            )
            return subscription

    async def unsubscribe(self, subscription: Subscription) -> None:
        with contextlib.suppress(nats.errors.Error, OSError):
            await subscription.unsubscribe()

    async def api(
        self, operation: str, request: Mapping[str, object] | None = None, *, timeout_s: float = 5.0
    ) -> dict[str, Any]:
        """Ask the JetStream API, e.g. `STREAM.INFO.LS_RAW`; patient while the server is starting again: what
        was asked of one that died is asked once more.

        raises  ApiRefused when it says no, TransientFault when it does not answer
        """
        body = msgspec.json.encode(request) if request is not None else b""
        reply = await self._ask(f"$JS.API.{operation}", body, timeout_s, repeatable=True)
        answer: dict[str, Any] = msgspec.json.decode(reply)
        error = answer.get("error")
        if error is not None:
            code = int(error.get("code", 0))
            refused = ApiRefused(code, int(error.get("err_code", 0)), str(error.get("description", "")))
            if code == int(_NO_RESPONDERS):
                raise TransientFault(
                    f"JetStream {operation}: {refused}", hint="the server is busy; try later"
                )
            raise refused
        return answer

    async def request_stored(
        self, subject: str, payload: bytes, headers: dict[str, str], *, timeout_s: float = 5.0
    ) -> ApiRefused | None:
        """Publish one message to a stream and wait for the server's word: None when it is on disk.

        raises  TransientFault when no stream answers
        """
        answer = msgspec.json.decode(await self._ask(subject, payload, timeout_s, headers))
        error = answer.get("error")
        if error is None:
            return None
        return ApiRefused(int(error["code"]), int(error["err_code"]), str(error["description"]))

    async def store(self, subject: str, payload: bytes, *, timeout_s: float = 5.0) -> int:
        """Publish one message to the stream that listens to its subject; its sequence, when it is on disk.

        raises  TransientFault when no stream answers, or it refuses
        """
        answer = msgspec.json.decode(await self._ask(subject, payload, timeout_s))
        error = answer.get("error")
        if error is not None:
            raise TransientFault(
                f"{subject} was not stored: {error.get('description')}", hint="is the stream full?"
            )
        return int(answer["seq"])

    async def _ask(
        self,
        subject: str,
        body: bytes,
        timeout_s: float,
        headers: dict[str, str] | None = None,
        *,
        repeatable: bool = False,
    ) -> bytes:
        """repeatable: asked again where the connection is lost before the answer"""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            try:
                if not self._client.is_closed:
                    async with asyncio.timeout_at(deadline):
                        await self.connected.wait()
                left_s = max(0.05, deadline - loop.time())
                reply = await self._unless_lost(
                    self._client.request(subject, body, timeout=left_s, headers=headers)
                )
                return bytes(reply.data)
            except nats.errors.NoRespondersError as error:
                if loop.time() + 0.05 >= deadline:
                    raise TransientFault(
                        f"nobody answers {subject}", hint="is JetStream enabled on this NATS account?"
                    ) from error
                await asyncio.sleep(0.05)
            except (nats.errors.Error, OSError, TimeoutError) as error:
                if repeatable and isinstance(error, nats.errors.ConnectionReconnectingError):
                    continue
                raise as_fault(error, f"request {subject}") from error

    async def _unless_lost(self, request: Coroutine[Any, Any, Msg]) -> Msg:
        """An answer cannot come any more over a connection that is lost.

        raises  ConnectionReconnectingError
        """
        asking = asyncio.ensure_future(request)
        forget = self.when_lost(asking.cancel)
        try:
            await asyncio.wait([asking])
        finally:
            forget()
            asking.cancel()
        if asking.cancelled():
            raise nats.errors.ConnectionReconnectingError
        return asking.result()

    async def round_trip_ms(self) -> float:
        """raises  TransientFault when no server answers within 2 s"""
        if not self._client.is_connected:
            raise TransientFault("backbone: not connected", hint="the connection is tried again without end")
        started = asyncio.get_running_loop().time()
        with faults_mapped("ping"), cancellation_kept():
            await self._client.flush(timeout=2)
        return (asyncio.get_running_loop().time() - started) * 1000

    async def flush(self) -> None:
        with faults_mapped("flush"), cancellation_kept():
            await self._client.flush(timeout=5)

    async def close(self) -> None:
        if self._client.is_connected:
            with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
                await self._client.flush(timeout=2)
        try:
            with contextlib.suppress(nats.errors.Error, OSError):
                await self._client.close()
        except asyncio.CancelledError:
            # nats-py cancels its own attempt to reconnect, and with it what both may wait for
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise

    async def _lost(self) -> None:
        self.connected.clear()
        for react in list(self._on_lost):
            react()

    async def _found(self) -> None:
        self.reconnects += 1
        self.connected.set()
        for react in list(self._on_reconnect):
            react()
