"""Each action on an exception, through its page; what came of it is looked up in the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from playwright.async_api import expect

from estate.played import PlayedPlant
from tests.browser.desk import Desk
from tests.browser.hands import act, fold_out


async def _of_kind(plant: PlayedPlant, kind: str) -> Mapping[str, Any]:
    (found,) = [row for row in await plant.ask("/api/exceptions?state=all") if row["kind"] == kind]
    return dict(found)


async def test_it_is_given_to_somebody(desk: Desk, plant: PlayedPlant) -> None:
    one = await _of_kind(plant, "unknown_tag")
    async with desk.seat() as seat:
        page = await seat.open(f"exception?id={one['exception_id']}")
        told = await act(page, "Assign", {"to": "ada"})
        assert told.good, told.text
        await expect(page.locator("#assignee")).to_contain_text("ada")
        await page.goto(f"{seat.url}/exceptions?assignee=ada&view=list")
        await expect(page.locator("#list")).to_contain_text("filler-99")
    assert (await _of_kind(plant, "unknown_tag"))["assignee"] == "ada"


async def test_a_reading_is_corrected_tried_redriven_and_verified(desk: Desk, plant: PlayedPlant) -> None:
    one = await _of_kind(plant, "malformed_reading")
    async with desk.seat() as seat:
        page = await seat.open(f"exception?id={one['exception_id']}")
        checked = await act(
            page, "Correct the payload", {"payload": '{"value": 3.2'}, reason="", press="Check only"
        )
        assert "no JSON" in checked.text
        kept = await act(
            page,
            "Correct the payload",
            {"payload": {"value": 3.2}},
            reason="as the gauge says",
            press="Keep the correction",
        )
        assert kept.good, kept.text
        await expect(page.locator("#history")).to_contain_text("as the gauge says")
        await page.get_by_role("button", name="Dry run").click()
        await expect(page.locator("#results")).to_contain_text("would be redriven")
        assert (await act(page, "Redrive", reason="with the right value")).good
        await expect(page.locator("#state")).to_contain_text("resolved")
    assert (await _of_kind(plant, "malformed_reading"))["state"] == "resolved"


async def test_who_corrects_what_somebody_else_has_corrected_is_told_so_and_shown_the_new_state(
    desk: Desk, plant: PlayedPlant
) -> None:
    one = await _of_kind(plant, "unknown_tag")
    async with desk.seat("ada") as first, desk.seat("ole") as second:
        second.refusals = {409}
        early, late = [await seat.open(f"exception?id={one['exception_id']}") for seat in (first, second)]
        form = await fold_out(late, "Correct the payload")
        await form.locator("[name='payload']").fill('{"value": 1}')  # from here on the page leaves it alone
        mine = {"payload": {"value": 2}}
        told = await act(early, "Correct the payload", mine, reason="seen at the gauge", press="Keep")
        assert told.good, told.text
        told = await act(late, "Correct the payload", {"payload": {"value": 1}}, press="Keep")
        assert not told.good
        said = form.locator("output")
        await expect(said).to_contain_text("was fixed by user:ada at ")
        async with late.expect_navigation():
            await said.get_by_role("button", name="Load the new state").click()
        form = await fold_out(late, "Correct the payload")
        await expect(form.locator("[name='payload']")).to_have_value('{\n  "value": 2\n}')
        told = await act(late, "Correct the payload", {"payload": {"value": 3}}, press="Keep")
        assert told.good, told.text
        await expect(late.locator("#history")).to_contain_text("correction 2")


async def test_what_is_worth_nothing_is_discarded(desk: Desk, plant: PlayedPlant) -> None:
    one = await _of_kind(plant, "contract_violation")
    async with desk.seat() as seat:
        page = await seat.open(f"exception?id={one['exception_id']}")
        assert (await act(page, "Discard", reason="a trial of the CMMS")).good
        await expect(page.locator("#state")).to_contain_text("discarded")
    assert (await _of_kind(plant, "contract_violation"))["state"] == "discarded"
