"""Who is answered at the product's own server, on loopback and beyond, in the clear and by TLS."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from lineshaft.app.settings import ConsoleTls
from lineshaft.app.web import WebServer
from lineshaft.app.web_tls import WebTls
from lineshaft.core.errors import ConfigError
from tests.certificates import Authority
from tests.waiting import until

POSTS = ("/api/processes/pay/retry", "/api/exceptions/redrive", "/webhooks/mes/order")
READS = ("/", "/api/processes", "/health")


class Site:
    """A server with a route for everything; `done` is what got through to one."""

    def __init__(self, server: WebServer, session: aiohttp.ClientSession) -> None:
        self.url = server.url
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
async def site_on(
    host: str, *, tls: WebTls | None = None, has_access: bool = False, known_as: str = ""
) -> AsyncIterator[Site]:
    server = WebServer(host, 0, tls=tls, has_access=has_access)
    async with aiohttp.ClientSession(server.url) as session:
        site = Site(server, session)
        routes = [Route("/{path:path}", site.answer, methods=["GET", "POST"])]
        serving = asyncio.create_task(server.run(Starlette(routes=routes), known_as=known_as))
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


async def test_loopback_answers_to_the_name_that_a_proxy_on_this_machine_passes_on() -> None:
    async with site_on("127.0.0.1", has_access=True, known_as="Plant.Example") as site:
        assert await site.ask("POST", POSTS[0], "plant.example") == (200, "done")
        assert (await site.ask("POST", POSTS[0], "evil.example"))[0] == 421


def test_other_machines_are_served_only_when_callers_are_known() -> None:
    with pytest.raises(ConfigError) as error:
        WebServer("0.0.0.0", 0)
    assert str(error.value) == (
        "console.host: other machines reach 0.0.0.0, and nothing says who may do what "
        "(name an access file in the settings, `access: access.yaml`, or listen on 127.0.0.1)"
    )


async def test_with_an_access_file_other_machines_are_served_under_any_name() -> None:
    async with site_on("0.0.0.0", has_access=True) as site:
        for path in (*POSTS, READS[0]):
            assert await site.ask("POST", path, "plant.example:8600") == (200, "done")


def trusting(ca: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca)


async def served_by(port: int | None, ca: Path) -> str:
    """Subject alternative names and serial number of the certificate that a new connection is shown."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting(ca))
    shown: dict[str, str] = writer.get_extra_info("peercert")
    writer.close()
    await writer.wait_closed()
    return shown["serialNumber"]


async def test_a_renewed_certificate_is_taken_up_without_a_restart(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server", server=True)
    tls = WebTls(ConsoleTls(certificate="server.pem", key="server-key.pem"), tmp_path)
    async with site_on("127.0.0.1", tls=tls) as site, aiohttp.ClientSession() as browser:
        assert site.url.startswith("https://127.0.0.1:")
        async with browser.get(f"{site.url}/", ssl=trusting(authority.ca)) as answer:
            assert answer.status == 200
        with pytest.raises(aiohttp.ClientError):
            await browser.get(site.url.replace("https", "http"))
        first = await served_by(site.port, authority.ca)
        key.write_text("no key")
        renewed = tmp_path / "renewed"
        renewed.mkdir()
        authority._folder = renewed
        new_certificate, new_key = authority.issue("server", server=True)
        assert await served_by(site.port, authority.ca) == first
        key.write_bytes(new_key.read_bytes())
        certificate.write_bytes(new_certificate.read_bytes())

        async def is_renewed() -> bool:
            return await served_by(site.port, authority.ca) != first

        await until(is_renewed)


async def test_callers_can_be_asked_for_a_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.issue("server", server=True)
    own, own_key = authority.issue("caller")
    settings = ConsoleTls(certificate="server.pem", key="server-key.pem", ca=authority.ca.name)
    async with (
        site_on("127.0.0.1", tls=WebTls(settings, tmp_path)) as site,
        aiohttp.ClientSession() as caller,
    ):
        with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
            async with caller.get(f"{site.url}/", ssl=trusting(authority.ca)) as answer:
                await answer.read()
        context = trusting(authority.ca)
        context.load_cert_chain(own, own_key)
        async with caller.get(f"{site.url}/", ssl=context) as answer:
            assert answer.status == 200


@pytest.mark.parametrize(
    "change", [{"certificate": "gone.pem"}, {"key": "test-ca.pem"}, {"ca": "server-key.pem"}]
)
def test_certificates_that_cannot_be_used_are_told_by_name(change: dict[str, str], tmp_path: Path) -> None:
    Authority(tmp_path).issue("server", server=True)
    given = {"certificate": "server.pem", "key": "server-key.pem", **change}
    with pytest.raises(ConfigError, match=f"{tmp_path}/{next(iter(change.values()))}"):
        WebTls(ConsoleTls(**given), tmp_path)
