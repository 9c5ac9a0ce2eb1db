"""The console's pages as governed routes: the same checks, the same ledger."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from starlette.responses import Response

from lineshaft.console import Page, Visit
from lineshaft.gateway.route import PUBLIC, ApiRoute, Asked

__all__ = ["page_routes"]

_CONSOLE = "read:console"


def page_routes(pages: Iterable[Page]) -> list[ApiRoute]:
    """A browser without a page's permission is sent to the log-in. Rows are of every plant that the caller
    sees."""
    return [
        ApiRoute(
            method="GET",
            path=page.path,
            name=page.name,
            summary=f"The console: {page.path}",
            permission=page.permission or PUBLIC,
            also=_CONSOLE if page.permission else "",
            handler=partial(_show, page),
            tag="console",
            answers={200: None},
            answer_media=page.media,
            any_plant=True,
            same=page.same,
            payloads=page.payloads,
        )
        for page in pages
    ]


async def _show(page: Page, asked: Asked) -> Response:
    return await page.show(
        Visit(
            caller=asked.caller,
            path=asked.path,
            query=asked.query,
            headers=asked.headers,
            shown=asked.shown.payload,
            told=asked.shown,
        )
    )
