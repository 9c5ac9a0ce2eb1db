"""The console's HTTP face: the page, the trace, the event stream, the assets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from lineshaft.console.assets import Assets
from lineshaft.console.board import Board
from lineshaft.console.changes import Changes
from lineshaft.console.moments import PlantTime
from lineshaft.console.panels import Panels, environment
from lineshaft.console.snapshot import Sources
from lineshaft.console.story import stories
from lineshaft.console.stream import PanelStream
from lineshaft.console.views import LiveValue, PlantView, SystemView
from lineshaft.core.clock import Clock, SystemClock, rfc3339
from lineshaft.core.errors import LineshaftError
from lineshaft.core.ports import ReadModel

__all__ = ["console_routes"]

_LONGEST_KEY = 200
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def console_routes(
    reads: ReadModel,
    systems: Callable[[], Mapping[str, SystemView]],
    changes: Changes,
    plant: PlantView,
    values: Callable[[], Sequence[LiveValue]] = tuple,
    *,
    clock: Clock | None = None,
) -> list[Route]:
    """`/`, `/trace?key=…`, `/events-stream` and `/static/…`; links are relative, so any mount point will do.

    systems, values   what memory knows now, in the order to be shown; called at most twice a second, and
                      only while somebody watches
    changes           rung after writes; closed before the server stops
    raises            ConfigError for an unknown time zone

    A process row may carry `waiting_for`, the text of what it waits for; it is shown when it is there.
    """
    clock = clock or SystemClock()
    plant_time = PlantTime(plant.time_zone)
    assets = Assets()
    templates = environment({"plant": plant, "asset": assets.url})
    panels = Panels(templates, plant_time)
    sources = Sources(reads, systems, values, clock)

    async def take() -> dict[str, str]:
        return panels.render(await sources.take())

    board = Board(take, changes, clock)
    page, trace_page = templates.get_template("overview.html"), templates.get_template("trace.html")

    async def overview(_: Request) -> Response:
        showing = await board.current()
        return HTMLResponse(
            page.render(panels=showing.panels, version=showing.version, now=rfc3339(clock.now()), key=""),
            headers=_HEADERS,
        )

    async def trace(request: Request) -> Response:
        key = request.query_params.get("key", "").strip()[:_LONGEST_KEY]
        showing = await board.current()
        fault, found, more = "", [], 0
        try:
            if key:
                answer = await reads.trace(key)
                found, more = stories(answer, plant_time), int(answer["more"])
        except LineshaftError as error:
            fault = str(error)
        body = trace_page.render(
            panels=showing.panels,
            version=showing.version,
            now=rfc3339(clock.now()),
            key=key,
            stories=found,
            more=more,
            fault=fault,
        )
        return HTMLResponse(body, 503 if fault else 200, headers=_HEADERS)

    async def stream(request: Request) -> Response:
        version = request.headers.get("last-event-id") or request.query_params.get("since", "")
        return PanelStream(board, clock, version, _HEADERS)

    return [
        Route("/", overview, name="console"),
        Route("/trace", trace, name="console-trace"),
        Route("/events-stream", stream, name="console-stream"),
        Route("/static/{name}", assets.serve, name="console-static"),
    ]
