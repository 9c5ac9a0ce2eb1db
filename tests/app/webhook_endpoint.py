"""An endpoint that takes webhooks, checks each as Standard Webhooks says, and answers as it is told to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import web

from lineshaft.core.signing import check_standard

__all__ = ["Endpoint", "Got"]


class Got(msgspec.Struct, frozen=True):
    webhook_id: str
    event: dict[str, Any]
    headers: dict[str, str]


Answer = Callable[[Got], web.Response]


class Endpoint:
    """answer: what it says to each; taken: those that it answered with 2xx, in order; got: all of them."""

    def __init__(self, secret: str = "", tls: ssl.SSLContext | None = None) -> None:
        self.secret = secret
        self.answer: Answer = lambda _: web.Response(status=204)
        self.got: list[Got] = []
        self.taken: list[Got] = []
        self.hangs: asyncio.Event | None = None
        self._tls = tls
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return (
            f"{'https' if self._tls else 'http'}://{'localhost' if self._tls else '127.0.0.1'}:{self.port}/in"
        )

    @property
    def ids(self) -> list[str]:
        return [each.event["id"] for each in self.taken]

    async def __aenter__(self) -> Endpoint:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._tls)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.hangs is not None:
            self.hangs.set()
        assert self._runner is not None
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        check_standard(headers, body, [self.secret], datetime.now(UTC))
        got = Got(headers["webhook-id"], msgspec.json.decode(body), headers)
        self.got.append(got)
        if self.hangs is not None:
            await self.hangs.wait()
        answer = self.answer(got)
        if answer.status < 300:
            self.taken.append(got)
        return answer
