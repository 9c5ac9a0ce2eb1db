"""`python -m estate.screens FOLDER`: a picture of every screen of the console, of a plant a day old.

Each at 1280 and 390 pixels, light and dark, as `<screen>-<width>-<theme>.png`.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import structlog
from playwright.async_api import Browser, Page
from sqlalchemy import select

from estate.browser import open_browser
from estate.past import copy_stories, live_through
from estate.people import PASSWORD
from estate.pictures import smaller
from estate.played import PlayedPlant, played_plant
from lineshaft.store import Store
from lineshaft.store.schema import activity_marks

__all__ = ["take"]

_SIZES = ((1280, 900), (390, 844))
_THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_STORIES = 240
_DRAWN_MS = 400
_CHARTS = "() => [...document.querySelectorAll('.chart')].every((each) => each.querySelector('canvas'))"


async def take(folder: Path) -> int:
    """How many pictures were taken. The folder is there."""
    with tempfile.TemporaryDirectory(prefix="lineshaft-screens-") as data:
        async with _plant(Path(data)) as plant, open_browser() as browser:
            screens = await _screens(plant)
            for theme in _THEMES:
                for width, height in _SIZES:
                    await _pictures(browser, plant.url, screens, folder, width, height, theme)
    return len(screens) * len(_SIZES) * len(_THEMES)


@asynccontextmanager
async def _plant(folder: Path) -> AsyncIterator[PlayedPlant]:
    """With a breach that lasts, parked and waiting processes, and exceptions at several desks."""
    chance, database = random.Random(4711), folder / "product" / "data" / "lineshaft.db"
    store = Store.open(f"sqlite:///{database}")
    await live_through(store, datetime.now(UTC), chance)
    await store.close()
    async with played_plant(folder) as plant:
        running = plant.estate
        await running.product.stop()
        await copy_stories(running.store, _STORIES, chance)
        await running.product.start()
        for material in ("SEAL-KIT-01", "SEAL-KIT-99", "GASKET-07"):
            await plant.held("waiting", "parked", material=material)
        await _decided(plant)
        running.technician.delay_s = 3600
        running.filler.breach()
        await _until_counted(running.store)
        yield plant


async def _decided(plant: PlayedPlant) -> None:
    """Some of it is done: the audit tells who did what, and why."""
    wrong = {row["kind"]: row["exception_id"] for row in await plant.ask("/api/exceptions")}
    await plant.decide(
        "/api/exceptions/discard", ids=[wrong["contract_violation"]], reason="a trial of the CMMS"
    )
    await plant.decide("/api/exceptions/assign", ids=[wrong["unknown_tag"]], to="ada", reason="a new gauge")
    freed = await plant.held("waiting")
    await plant.decide(
        f"/api/processes/{freed}/approve", role="quality-lead", reason="the certificate has come"
    )
    until = datetime.now(UTC) + timedelta(hours=2)
    await plant.decide(
        "/api/systems/planning/pause", until=until.isoformat(), reason="an upgrade until the late shift"
    )
    await plant.decide("/api/audit/verify", account="ada")


async def _until_counted(store: Store) -> None:
    """The node has counted the day before."""
    day_ago = datetime.now(UTC).timestamp() - 86_400

    async def begins() -> float:
        question = select(activity_marks.c.at).where(activity_marks.c.name == "from")
        found = await store.read(lambda connection: connection.execute(question).scalar())
        return float("inf") if found is None else float(found)

    async with asyncio.timeout(120):
        while await begins() > day_ago:  # noqa: ASYNC110 - another process counts
            await asyncio.sleep(0.5)


async def _screens(plant: PlayedPlant) -> Mapping[str, str]:
    """Name → address."""
    document = (await plant.estate.books.labour_costs())[-1]["number"]
    waiting = await plant.ask("/api/processes?type=corrective_maintenance&state=completed")
    parked = await plant.ask("/api/processes?type=held_lot&state=parked")
    wrong = next(row for row in await plant.ask("/api/exceptions") if row["kind"] == "malformed_reading")
    return {
        "overview": "?over=24h",
        "trace": f"trace?key={document}",
        "processes": "processes",
        "process": f"process?id={waiting[0]['process_id']}",
        "process-parked": f"process?id={parked[0]['process_id']}",
        "exceptions": "exceptions",
        "exception": f"exception?id={wrong['exception_id']}",
        "plants": "plants",
        "asset": "asset?id=FILLER-01",
        "systems": "systems",
        "system": "system?name=erp",
        "authority": "authority",
        "kpis": "kpis",
        "kpi-oee": "kpis?kpi=oee",
        "contracts": "catalogue",
        "contract": "catalogue?contract=quality.hold.placed.v1",
        "audit": "audit",
        "login": "login",
    }


async def _pictures(
    browser: Browser,
    url: str,
    screens: Mapping[str, str],
    folder: Path,
    width: int,
    height: int,
    theme: Literal["light", "dark"],
) -> None:
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=theme,
        reduced_motion="reduce",
        locale="en-GB",
    )
    page = await context.new_page()
    await page.goto(f"{url}/login")
    pixels = await context.new_page()  # with no policy of a page of ours
    pictures = {"login": await page.screenshot()}
    await page.get_by_label("Name").fill("ole")
    await page.get_by_label("Password").fill(PASSWORD)
    async with page.expect_navigation():
        await page.get_by_role("button", name="Log in").click()
    for name, address in screens.items():
        if name != "login":
            await page.goto(f"{url}/{address}")
            await _drawn(page)
            pictures[name] = await page.screenshot()
    for name, picture in pictures.items():
        (folder / f"{name}-{width}-{theme}.png").write_bytes(await smaller(pixels, picture))
    await context.close()


async def _drawn(page: Page) -> None:
    await page.locator("#live.on").wait_for()
    await page.wait_for_function(_CHARTS)
    await page.wait_for_timeout(_DRAWN_MS)


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/screens")
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{asyncio.run(take(folder))} pictures in {folder}")


if __name__ == "__main__":
    main()
