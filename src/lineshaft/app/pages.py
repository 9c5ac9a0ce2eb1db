"""The console's pages as governed routes: the same checks, the same ledger."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from lineshaft.gateway.route import PUBLIC, ApiRoute, Asked, path_parameters

__all__ = ["page_routes"]

_PUBLIC = frozenset({"console-static"})  # the log-in page needs them
_STREAMS = {"console-stream": "text/event-stream"}

Endpoint = Callable[[Request], Awaitable[Response]]


class _Page(Response):
    """Made when it is sent, from the whole request."""

    def __init__(self, endpoint: Endpoint, path: dict[str, str]) -> None:
        super().__init__()
        self.raw_headers = []
        self._endpoint = endpoint
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        page = await self._endpoint(Request({**scope, "path_params": self._path}, receive))
        await page(scope, receive, send)


def page_routes(routes: Iterable[Route]) -> list[ApiRoute]:
    """Pages need `read:console`; a browser without it is sent to the log-in."""

    async def serve(endpoint: Endpoint, asked: Asked) -> Response:
        return _Page(endpoint, dict(asked.path))

    return [
        ApiRoute(
            method="GET",
            path=route.path,
            name=route.name,
            summary=f"The console: {route.path}",
            permission=PUBLIC if route.name in _PUBLIC else "read:console",
            handler=partial(serve, route.endpoint),
            tag="console",
            answers={200: None},
            answer_media=_STREAMS.get(route.name, "text/html"),
        )
        for route in routes
        if all(not takes_slashes for _, takes_slashes in path_parameters(route.path))
    ]
