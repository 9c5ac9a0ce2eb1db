"""Everything without a mouse."""

from __future__ import annotations

from playwright.async_api import Page, expect

from estate.played import PlayedPlant
from tests.browser.desk import Desk

_FOCUSED = "() => document.activeElement.textContent.trim() || document.activeElement.name || ''"


async def _tab_to(page: Page, text: str, most: int = 120) -> None:
    """Press Tab until what has the focus says so."""
    for _ in range(most):
        await page.keyboard.press("Tab")
        if text in await page.evaluate(_FOCUSED):
            return
    raise AssertionError(f"{text!r} is not reached by {most} tabs on {page.url}")


async def test_a_slash_searches_and_letters_go_to_pages(desk: Desk, plant: PlayedPlant) -> None:
    async with desk.seat() as seat:
        page = await seat.open("processes")
        await page.keyboard.press("/")
        await page.keyboard.type("FIL-01")
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
        assert page.url == f"{seat.url}/trace?key=FIL-01"
        await page.locator("#main").focus()
        async with page.expect_navigation():
            await page.keyboard.press("g")
            await page.keyboard.press("s")
        assert page.url == f"{seat.url}/systems"


async def test_the_first_tab_skips_to_the_content(desk: Desk) -> None:
    async with desk.seat() as seat:
        page = await seat.open("")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator("#main")).to_be_focused()


async def test_an_action_is_folded_out_filled_in_and_sent(desk: Desk, plant: PlayedPlant) -> None:
    process_id = await plant.held("waiting")
    async with desk.seat() as seat:
        page = await seat.open(f"process?id={process_id}")
        await page.locator("#main").focus()
        await _tab_to(page, "Refuse")
        await page.keyboard.press("Enter")
        await _tab_to(page, "reason", 4)
        await page.keyboard.type("by keyboard")
        await page.keyboard.press("Enter")
        await expect(page.locator("#stands")).to_contain_text("completed")
    assert (await plant.process(process_id))["result"]["fate"] == "scrapped"
