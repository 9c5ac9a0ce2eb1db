"""A proxy before any HTTP system, which does wrong as its board says, before or after the system has acted.

The system behind it, simulated or real, knows nothing of it. Each request reaches the system at most once,
over a connection of its own; nothing is repeated and nothing is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from estate.systems.faults import DRIP_S, Fault, FaultBoard, FaultKind

__all__ = ["FaultProxy"]

HOST = "127.0.0.1"
_RESET = struct.pack("ii", 1, 0)
_OWN_ANSWERS = {
    FaultKind.HTTP_500: 500,
    FaultKind.HTTP_500_AFTER_COMMIT: 500,
    FaultKind.HTTP_503: 503,
    FaultKind.HTTP_429: 429,
}
_BEFORE = frozenset(
    {
        FaultKind.OUTAGE,
        FaultKind.RESET,
        FaultKind.TIMEOUT_BEFORE_COMMIT,
        FaultKind.HTTP_500,
        FaultKind.HTTP_503,
        FaultKind.HTTP_429,
    }
)
_BREAKS = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


@dataclass(frozen=True, kw_only=True)
class _Head:
    """First line and headers of a request or an answer; names of headers are in lower case."""

    first: str
    headers: Mapping[str, str]

    @property
    def length(self) -> int:
        return int(self.headers.get("content-length", "0"))


class FaultProxy:
    """`async with FaultProxy(system.url) as proxy: proxy.url`.

    faults     the faults that wait for requests; kinds as FaultKind says, but `reset` comes in mid-request
    hits       requests hit so far, by kind; those refused by a closed listener are not seen
    passed     answers handed on unharmed so far, those to `/health` apart
    on_passed  called at each of them
    """

    def __init__(self, upstream: str, *, on_passed: Callable[[], None] = lambda: None) -> None:
        self._upstream = urlsplit(upstream)
        self._on_passed = on_passed
        self.faults = FaultBoard()
        self.hits: Counter[FaultKind] = Counter()
        self.passed = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._closed_door: socket.socket | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}{self._upstream.path}"

    async def __aenter__(self) -> Self:
        self._closed_door = self._bound()
        await self.admit()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse()
        if self._closed_door is not None:
            self._closed_door.close()

    async def admit(self) -> None:
        """Accept connections, after a start or `refuse`."""
        if self._closed_door is not None:
            door, self._closed_door = self._closed_door, None
            self._server = await asyncio.start_server(self._serve, sock=door)

    async def refuse(self) -> None:
        """Refuse connections and drop the open ones. The port stays taken: no other process gets it."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self._closed_door = self._bound()
            for writer in list(self._open):
                writer.transport.abort()
        await asyncio.sleep(0)

    def _bound(self) -> socket.socket:
        door = socket.socket()
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((HOST, self.port))
        self.port = door.getsockname()[1]
        return door

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while (head := await _read_head(reader)) and await self._exchange(head, reader, writer):
                pass
        except _BREAKS:
            pass  # the client has left
        finally:
            self._open.discard(writer)
            writer.close()

    async def _exchange(
        self, head: _Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """One request; whether the connection can carry another."""
        method, target, _ = head.first.split(" ", 2)
        path = target.split("?", 1)[0]
        fault = self.faults.take(method, path)
        if fault is not None:
            self.hits[fault.kind] += 1
            if fault.kind is FaultKind.RESET:
                return _cut(writer, reset=True)
        body = await reader.readexactly(head.length)
        if fault is None or fault.kind not in _BEFORE:
            try:
                answer, content = await self._forward(head, body)
            except (OSError, *_BREAKS):  # the system itself is away
                return _cut(writer, reset=True)
            if fault is None:
                await _write(writer, answer, content)
                if path != "/health":
                    self.passed += 1
                    self._on_passed()
                return True
        else:
            answer, content = _own_answer(200, None)
        return await self._spoil(fault, (answer, content), reader, writer)

    async def _spoil(
        self,
        fault: Fault,
        answered: tuple[_Head, bytes],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        answer, content = answered
        match fault.kind:
            case FaultKind.OUTAGE:
                return _cut(writer, reset=False)
            case FaultKind.RESET_AFTER_COMMIT:
                return _cut(writer, reset=True)
            case FaultKind.TIMEOUT_BEFORE_COMMIT | FaultKind.TIMEOUT_AFTER_COMMIT:
                await _left(reader, fault.seconds)
                return _cut(writer, reset=False)
            case FaultKind.MALFORMED:
                await _write(writer, answer, content[: len(content) // 2] or b"{")
                return True
            case FaultKind.SLOW_DRIP:
                seconds = DRIP_S if fault.seconds is None else fault.seconds
                return await _drip(reader, writer, answer, content, seconds)
            case kind:
                await _write(writer, *_own_answer(_OWN_ANSWERS[kind], fault.seconds))
                return True

    async def _forward(self, head: _Head, body: bytes) -> tuple[_Head, bytes]:
        """In HTTP/1.0, so that the answer comes in one piece and ends with the connection."""
        reader, writer = await asyncio.open_connection(self._upstream.hostname, self._upstream.port)
        try:
            method, target, _ = head.first.split(" ", 2)
            headers = {name: value for name, value in head.headers.items() if name != "connection"}
            writer.write(_encoded(_Head(first=f"{method} {target} HTTP/1.0", headers=headers)) + body)
            await writer.drain()
            answer = await _read_head(reader)
            if answer is None:
                raise ConnectionResetError("the system closed the connection without an answer")
            told = "content-length" in answer.headers
            return answer, await (reader.readexactly(answer.length) if told else reader.read())
        finally:
            writer.close()


async def _read_head(reader: asyncio.StreamReader) -> _Head | None:
    """None when the connection ended before it."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as ended:
        if ended.partial:
            raise
        return None
    first, *lines = raw.decode("latin-1").split("\r\n")[:-2]
    pairs = (line.split(":", 1) for line in lines)
    return _Head(first=first, headers={name.strip().lower(): value.strip() for name, value in pairs})


def _encoded(head: _Head) -> bytes:
    lines = [head.first, *(f"{name}: {value}" for name, value in head.headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _own_answer(status: int, retry_after_s: float | None) -> tuple[_Head, bytes]:
    headers = {"content-type": "application/json"}
    if retry_after_s is not None:
        headers["retry-after"] = f"{retry_after_s:.0f}"
    return _Head(first=f"HTTP/1.1 {status} fault", headers=headers), b'{"detail": "fault on request"}'


def _answer_head(answer: _Head, length: int) -> bytes:
    """As the system said it, for a connection that stays open."""
    status = answer.first.split(" ", 1)[1]
    headers = {name: value for name, value in answer.headers.items() if name != "connection"}
    if not status.startswith(("204", "304")):
        headers["content-length"] = str(length)
    return _encoded(_Head(first=f"HTTP/1.1 {status}", headers=headers))


async def _write(writer: asyncio.StreamWriter, answer: _Head, content: bytes) -> None:
    writer.write(_answer_head(answer, len(content)) + content)
    await writer.drain()


async def _drip(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: _Head, content: bytes, seconds: float
) -> bool:
    """Byte by byte; ends when the client leaves."""
    writer.write(_answer_head(answer, len(content)))
    for position in range(len(content)):
        writer.write(content[position : position + 1])
        await writer.drain()
        if await _left(reader, seconds / len(content)):
            return False
    return True


async def _left(reader: asyncio.StreamReader, within_s: float | None) -> bool:
    """Whether the client leaves in that time; None: wait until it does."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            return not await reader.read(1)
    return False


def _cut(writer: asyncio.StreamWriter, *, reset: bool) -> bool:
    """Close the connection without an answer, with an RST if asked; it can carry no further request."""
    if reset and (peer := writer.get_extra_info("socket")) is not None:
        with contextlib.suppress(OSError):
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
    return False
