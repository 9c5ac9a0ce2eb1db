"""HTTP/1.1 over kept connections to one system, on the parser that uvicorn uses.

It knows what a door has to know of a request: whether any byte of it may have left. It sends a request once,
follows no redirect, keeps no cookies and asks no proxy.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

import httptools
from aiohappyeyeballs import start_connection

__all__ = ["Answer", "Connections", "LostAnswer", "Progress", "TooLong", "Unsendable", "request_head"]

KEEPALIVE_S = 4.0
_SECOND_ADDRESS_AFTER_S = 0.25  # RFC 8305 §5
_ODD_IN_TARGET = re.compile(r"[\x00-\x20\x7f]")
_GZIP = 31  # zlib's window bits for it


class Unsendable(ValueError):
    """A request that no connection can carry."""


class LostAnswer(Exception):
    """The connection broke, or what came over it is no answer, under a request that may have been read."""


class TooLong(Exception):
    """status: of the answer, whose body is longer than allowed."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the body of the answer ({status}) is too long")
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Answer:
    """headers: names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Progress:
    """connected: the request has a connection; from then on it may have been read."""

    __slots__ = ("connected",)

    def __init__(self) -> None:
        self.connected = False


def request_head(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """raises  Unsendable for what would end its line or, in the target, its word"""
    if _ODD_IN_TARGET.search(target):
        raise Unsendable(f"the address {target!r} has a blank or a control character")
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    text = "\n".join(lines)
    if text.count("\n") >= len(lines) or "\r" in text or "\0" in text:
        odd = next(name for name, value in headers.items() if set(f"{name}{value}") & set("\n\r\0"))
        raise Unsendable(f"header {odd!r} has a control character")
    return text.replace("\n", "\r\n").encode() + b"\r\n\r\n"


class Connections:
    """At most `limit` at a time; a request that finds none free waits.

    tls_name  whose certificate it has to be, where host is an address that was looked up before
    """

    def __init__(
        self,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        *,
        limit: int,
        max_answer_bytes: int,
        tls_name: str = "",
    ) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._tls_name = (tls_name or host) if tls else None
        self._max_answer_bytes = max_answer_bytes
        self._slots = asyncio.Semaphore(limit)
        self._idle: list[_Connection] = []
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    async def exchange(self, request: bytes, progress: Progress) -> Answer:
        """Send it once and read its answer. Cancelling it closes its connection.

        raises  LostAnswer, TooLong, OSError (with ssl.SSLError: while connecting, or under the request)
        """
        async with self._slots:
            connection = self._kept() or await self._opened()
            progress.connected = True
            try:
                answer = await connection.exchange(request)
            except BaseException:
                connection.abort()
                raise
            if connection.is_open and not self._closed:
                self._keep(connection)
            else:
                connection.abort()
            return answer

    def close(self) -> None:
        """What is under way ends by itself."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        while self._idle:
            self._idle.pop().abort()

    def _kept(self) -> _Connection | None:
        """The one used last, as it is the least likely to be closed by the other side at this moment."""
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and now - connection.idle_since < KEEPALIVE_S:
                return connection
            connection.abort()
        return None

    async def _opened(self) -> _Connection:
        loop = asyncio.get_running_loop()
        addresses = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        # not by the loop's own means: uvloop has none
        opened = await start_connection(addresses, happy_eyeballs_delay=_SECOND_ADDRESS_AFTER_S)
        try:
            _, connection = await loop.create_connection(
                lambda: _Connection(self._max_answer_bytes),
                sock=opened,
                ssl=self._tls,
                server_hostname=self._tls_name,
            )
        except BaseException:
            opened.close()
            raise
        return connection

    def _keep(self, connection: _Connection) -> None:
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        self._idle.append(connection)
        if self._sweep is None:
            self._sweep = loop.call_later(KEEPALIVE_S, self._close_old)

    def _close_old(self) -> None:
        loop = asyncio.get_running_loop()
        while self._idle and loop.time() - self._idle[0].idle_since >= KEEPALIVE_S:
            self._idle.pop(0).abort()
        left_s = KEEPALIVE_S - (loop.time() - self._idle[0].idle_since) if self._idle else 0.0
        self._sweep = loop.call_later(left_s, self._close_old) if self._idle else None


class _Connection(asyncio.Protocol):
    """One request at a time. Its `on_…` methods are called by the parser.

    is_open   it can take a next request
    """

    _unpack: Callable[[bytes, int], bytes] | None

    def __init__(self, max_answer_bytes: int) -> None:
        self._max_answer_bytes = max_answer_bytes
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._awaited: asyncio.Future[Answer] | None = None
        self._begin_answer()
        self.is_open = False
        self.idle_since = 0.0

    async def exchange(self, request: bytes) -> Answer:
        assert self._transport is not None  # noqa: S101 - made by connection_made
        self._awaited = asyncio.get_running_loop().create_future()
        self._begin_answer()
        self._transport.write(request)
        return await self._awaited

    def abort(self) -> None:
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        if self._awaited is None or self._awaited.done():  # nobody asked
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(LostAnswer(f"the answer is no HTTP: {error}"))

    def eof_received(self) -> None:
        self.is_open = False

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        if self._awaited is None or self._awaited.done():
            return
        if error is None and self._ends_with_connection:
            self._complete(b"".join(self._parts))
        elif 400 <= self._status < 500 or self._status == 503:  # refused, whatever the rest says
            self._complete(b"")
        else:
            self._fail(LostAnswer(f"the connection was lost: {error or 'closed before the answer'}"))

    def on_message_begin(self) -> None:
        self._begin_answer()
        if self._awaited is None or self._awaited.done():  # a second answer to one request
            self.is_open = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        self._ends_with_connection = (
            "content-length" not in self._headers and "transfer-encoding" not in self._headers
        )
        if self._headers.get("content-encoding", "").lower() in {"gzip", "x-gzip"}:
            self._unpack = zlib.decompressobj(_GZIP).decompress

    def on_body(self, data: bytes) -> None:
        if self._unpack is not None:
            try:
                data = self._unpack(data, self._max_answer_bytes - self._size + 1)
            except zlib.error as error:
                self._fail(LostAnswer(f"the answer is not encoded as it says: {error}"))
                return
        self._size += len(data)
        if self._size > self._max_answer_bytes:
            self._fail(TooLong(self._status))
        else:
            self._parts.append(data)

    def on_message_complete(self) -> None:
        if self._status < 200:  # a word in between, RFC 9110 §15.2
            return
        if not self._parser.should_keep_alive():
            self.is_open = False
        self._complete(b"".join(self._parts))

    def _begin_answer(self) -> None:
        self._status = 0
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []
        self._size = 0
        self._ends_with_connection = False
        self._unpack = None

    def _complete(self, body: bytes) -> None:
        assert self._transport is not None  # noqa: S101 - made by connection_made
        if self._transport.get_write_buffer_size():  # answered before it had all of the request
            self.is_open = False
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(Answer(status=self._status, headers=self._headers, body=body))

    def _fail(self, error: Exception) -> None:
        self.is_open = False
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_exception(error)
