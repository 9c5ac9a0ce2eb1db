"""The HTTP server of a node."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from lineshaft.app.web_access import WebAccess, must_know_callers
from lineshaft.app.web_protocol import BoundedHttp
from lineshaft.app.web_tls import WebTls
from lineshaft.core.errors import ConfigError

__all__ = ["WebServer"]


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the node, which stops its parts in order."""
        yield


class WebServer:
    """Takes its address at once, so that a port in use is told before anything else starts.

    has_access  callers are known, by an access file; without, only a loopback address is taken
    raises      ConfigError
    """

    def __init__(self, host: str, port: int, *, tls: WebTls | None = None, has_access: bool = False) -> None:
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
        self._host, self._bound, self._tls = host, bound[0], tls
        try:
            must_know_callers(self._bound, has_access=has_access)
        except ConfigError:
            self._socket.close()
            raise
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://{'127.0.0.1' if host in ('0.0.0.0', '') else host}:{bound[1]}"  # noqa: S104

    async def run(self, app: ASGIApp, *, known_as: str = "") -> None:
        """Until cancelled; browsers that wait on an event stream do not hold it up.

        known_as  host name under which a proxy on this machine passes requests on
        """
        tls = self._tls
        config = uvicorn.Config(
            WebAccess(app, host=self._host, bound=self._bound, known_as=known_as),
            ssl_context_factory=(lambda _config, _default: tls.context) if tls else None,
            http=BoundedHttp,
            ws="none",
            log_level="error",  # what strangers do wrong is told to them
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
            server_header=False,
            proxy_headers=bool(known_as),
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[self._socket]))
        following = asyncio.create_task(tls.follow()) if tls else None
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            server.should_exit = True
            await serving
            raise
        finally:
            if following is not None:
                following.cancel()

    def close(self) -> None:
        self._socket.close()
