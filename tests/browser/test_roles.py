"""Who may only look sees no action, and what is sent without the page is refused."""

from __future__ import annotations

from urllib.parse import urljoin

from playwright.async_api import expect

from estate.plant import PLANT
from estate.played import PlayedPlant
from lineshaft.console.shell import NAVIGATION
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


async def test_who_sees_another_plant_alone_finds_its_own_on_every_screen(
    desk: Desk, plant: PlayedPlant
) -> None:
    """Without a plant in the address; what is of the node's own plant is not there, nor are decisions."""
    async with desk.seat("nora") as seat:
        for place in NAVIGATION:
            page = await seat.open(place.path)
            await expect(page.locator("nav.pages [aria-current=page]")).to_have_text(place.title)
            await seat.live()
            for link in await page.locator("a[download]").all():
                answer = await page.request.get(urljoin(page.url, await link.get_attribute("href") or ""))
                assert answer.ok, answer.url
                assert PLANT not in (await answer.text()).lower(), answer.url
            await expect(page.locator("main form.action")).to_have_count(0)
        await expect((await seat.open("plants")).locator("main")).to_contain_text("jena")
        await expect((await seat.open("")).locator("#matrix h2")).to_have_text("Domains of Jena")
        seat.refusals = {404}
        page = await seat.open("asset?id=FILLER-01")
        await expect(page.locator("main")).to_contain_text("the plant jena")
        process_id = (await plant.ask("/api/processes"))[0]["process_id"]
        page = await seat.open(f"process?id={process_id}")
        await expect(page.locator("h1")).to_contain_text("no process")


async def test_a_page_that_is_refused_says_why_and_how_to_go_on(desk: Desk) -> None:
    async with desk.seat("nora") as seat:
        seat.refusals = {403, 404}
        page = await seat.open(f"processes?plant={PLANT}")
        await expect(page.locator("h1")).to_have_text("You may not see this page")
        await expect(page.locator("main")).to_contain_text("(plants: jena)")
        await page.get_by_role("link", name="Go to the overview").click()
        await expect(page.locator("nav.pages [aria-current=page]")).to_have_text("Overview")
        page = await seat.open("a/link/from/elsewhere")
        await expect(page.locator("h1")).to_have_text("There is no such page")
        colour = "() => getComputedStyle(document.querySelector('.bar')).backgroundColor"
        assert await page.evaluate(colour) != "rgba(0, 0, 0, 0)", "the style sheet is found from here, too"
        await page.get_by_role("link", name="Go to the overview").click()
        await expect(page.locator("nav.pages [aria-current=page]")).to_have_text("Overview")


async def test_a_decision_without_the_token_of_the_session_is_refused(desk: Desk, plant: PlayedPlant) -> None:
    process_id = await plant.held("waiting")
    async with desk.seat("ole") as seat:
        seat.refusals = {403}
        page = await seat.open(f"process?id={process_id}")
        for headers in ({}, {"X-CSRF-Token": "0" * 64}):
            status, code = await page.evaluate(_POST, [f"api/processes/{process_id}/abort", headers])
            assert (status, code) == (403, "csrf_token_missing")
    assert (await plant.process(process_id))["state"] == "waiting"
