"""Who may only look sees no action, and what is sent without the page is refused."""

from __future__ import annotations

from playwright.async_api import expect

from estate.played import PlayedPlant
from tests.browser.desk import Desk

_POST = """
async ([url, headers]) => {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify({ reason: "why not" }),
  });
  return [answer.status, (await answer.json()).code];
}
"""


async def test_a_viewer_has_no_actions_and_the_api_refuses_them(desk: Desk, plant: PlayedPlant) -> None:
    process_id = await plant.held("waiting")
    exceptions = await plant.ask("/api/exceptions?state=all")
    async with desk.seat("vera") as seat:
        for path in (
            f"process?id={process_id}",
            "processes",
            f"exception?id={exceptions[0]['exception_id']}",
            "exceptions",
            "system?name=erp",
        ):
            page = await seat.open(path)
            await expect(page.locator("main form.action")).to_have_count(0)
        seat.refusals = {403}
        page = await seat.open(f"process?id={process_id}")
        token = await page.locator("meta[name=csrf]").get_attribute("content")
        url = f"api/processes/{process_id}/abort"
        status, code = await page.evaluate(_POST, [url, {"X-CSRF-Token": token}])
        assert (status, code) == (403, "not_permitted")
    assert (await plant.process(process_id))["state"] == "waiting"


async def test_a_decision_without_the_token_of_the_session_is_refused(desk: Desk, plant: PlayedPlant) -> None:
    process_id = await plant.held("waiting")
    async with desk.seat("ole") as seat:
        seat.refusals = {403}
        page = await seat.open(f"process?id={process_id}")
        for headers in ({}, {"X-CSRF-Token": "0" * 64}):
            status, code = await page.evaluate(_POST, [f"api/processes/{process_id}/abort", headers])
            assert (status, code) == (403, "csrf_token_missing")
    assert (await plant.process(process_id))["state"] == "waiting"
