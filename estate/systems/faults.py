"""Faults on request: what a simulated system does wrong, how often and on which paths."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from enum import StrEnum

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Fault", "FaultBoard", "FaultKind", "FaultyApp"]

DRIP_S = 30.0


class FaultKind(StrEnum):
    """before: the business effect does not happen; after: it is committed.

    outage                  before: the connection is closed without an answer
    reset                   before: the connection is reset (RST)
    reset_after_commit      after: the connection is reset
    timeout_before_commit   before: no answer; held open until the client leaves (or `seconds`, then closed)
    timeout_after_commit    after: likewise
    http_500                before: status 500
    http_500_after_commit   after: status 500
    http_503, http_429      before: with Retry-After when `seconds` is given
    malformed               after: the answer is cut in half, with its right status
    slow_drip               after: the answer comes byte by byte over `seconds` (default 30)
    """

    OUTAGE = "outage"
    RESET = "reset"
    RESET_AFTER_COMMIT = "reset_after_commit"
    TIMEOUT_BEFORE_COMMIT = "timeout_before_commit"
    TIMEOUT_AFTER_COMMIT = "timeout_after_commit"
    HTTP_500 = "http_500"
    HTTP_500_AFTER_COMMIT = "http_500_after_commit"
    HTTP_503 = "http_503"
    HTTP_429 = "http_429"
    MALFORMED = "malformed"
    SLOW_DRIP = "slow_drip"


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """times: requests that it still hits, None without end; path: regex searched in `METHOD /path`, too."""

    kind: FaultKind
    times: int | None = 1
    seconds: float | None = None
    path: str | None = None

    def __post_init__(self) -> None:
        if self.path is not None:
            try:
                re.compile(self.path)
            except re.error as error:
                raise ValueError(f"path {self.path!r} is no regular expression: {error}") from error

    def concerns(self, method: str, path: str) -> bool:
        if self.times == 0:
            return False
        return (
            self.path is None
            or re.search(self.path, path) is not None
            or re.search(self.path, f"{method} {path}") is not None
        )


class FaultBoard:
    """The faults that wait for requests; the first that concerns a request is used."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, kind: FaultKind | str, **how: int | float | str | None) -> Fault:
        """how: times, seconds, path, as in Fault"""
        fault = msgspec.convert({"kind": kind, **how}, Fault)
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        self._faults.clear()

    def waiting(self) -> list[Fault]:
        return [fault for fault in self._faults if fault.times != 0]

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that hits a request. `/health` is hit by an outage and uses up nothing."""
        if path == "/health":
            return next((fault for fault in self.waiting() if fault.kind is FaultKind.OUTAGE), None)
        for fault in self._faults:
            if fault.concerns(method, path):
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None


class FaultyApp:
    """An ASGI application that does wrong as its board says. Paths under `/_` are never hit.

    cut  closes the connection of a request: (scope, with a reset?)
    """

    def __init__(self, app: ASGIApp, board: FaultBoard, cut: Callable[[Scope, bool], None]) -> None:
        self._app = app
        self._board = board
        self._cut = cut

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = None
        if scope["type"] == "http" and not scope["path"].startswith("/_"):
            fault = self._board.take(scope["method"], scope["path"])
        if fault is None:
            await self._app(scope, receive, send)
            return
        match fault.kind:
            case FaultKind.OUTAGE | FaultKind.RESET:
                await _whole_body(receive)
                self._cut(scope, fault.kind is FaultKind.RESET)
            case FaultKind.TIMEOUT_BEFORE_COMMIT:
                await self._stay_silent(scope, receive, fault.seconds)
            case FaultKind.HTTP_500:
                await _refuse(send, 500, None)
            case FaultKind.HTTP_503:
                await _refuse(send, 503, fault.seconds)
            case FaultKind.HTTP_429:
                await _refuse(send, 429, fault.seconds)
            case _:
                await self._after_the_effect(fault, scope, receive, send)

    async def _after_the_effect(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self._app(scope, receive, keep)
        start = next(message for message in answer if message["type"] == "http.response.start")
        body = b"".join(message.get("body", b"") for message in answer)
        match fault.kind:
            case FaultKind.RESET_AFTER_COMMIT:
                self._cut(scope, True)
            case FaultKind.TIMEOUT_AFTER_COMMIT:
                await self._stay_silent(scope, receive, fault.seconds)
            case FaultKind.HTTP_500_AFTER_COMMIT:
                await _refuse(send, 500, None)
            case FaultKind.MALFORMED:
                half = body[: len(body) // 2] or b"{"
                headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(half))]
                await send({**start, "headers": headers})
                await send({"type": "http.response.body", "body": half})
            case _:
                await _drip(receive, send, start, body, DRIP_S if fault.seconds is None else fault.seconds)

    async def _stay_silent(self, scope: Scope, receive: Receive, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                while (await receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            self._cut(scope, False)


async def _whole_body(receive: Receive) -> None:
    more = True
    while more:
        message = await receive()
        more = message["type"] == "http.request" and message.get("more_body", False)


async def _refuse(send: Send, status: int, retry_after_s: float | None) -> None:
    body = b'{"detail": "fault on request"}'
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % retry_after_s))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _drip(receive: Receive, send: Send, start: Message, body: bytes, seconds: float) -> None:
    """Ends when the client leaves."""
    await send(start)
    for position in range(len(body)):
        piece = body[position : position + 1]
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds / len(body)):
                while (await receive())["type"] != "http.disconnect":
                    pass
                return
    await send({"type": "http.response.body", "body": b""})
