"""Who is let in, where to, and what happens when the session is over."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.desk import Desk, log_in


async def test_a_deep_link_leads_through_the_log_in_and_back(desk: Desk) -> None:
    async with desk.seat("") as seat:
        page = await seat.open("catalogue?kind=event&q=hold")
        await expect(page).to_have_title("Log in · Leipzig · lineshaft")
        seat.refusals = {401}
        await log_in(page, "ole", "wrong")
        await expect(page.get_by_role("alert")).to_be_visible()
        await log_in(page, "ole")
        await expect(page).to_have_url(f"{seat.url}/catalogue?kind=event&q=hold")
        await expect(page.locator(".who")).to_contain_text("ole")


async def test_an_open_page_leads_to_the_log_in_when_the_session_is_over(desk: Desk) -> None:
    async with desk.seat("") as seat:
        await log_in(await seat.open("login"), "vera")
        page = await seat.open("trace")
        await seat.live()
        other = await seat.context.new_page()
        await other.goto(f"{seat.url}/logout")
        seat.refusals = {401, 403}
        await other.get_by_role("button", name="Log out").click()
        await expect(page).to_have_title("Log in · Leipzig · lineshaft")
