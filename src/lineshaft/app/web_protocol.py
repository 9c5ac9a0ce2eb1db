"""HTTP/1.1 as uvicorn reads it, with bounds on what a stranger can make a connection cost."""

from __future__ import annotations

import asyncio
import sys
from http import HTTPStatus
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lineshaft.gateway import problem

if sys.platform != "win32":
    import resource

__all__ = ["BoundedHttp"]

MOST_HEAD_BYTES = 64 * 1024
MOST_HEADERS = 100
HEAD_S = 10.0
DRAIN_S = 5.0
MOST_DRAINED_BYTES = 8 * 2**20
_MOST_FILES = 1024
if sys.platform != "win32":
    _MOST_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
MOST_CONNECTIONS = max(64, _MOST_FILES // 2)


class BoundedHttp(HttpToolsProtocol):
    """A head has a length and a time in which it has to be there, and so has the rest of a body that nobody
    reads: who still sends when the answer is there has to be able to read it. Connections take half of the
    files that the process may have open: the rest is for its own.
    """

    _in_head = False
    _in_body = False
    _head_bytes = 0
    _drained_bytes = 0
    _ends: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
            return
        self._end_in(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._go_on()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", _TOO_LARGE)
        if self._in_body and self.cycle is not None and self.cycle.response_complete:
            self._drained_bytes += len(data)
            if self._drained_bytes > MOST_DRAINED_BYTES:
                self.transport.close()
        nothing_asked = self.cycle is None or self.cycle.response_complete
        if (self._in_head or nothing_asked) and self._ends is None:
            self._end_in(HEAD_S)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes, self._drained_bytes = True, 0, 0

    def on_headers_complete(self) -> None:
        self._in_head, self._in_body = False, True
        self._go_on()
        app = self.app
        length = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if length > MOST_HEAD_BYTES or len(self.headers) > MOST_HEADERS:
            self.app = _too_large
        super().on_headers_complete()
        self.app = app

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_body = False
        if self.cycle.response_complete:
            self._go_on()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._in_body and self.cycle.response_complete and not self.transport.is_closing():
            self._end_in(DRAIN_S)

    def send_400_response(self, msg: str) -> None:
        self._refuse(HTTPStatus.BAD_REQUEST, "no_http", "this is no HTTP/1.1 request that can be read safely")

    def _refuse(self, status: HTTPStatus, code: str, detail: str) -> None:
        body = bytes(problem(status, code=code, detail=detail).body)
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _end_in(self, seconds: float) -> None:
        self._ends = self.loop.call_later(seconds, self.transport.close)

    def _go_on(self) -> None:
        if self._ends is not None:
            self._ends.cancel()
            self._ends = None


_TOO_LARGE = f"the head of the request has more than {MOST_HEAD_BYTES} bytes or {MOST_HEADERS} headers"


async def _too_large(scope: Scope, receive: Receive, send: Send) -> Any:
    answer = problem(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        code="head_too_large",
        detail=_TOO_LARGE,
        headers={"Connection": "close"},
    )
    await answer(scope, receive, send)
