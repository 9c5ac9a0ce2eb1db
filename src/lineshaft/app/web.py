"""The HTTP server of a node: console, webhooks, and the trace as JSON."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lineshaft.app.web_access import WebAccess
from lineshaft.core.errors import ConfigError
from lineshaft.core.ports import ReadModel

__all__ = ["WebServer", "trace_route"]


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the node, which stops its parts in order."""
        yield


class WebServer:
    """Takes its address at once, so that a port in use is told before anything else starts."""

    def __init__(self, host: str, port: int) -> None:
        try:
            self._socket = socket.create_server((host, port), backlog=512)
        except OSError as error:
            raise ConfigError(
                f"the console cannot listen on {host}:{port}: {error.strerror}",
                hint="set console.port in the settings; 0 takes any free port",
            ) from error
        # connections inherit it; else the body of an answer waits 40 ms for the ACK of its head
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        bound = self._socket.getsockname()
        self._host, self._bound = host, bound[0]
        self.url = f"http://{'127.0.0.1' if host in ('0.0.0.0', '') else host}:{bound[1]}"  # noqa: S104

    async def run(self, routes: list[Route]) -> None:
        """Until cancelled; browsers that wait on an event stream do not hold it up."""
        config = uvicorn.Config(
            WebAccess(Starlette(routes=routes), host=self._host, bound=self._bound),
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
            server_header=False,
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[self._socket]))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            server.should_exit = True
            await serving
            raise

    def close(self) -> None:
        self._socket.close()


def trace_route(reads: ReadModel) -> Route:
    async def trace(request: Request) -> Response:
        return JSONResponse(await reads.trace(request.path_params["key"]))

    return Route("/api/v1/trace/{key:path}", trace)
