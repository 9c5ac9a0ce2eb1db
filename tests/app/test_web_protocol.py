"""What a node's HTTP server holds open, and for how long; attacks on a whole node: tests/app/http."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from lineshaft.app import web_protocol
from lineshaft.app.web import WebServer
from tests.waiting import PATIENCE_S

ASKS = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n"


async def taken(request: Request) -> Response:
    return PlainTextResponse(await request.body())


@pytest.fixture
async def port() -> AsyncIterator[int]:
    server = WebServer("127.0.0.1", 0)
    running = asyncio.create_task(server.run(Starlette(routes=[Route("/", taken, methods=["POST"])])))
    yield int(server.url.rpartition(":")[2])
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def answer_of(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(PATIENCE_S):
        return await reader.readuntil(b"abc")


async def test_more_connections_than_it_may_hold_are_closed(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_protocol, "MOST_CONNECTIONS", 1)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(ASKS)
    beyond, other = await asyncio.open_connection("127.0.0.1", port)
    with suppress(ConnectionError):
        assert await beyond.read() == b""
    writer.write(b"abc")
    assert (await answer_of(reader)).startswith(b"HTTP/1.1 200 ")
    writer.close()
    other.close()


async def test_a_body_may_take_longer_than_a_head_and_is_no_head_again(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time for a head ends with the head, on the same connection again and again."""
    monkeypatch.setattr(web_protocol, "HEAD_S", 2.0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):
        writer.write(ASKS)
        for part in (b"a", b"b", b"c"):
            await asyncio.sleep(0.8)  # the client's own pace
            writer.write(part)
        assert (await answer_of(reader)).startswith(b"HTTP/1.1 200 ")
    writer.write(b"POST / HT")
    async with asyncio.timeout(PATIENCE_S):
        assert await reader.read() == b""
    writer.close()
