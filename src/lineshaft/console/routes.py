"""The console's pages: those of every screen, the stream of changes, the assets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Protocol

import msgspec
from starlette.responses import Response

from lineshaft.console.assets import Assets
from lineshaft.console.page import Page, Visit
from lineshaft.console.page_headers import PAGE_HEADERS
from lineshaft.console.pulse import Pulse
from lineshaft.console.stream import ChangeStream
from lineshaft.core.clock import Clock
from lineshaft.core.errors import TransientFault

__all__ = ["Screen", "console_pages"]

Away = Callable[[Visit, TransientFault], Awaitable[Response]]
Proof = Callable[[Mapping[str, str]], Awaitable[object]]


class Screen(Protocol):
    def pages(self) -> Iterable[Page]: ...


def console_pages(
    screens: Iterable[Screen],
    assets: Assets,
    pulse: Pulse,
    clock: Clock,
    *,
    away: Away | None = None,
    proof: Proof | None = None,
) -> list[Page]:
    """Links are relative, and every page stands right below the console's root, so any mount point will do.

    away    what is shown where a screen cannot be read now, and does not say so itself
    proof   that who watches still may, by the headers of the request; raises Refused
    """

    async def stream(visit: Visit) -> Response:
        version = visit.headers.get("last-event-id") or visit.query.get("since", "")
        proves = partial(proof, visit.headers) if proof else None
        return ChangeStream(pulse, clock, version, PAGE_HEADERS, proves)

    return [
        *(_with_away(page, away) if away else page for screen in screens for page in screen.pages()),
        Page(path="/events-stream", name="console-stream", show=stream, media="text/event-stream"),
        Page(path="/static/{name}", name="console-static", show=assets.serve, permission=""),
    ]


def _with_away(page: Page, away: Away) -> Page:
    """A file that cannot be made is refused: nobody takes a page for a table."""

    async def show(visit: Visit) -> Response:
        try:
            return await page.show(visit)
        except TransientFault as fault:
            if visit.asked("format"):
                raise
            return await away(visit, fault)

    return msgspec.structs.replace(page, show=show)
