"""The console's HTTP face: the page, the trace, the event stream, the assets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from lineshaft.console.assets import Assets
from lineshaft.console.board import Board
from lineshaft.console.catalogue import Catalogue
from lineshaft.console.changes import Changes
from lineshaft.console.moments import PlantTime
from lineshaft.console.page_headers import PAGE_HEADERS
from lineshaft.console.panels import Panels, environment
from lineshaft.console.snapshot import Sources
from lineshaft.console.story import stories
from lineshaft.console.stream import PanelStream
from lineshaft.console.tones import tone_of
from lineshaft.console.views import LiveValue, PlantView, SystemView
from lineshaft.contracts.registry.live import ContractRegistry
from lineshaft.core.clock import Clock, SystemClock, rfc3339
from lineshaft.core.errors import LineshaftError
from lineshaft.core.ports import ReadModel

__all__ = ["console_routes"]

_LONGEST_KEY = 200


def console_routes(
    reads: ReadModel,
    systems: Callable[[], Mapping[str, SystemView]],
    changes: Changes,
    plant: PlantView,
    values: Callable[[], Sequence[LiveValue]] = tuple,
    *,
    clock: Clock | None = None,
    registry: ContractRegistry | None = None,
    proof: Callable[[Mapping[str, str]], Awaitable[object]] | None = None,
) -> list[Route]:
    """`/`, `/trace?key=…`, `/catalogue`, `/events-stream` and `/static/…`; links are relative, so any mount
    point will do.

    systems, values   what memory knows now, in the order to be shown; called at most twice a second, and
                      only while somebody watches
    changes           rung after writes; closed before the server stops
    registry          of contracts; None: the catalogue shows those that come with the product
    proof             that who watches still may, by the headers of the request; raises Refused
    raises            ConfigError for an unknown time zone

    A process row may carry `waiting_for`, the text of what it waits for; it is shown when it is there.
    """
    clock = clock or SystemClock()
    plant_time = PlantTime(plant.time_zone)
    assets = Assets()
    templates = environment({"plant": plant, "asset": assets.url, "signed_in": proof is not None})
    panels = Panels(templates, plant_time)
    sources = Sources(reads, systems, values, clock)

    async def take() -> dict[str, str]:
        return panels.render(await sources.take())

    board = Board(take, changes, clock)
    page, trace_page = templates.get_template("overview.html"), templates.get_template("trace.html")
    catalogue, catalogue_page = Catalogue(registry), templates.get_template("catalogue.html")

    async def overview(_: Request) -> Response:
        showing = await board.current()
        return HTMLResponse(
            page.render(panels=showing.panels, version=showing.version, now=rfc3339(clock.now()), key=""),
            headers=PAGE_HEADERS,
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
        return HTMLResponse(body, 503 if fault else 200, headers=PAGE_HEADERS)

    async def contracts(request: Request) -> Response:
        showing = await board.current()
        body = catalogue_page.render(
            panels=showing.panels,
            version=showing.version,
            now=rfc3339(clock.now()),
            key="",
            view=await catalogue.view(request.query_params),
            tones=tone_of,
        )
        return HTMLResponse(body, headers=PAGE_HEADERS)

    async def stream(request: Request) -> Response:
        version = request.headers.get("last-event-id") or request.query_params.get("since", "")
        proves = partial(proof, request.headers) if proof else None
        return PanelStream(board, clock, version, PAGE_HEADERS, proves)

    return [
        Route("/", overview, name="console"),
        Route("/trace", trace, name="console-trace"),
        Route("/catalogue", contracts, name="console-catalogue"),
        Route("/events-stream", stream, name="console-stream"),
        Route("/static/{name}", assets.serve, name="console-static"),
    ]
