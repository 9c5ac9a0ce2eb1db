"""A browser on this machine: Debian's Chromium, steered by Playwright, which asks nobody outside."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

from lineshaft.core.errors import ConfigError

__all__ = ["MISSING", "chromium", "open_browser"]

MISSING = "no Chromium on this machine: apt install chromium, or name one in $LINESHAFT_CHROMIUM"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--disable-gpu",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
    "--disable-lcd-text",
    "--lang=en-GB",
)


def chromium() -> str | None:
    """The program, None where there is none."""
    return os.environ.get("LINESHAFT_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """raises  ConfigError where no Chromium is installed"""
    program = chromium()
    if program is None:
        raise ConfigError("there is no browser", hint=MISSING)
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()  # it refuses to have one as root
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=[*_QUIET, *sandbox])
        yield browser
        await browser.close()
