"""Each action on a process, through its page; what came of it is looked up in ledger and target system."""

from __future__ import annotations

import json

from playwright.async_api import expect

from estate.played import PlayedPlant
from estate.systems.inventory import FACILITY
from tests.browser.desk import Desk
from tests.browser.hands import act, fold_out

_UNKNOWN = "SEAL-KIT-99"
_KNOWN = {"material_definition_id": "SEAL-KIT-01", "site": "leipzig"}


async def test_retry_goes_on_when_the_cause_is_gone(desk: Desk, plant: PlayedPlant) -> None:
    material = "VALVE-77"
    process_id = await plant.held("parked", material=material)
    stock = plant.estate.inventory.database
    stock.execute(
        "INSERT INTO stock SELECT ?, ?, 5, 'EA', 1, 1, '0', as_of FROM stock LIMIT 1", material, FACILITY
    )
    async with desk.seat() as seat:
        page = await seat.open(f"process?id={process_id}")
        assert (await act(page, "Retry", reason="the material is stocked now")).good
        await expect(page.locator("#stands")).to_contain_text("waiting")
        await expect(page.locator("#process")).to_contain_text("the material is stocked now")
    assert (await plant.process(process_id))["state"] == "waiting"


async def test_correct_is_checked_shows_its_diff_and_goes_on(desk: Desk, plant: PlayedPlant) -> None:
    process_id = await plant.held("parked", material=_UNKNOWN)
    reserved = plant.inventory("allocations")
    async with desk.seat() as seat:
        page = await seat.open(f"process?id={process_id}")
        checked = await act(page, "Correct", {"value": {"site": 7}}, reason="", press="Check")
        assert not checked.good
        assert "material_definition_id" in checked.text
        form = await fold_out(page, "Correct")
        await form.locator("textarea").fill(json.dumps(_KNOWN, indent=2))
        await expect(form.locator("del, .del, .out").first).to_contain_text(_UNKNOWN)
        await expect(form.locator("ins, .ins, .in").first).to_contain_text("SEAL-KIT-01")
        told = await act(
            page, "Correct", {"value": _KNOWN}, reason="a typing error", press="Correct and go on"
        )
        assert told.good, told.text
        await expect(page.locator("#stands")).to_contain_text("waiting")
    assert plant.inventory("allocations") == reserved + 1
    (first, *_) = (await plant.process(process_id))["steps"]
    assert first["corrected"] == _KNOWN


async def test_skip_takes_a_value_in_place_of_the_answer(desk: Desk, plant: PlayedPlant) -> None:
    process_id = await plant.held("parked", material=_UNKNOWN)
    value = {
        "material_definition_id": "SEAL-KIT-01",
        "site": "leipzig",
        "quantity": {"value": "5", "unit": "C62"},
        "as_of": "2026-11-20T12:00:00Z",
        "source_sequence": "1",
    }
    async with desk.seat() as seat:
        page = await seat.open(f"process?id={process_id}")
        told = await act(page, "Skip", {"value": value}, reason="counted by hand")
        assert told.good, told.text
        await expect(page.locator("#stands")).to_contain_text("waiting")
    assert (await plant.process(process_id))["steps"][0]["output"]["source_sequence"] == "1"


async def test_abort_undoes_what_was_done(desk: Desk, plant: PlayedPlant) -> None:
    process_id, released = await plant.held("waiting"), plant.inventory("releases")
    async with desk.seat() as seat:
        page = await seat.open(f"process?id={process_id}")
        assert (await act(page, "Abort", reason="the hold was an error")).good
        await expect(page.locator("#stands")).to_contain_text("aborted")
    assert plant.inventory("releases") == released + 1


async def test_cancel_leaves_what_was_done(desk: Desk, plant: PlayedPlant) -> None:
    process_id, released = await plant.held("waiting"), plant.inventory("releases")
    async with desk.seat() as seat:
        page = await seat.open(f"process?id={process_id}")
        assert (await act(page, "Cancel", reason="looked after on paper")).good
        await expect(page.locator("#stands")).to_contain_text("cancelled")
    assert plant.inventory("releases") == released
    assert (await plant.process(process_id))["state"] == "cancelled"


async def test_approve_frees_the_parts_and_a_copy_finds_that_done(desk: Desk, plant: PlayedPlant) -> None:
    process_id, released = await plant.held("waiting"), plant.inventory("releases")
    async with desk.seat() as seat:
        page = await seat.open(f"process?id={process_id}")
        assert (await act(page, "Approve", reason="the certificate has come")).good
        await expect(page.locator("#stands")).to_contain_text("completed")
        assert plant.inventory("releases") == released + 1
        copied = await act(page, "Copy", {"step": "1"}, reason="to see it once more", press="Begin a copy")
        assert copied.good
        await page.get_by_role("link", name="open it").click()
        await expect(page.locator("#process")).to_contain_text("Belongs together")
        forked = page.url.partition("id=")[2]
    await plant.in_state(forked, "waiting")
    assert plant.inventory("releases") == released + 1


async def test_refuse_scraps_the_parts(desk: Desk, plant: PlayedPlant) -> None:
    process_id, picked = await plant.held("waiting"), plant.inventory("picks")
    async with desk.seat() as seat:
        page = await seat.open(f"process?id={process_id}")
        assert (await act(page, "Refuse", reason="no certificate")).good
        await expect(page.locator("#stands")).to_contain_text("completed")
    assert plant.inventory("picks") == picked + 1
    assert (await plant.process(process_id))["result"]["fate"] == "scrapped"


async def test_several_are_cancelled_with_one_reason(desk: Desk, plant: PlayedPlant) -> None:
    held = [await plant.held("parked", material=_UNKNOWN) for _ in range(2)]
    async with desk.seat() as seat:
        page = await seat.open("processes?state=parked")
        for process_id in held:
            await page.locator(f"#c-{process_id} input").check()
        form = page.locator("#bulk")
        await form.locator("select[name=action]").select_option("cancel")
        await form.locator("input[name=reason]").fill("both were tests")
        await form.get_by_role("button", name="Do it").click()
        await expect(form.locator("output")).to_have_text("cancel: all 2 done")
    for process_id in held:
        await plant.in_state(process_id, "cancelled")
