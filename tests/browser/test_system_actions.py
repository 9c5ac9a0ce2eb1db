"""Pause and resume of a system, and the verification of the audit, through their pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from playwright.async_api import expect

from estate.played import PlayedPlant
from tests.browser.desk import Desk
from tests.browser.hands import act

_BERLIN = ZoneInfo("Europe/Berlin")


async def test_a_system_is_paused_and_called_again(desk: Desk, plant: PlayedPlant) -> None:
    async with desk.seat() as seat:
        page = await seat.open("system?name=planning")
        until = (datetime.now(UTC) + timedelta(hours=2)).astimezone(_BERLIN)
        told = await act(page, "Pause", {"until": f"{until:%Y-%m-%dT%H:%M}"}, reason="they change the disk")
        assert told.good, told.text
        await expect(page.locator("#calling")).to_contain_text("they change the disk")
        paused = {row["system"]: row["reason"] for row in await plant.ask("/api/systems")}
        assert paused["planning"] == "they change the disk"
        assert (await act(page, "Resume", reason="done")).good
        await expect(page.locator("#calling")).not_to_contain_text("they change the disk")
    assert all(row["paused_until"] is None for row in await plant.ask("/api/systems"))


async def test_the_audit_is_verified_and_tells_what_people_did(desk: Desk, plant: PlayedPlant) -> None:
    held = await plant.held("waiting")
    async with desk.seat() as seat:
        page = await seat.open(f"process?id={held}")
        assert (await act(page, "Cancel", reason="for the audit")).good
        await page.goto(f"{seat.url}/audit")
        assert (await act(page, "Verify now")).good
        await expect(page.locator("#verified")).to_contain_text("verified")
        await expect(page.locator("#verified")).not_to_contain_text("changed since")
        row = page.locator("#list tr", has_text="for the audit").first
        await expect(row).to_contain_text("ole")
