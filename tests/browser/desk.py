"""Pages as people have them open: logged in, of a width and a theme, watched for whatever goes wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    StorageState,
)

from estate.people import PASSWORD
from tests.waiting import PATIENCE_S

__all__ = ["Desk", "Seat", "log_in"]

Theme = Literal["light", "dark"]
_LEFT = "net::ERR_ABORTED"
"""What the stream and readings of a page that is left come to."""


async def log_in(page: Page, account: str, password: str = PASSWORD) -> None:
    """On the log-in page; returns when the next page is there."""
    await page.get_by_label("Name").fill(account)
    await page.get_by_label("Password").fill(password)
    async with page.expect_navigation():
        await page.get_by_role("button", name="Log in").click()


class Seat:
    """A page and what went wrong on it. refusals: statuses that the test asks for on purpose."""

    def __init__(self, context: BrowserContext, page: Page, url: str) -> None:
        self.context = context
        self.page = page
        self.refusals: set[int] = set()
        self.wrong: list[str] = []
        self.url = url
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.wrong.append(f"{page.url}: {error}"))
        page.on("requestfailed", self._failed)
        page.on("request", self._asked)
        page.on("response", self._answered)

    async def open(self, path: str) -> Page:
        """path: within the console, `processes?state=parked`"""
        answer = await self.page.goto(f"{self.url}/{path}", wait_until="load")
        assert answer is not None
        return self.page

    async def overflow(self) -> int:
        """Pixels by which the page is wider than the screen."""
        script = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(await self.page.evaluate(script))

    async def live(self) -> None:
        """Returns when the page is told of changes."""
        await self.page.locator("#live.on").wait_for()

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not self._was_asked_for(message):
            self.wrong.append(f"{self.page.url}: {message.type}: {message.text}")

    def _was_asked_for(self, message: ConsoleMessage) -> bool:
        return any(
            f"the server responded with a status of {status}" in message.text for status in self.refusals
        )

    def _failed(self, request: Request) -> None:
        if request.failure != _LEFT:
            self.wrong.append(f"{self.page.url}: {request.method} {request.url}: {request.failure}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((f"{self.url}/", "data:", "blob:")):
            self.wrong.append(f"{self.page.url} asks {request.url}")

    def _answered(self, answer: Response) -> None:
        path = urlsplit(answer.url).path
        if answer.status >= 400 and answer.status not in self.refusals:
            self.wrong.append(f"{answer.request.method} {path}: {answer.status}")
        is_page = answer.request.resource_type == "document" and answer.status < 300
        if is_page and "default-src 'none'" not in answer.headers.get("content-security-policy", ""):
            self.wrong.append(f"{path} has no strict Content-Security-Policy")


class Desk:
    """account: who sits there, logged in once in a run; empty: nobody."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._url = url
        self._sessions: dict[str, StorageState] = {}

    @asynccontextmanager
    async def seat(
        self, account: str = "ole", *, width: int = 1280, theme: Theme = "light", **more: Any
    ) -> AsyncIterator[Seat]:
        """Whatever goes wrong on the page fails the test at the end. more: of the browser's context"""
        height = 900 if width > 500 else 844
        state = await self._session(account) if account else None
        context = await self._browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, storage_state=state, **more
        )
        context.set_default_timeout(PATIENCE_S * 1000)
        seat = Seat(context, await context.new_page(), self._url)
        try:
            yield seat
        finally:
            await context.close()
        if seat.wrong:
            raise AssertionError("\n".join(seat.wrong))

    async def _session(self, account: str) -> StorageState:
        if account not in self._sessions:
            async with self.seat("") as seat:
                await log_in(await seat.open("login"), account)
                self._sessions[account] = await seat.context.storage_state()
        return self._sessions[account]
