"""Every screen: reached by the navigation, in both themes and at both widths, without a serious finding."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Page, expect

from estate.played import PlayedPlant
from lineshaft.console import screens
from lineshaft.console.shell import NAVIGATION
from tests.browser.desk import Desk

_WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa")
_SIZES = ("target-size",)  # of WCAG 2.2; off unless it is asked for
_COLOURS = ("color-contrast", "link-in-text-block")
_WIDTHS = ((1280, 900), (390, 844))
_UNFOLD = "() => document.querySelectorAll('main details.act').forEach((each) => { each.open = true; })"
_TWICE = """
() => {
  const all = [...document.querySelectorAll("[id]")].map((each) => each.id);
  return all.filter((id, at) => all.indexOf(id) !== at);
}
"""


async def _story(plant: PlayedPlant) -> str:
    """The number of what was posted last."""
    return str((await plant.estate.books.labour_costs())[-1]["number"])


async def _process(plant: PlayedPlant) -> str:
    return str((await plant.ask("/api/processes?type=corrective_maintenance"))[0]["process_id"])


async def _exception(plant: PlayedPlant) -> str:
    return str((await plant.ask("/api/exceptions?state=all"))[0]["exception_id"])


SCREENS: dict[str, str | Callable[[PlayedPlant], Awaitable[str]]] = {
    "": "",
    "late": "",
    "trace": "",
    "trace?key=": _story,
    "processes": "",
    "process?id=": _process,
    "process?id=parked": lambda plant: plant.held("parked", material="SEAL-KIT-97"),
    "exceptions": "",
    "exception?id=": _exception,
    "plants": "",
    "asset?id=": "FILLER-01",
    "systems": "",
    "system?name=": "cmms",
    "authority": "",
    "kpis": "",
    "kpis?kpi=": "oee",
    "catalogue?q=": "hold",
    "catalogue?q=hold&contract=": "quality.hold.placed.v1",
    "audit": "",
    "process?id=none": "",
}
_PARTS = {"/keys", "/sent"}  # of pages, not pages


async def _address(screen: str, plant: PlayedPlant) -> str:
    more = SCREENS[screen]
    return screen.partition("parked")[0] + (more if isinstance(more, str) else await more(plant))


async def _serious(page: Page, rules: Sequence[str]) -> list[str]:
    """Findings of axe-core, by these rules or tags of rules. Its script is on the page."""
    asked = {"resultTypes": ["violations"], "runOnly": list(rules)}
    found = (await page.evaluate("(asked) => axe.run(document, asked)", asked))["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['target']} {each['nodes'][0]['failureSummary']}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


def test_every_page_of_the_console_is_looked_at() -> None:
    sources = [path.read_text(encoding="utf-8") for path in Path(screens.__path__[0]).glob("*.py")]
    pages = {path for source in sources for path in re.findall(r'Page\(\s*path="([^"]+)"', source)}
    looked_at = {f"/{screen.partition('?')[0]}" for screen in SCREENS}
    assert pages - _PARTS == looked_at


async def test_the_navigation_leads_to_every_screen(desk: Desk) -> None:
    async with desk.seat("vera") as seat:
        page = await seat.open("")
        for place in NAVIGATION:
            await page.get_by_role("navigation").get_by_role("link", name=place.title, exact=True).click()
            await expect(page.locator("nav.pages [aria-current=page]")).to_have_text(place.title)
            await expect(page.locator("h1").first).to_be_visible()
            await seat.live()


@pytest.mark.parametrize("screen", SCREENS)
async def test_a_screen_is_readable_by_everybody(screen: str, desk: Desk, plant: PlayedPlant) -> None:
    async with desk.seat(reduced_motion="reduce") as seat:  # nothing lights up for a moment
        if screen == "process?id=none":
            seat.refusals = {404}
        page = await seat.open(await _address(screen, plant))
        await seat.live()
        assert await page.evaluate(_TWICE) == []
        assert await seat.overflow() <= 0
        await page.evaluate(_UNFOLD)
        await page.evaluate(AXE_SCRIPT)
        for width, height in _WIDTHS:
            await page.set_viewport_size({"width": width, "height": height})
            assert await seat.overflow() <= 0
            for theme, rules in (("light", _WCAG), ("light", _SIZES), ("dark", _COLOURS)):
                await page.emulate_media(color_scheme=theme)
                assert await _serious(page, rules) == [], (width, theme)
