"""Who is answered at the product's own server, on loopback and beyond."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from lineshaft.app.web import WebServer

POSTS = ("/api/processes/pay/retry", "/api/exceptions/redrive", "/webhooks/mes/order")
READS = ("/", "/api/processes", "/health")


class Site:
    """A server with a route for everything; `done` is what got through to one."""

    def __init__(self, server: WebServer, session: aiohttp.ClientSession) -> None:
        self.port = urlsplit(server.url).port
        self.done: list[str] = []
        self._session = session

    async def answer(self, request: Request) -> PlainTextResponse:
        self.done.append(f"{request.method} {request.url.path}")
        return PlainTextResponse("done")

    async def ask(self, method: str, path: str, host: str) -> tuple[int, Any]:
        async with self._session.request(method, path, headers={"Host": host}) as answer:
            problem = answer.content_type == "application/problem+json"
            return answer.status, await (answer.json(content_type=None) if problem else answer.text())


@contextlib.asynccontextmanager
async def site_on(host: str) -> AsyncIterator[Site]:
    server = WebServer(host, 0)
    async with aiohttp.ClientSession(server.url) as session:
        site = Site(server, session)
        routes = [Route("/{path:path}", site.answer, methods=["GET", "POST"])]
        serving = asyncio.create_task(server.run(routes))
        try:
            yield site
        finally:
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving
            server.close()


@pytest.mark.parametrize("bound", ["127.0.0.1", "localhost"])
async def test_loopback_answers_to_its_own_names(bound: str) -> None:
    async with site_on(bound) as site:
        for name in ("127.0.0.1", "localhost", "LocalHost", "[::1]"):
            for host in (name, f"{name}:{site.port}", f"{name}:9000"):
                assert await site.ask("POST", POSTS[0], host) == (200, "done")
        assert await site.ask("GET", READS[0], f"localhost:{site.port}") == (200, "done")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil", "[::2]", ""])
async def test_loopback_answers_to_no_other_name_but_at_webhooks(host: str) -> None:
    async with site_on("127.0.0.1") as site:
        for method, path in [("POST", POSTS[0]), ("POST", POSTS[1]), *(("GET", path) for path in READS)]:
            status, problem = await site.ask(method, path, host and f"{host}:{site.port}")
            assert (status, problem["code"]) == (421, "unknown_host")
            assert problem["detail"].endswith(
                "this server is 127.0.0.1, [::1], localhost; ask it under one of these names"
            )
        assert site.done == []
        assert await site.ask("POST", POSTS[2], host) == (200, "done")


async def test_beyond_loopback_the_api_only_reads() -> None:
    async with site_on("0.0.0.0") as site:
        for path in POSTS[:2]:
            for host in ("plant.example", f"127.0.0.1:{site.port}"):
                status, problem = await site.ask("POST", path, host)
                assert (status, problem["code"]) == (403, "loopback_only")
                assert "on loopback only until callers can be identified" in problem["detail"]
                assert "`lineshaft processes …`" in problem["detail"]
        assert site.done == []
        for path in READS:
            assert await site.ask("GET", path, "plant.example:8600") == (200, "done")
        assert await site.ask("POST", POSTS[2], "plant.example") == (200, "done")
