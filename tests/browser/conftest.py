"""S2 running behind a log-in, and a browser that looks at it. Needs a Chromium: `apt install chromium`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from inspect import iscoroutinefunction
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from estate.browser import MISSING, chromium, open_browser
from estate.played import PlayedPlant, played_plant
from tests.browser.desk import Desk
from tests.waiting import PATIENCE_S

HERE = Path(__file__).parent
expect.set_options(timeout=PATIENCE_S * 1000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All on one loop, in which the plant's simulated systems live, too; skipped without a browser.

    They come first: whoever begins with them has all of them, and others need no plant of their own.
    """
    items.sort(key=lambda item: HERE not in item.path.parents)
    for item in items:
        if HERE in item.path.parents and iscoroutinefunction(getattr(item, "function", None)):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            if chromium() is None:
                item.add_marker(pytest.mark.skip(reason=MISSING))


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as browser:
        yield browser


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def plant(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PlayedPlant]:
    async with played_plant(tmp_path_factory.mktemp("plant")) as plant:
        yield plant


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def desk(browser: Browser, plant: PlayedPlant) -> Desk:
    return Desk(browser, plant.url)
