"""Pages as they are served: one that cannot be read now waits, and a file of it is refused."""

from __future__ import annotations

import pytest
from starlette.responses import Response

from lineshaft.console import Assets, Changes, Page, Pulse, Visit, console_pages
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import TransientFault
from tests.console.visiting import VIEWER, a_shell


class Away:
    def pages(self) -> list[Page]:
        return [Page(path="/plants", name="console-plants", show=self._show)]

    async def _show(self, visit: Visit) -> Response:
        raise TransientFault("the database does not answer: disk gone", hint="call IT")


async def nothing_new() -> dict[str, str]:
    return {}


async def test_a_screen_that_cannot_be_read_is_a_page_that_waits() -> None:
    clock = SystemClock()
    pages = console_pages(
        [Away()], Assets(), Pulse(nothing_new, Changes(), clock), clock, away=a_shell().away
    )
    page = next(page for page in pages if page.path == "/plants")
    answer = await page.show(Visit(caller=VIEWER))
    text = bytes(answer.body).decode()
    assert answer.status_code == 503
    assert "The database does not answer: disk gone (call IT)." in text
    assert '<section class="panel hint" id="away" data-live="*">' in text
    with pytest.raises(TransientFault, match="disk gone"):
        await page.show(Visit(caller=VIEWER, query={"format": "csv"}))
