"""The console as a browser meets it: as before without an access file, behind a log-in with one."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.app.http.running import PASSWORD, HttpNode

PAGES = ("/", "/catalogue", "/catalogue?kind=event&q=order", "/trace?key=PO-7", "/?utm_source=mail")


@pytest.fixture
async def browser(node: HttpNode) -> AsyncIterator[aiohttp.ClientSession]:
    jar = aiohttp.CookieJar(unsafe=True)  # cookies of an IP address, too
    async with aiohttp.ClientSession(node.url, cookie_jar=jar, headers={"Accept": "text/html"}) as session:
        yield session


async def log_in(
    browser: aiohttp.ClientSession, password: str = PASSWORD, then: str = "/"
) -> aiohttp.ClientResponse:
    form = {"account": "jo", "password": password, "next": then}
    origin = {"Origin": str(browser._base_url).rstrip("/")}
    return await browser.post("/login", data=form, headers=origin, allow_redirects=False)


async def test_a_node_without_an_access_file_asks_nobody_who_they_are(tmp_path: Path) -> None:
    with HttpNode(tmp_path) as node:
        async with aiohttp.ClientSession(node.url) as http:
            for path in PAGES:
                async with http.get(path, allow_redirects=False) as page:
                    assert page.status == 200
                    assert "text/html" in page.headers["content-type"]
                    assert "default-src" in page.headers["content-security-policy"]
            async with http.get("/login", allow_redirects=False) as page:
                assert page.status == 404
            async with http.get("/api/v1/orders") as answer:
                assert (answer.status, (await answer.json())["items"]) == (200, [])
            evil = {"Origin": "http://evil.example"}
            async with http.post("/api/processes/x/retry", json={"reason": "r"}, headers=evil) as answer:
                assert (answer.status, (await answer.json(content_type=None))["code"]) == (
                    403,
                    "cross_site",
                )


async def test_pages_send_a_stranger_to_the_log_in_and_back(browser: aiohttp.ClientSession) -> None:
    async with browser.get("/catalogue?kind=event", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["location"]) == (303, "/login?next=%2Fcatalogue%3Fkind%3Devent")
    async with browser.get("/catalogue") as page:
        assert "password" in await page.text()
    wrong = await log_in(browser, "wrong")
    assert (wrong.status, "set-cookie" in wrong.headers) == (401, False)
    right = await log_in(browser, then="/catalogue?kind=event")
    assert (right.status, right.headers["location"]) == (303, "/catalogue?kind=event")
    cookie = right.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=" in cookie
    assert (await log_in(browser, then="//evil.example")).headers["location"] == "/"


async def test_a_session_sees_its_pages_until_it_logs_out(browser: aiohttp.ClientSession) -> None:
    await log_in(browser)
    for path in PAGES:
        async with browser.get(path, allow_redirects=False) as page:
            assert page.status == 200, path
            assert page.headers["cache-control"] == "no-store", path
    async with browser.get("/events-stream?since=0-0") as stream:
        assert (stream.status, stream.content_type) == (200, "text/event-stream")
    async with browser.get("/logout") as page:
        (token,) = re.findall(r'name="csrf_token" value="([0-9a-f]+)"', await page.text())
    async with browser.post("/logout", data={"csrf_token": "0" * 64}, allow_redirects=False) as answer:
        assert answer.status == 403
    async with browser.get("/", allow_redirects=False) as page:
        assert page.status == 200
    async with browser.post("/logout", data={"csrf_token": token}, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["location"]) == (303, "/login")
    async with browser.get("/", allow_redirects=False) as page:
        assert (page.status, page.headers["location"]) == (303, "/login?next=%2F")


async def test_a_cookie_alone_changes_nothing(browser: aiohttp.ClientSession) -> None:
    await log_in(browser)
    for headers in (
        {},
        {"X-CSRF-Token": "0" * 64},
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        async with browser.post("/api/processes/x/retry", json={"reason": "r"}, headers=headers) as answer:
            assert answer.status == 403, headers
            assert (await answer.json(content_type=None))["code"] in ("csrf_token_missing", "cross_site")
