"""Who is answered over HTTP for as long as callers are not identified."""

from __future__ import annotations

from http import HTTPStatus
from ipaddress import ip_address

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lineshaft.gateway import problem

__all__ = ["WebAccess"]

_OURS = frozenset({"localhost", "127.0.0.1", "[::1]"})
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class WebAccess:
    """In front of every route but the webhooks, which are signed.

    On a loopback address only requests that name it are answered, so that no web site can point a name of
    its own here and let a browser on this machine ask (DNS rebinding). Their port is not looked at: a tunnel
    may begin on another one. On any other address the API only reads.

    host    as it is in the settings
    bound   the address that it became
    """

    def __init__(self, app: ASGIApp, *, host: str, bound: str) -> None:
        self._app = app
        self._bound = bound
        self._names = _OURS | {host.lower(), bound} if ip_address(bound).is_loopback else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith("/webhooks/"):
            refused = self._refused(Request(scope))
            if refused is not None:
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refused(self, request: Request) -> Response | None:
        if self._names is not None:
            asked = request.headers.get("host", "")
            if _without_port(asked).lower() in self._names:
                return None
            return problem(
                HTTPStatus.MISDIRECTED_REQUEST,
                code="unknown_host",
                detail=f"the Host header names {asked!r}, this server is {', '.join(sorted(self._names))}; "
                "ask it under one of these names",
            )
        if request.method in _READING or not request.url.path.startswith("/api/"):
            return None
        return problem(
            HTTPStatus.FORBIDDEN,
            code="loopback_only",
            detail=f"{request.method} is served on loopback only until callers can be identified, and "
            f"console.host is {self._bound}; the command line does the same: `lineshaft processes …`, "
            "`lineshaft exceptions …`",
        )


def _without_port(host: str) -> str:
    address, bracket, _ = host.partition("]")
    return address + bracket if bracket else host.partition(":")[0]
