"""Under which names a node is answered for over HTTP."""

from __future__ import annotations

from http import HTTPStatus
from ipaddress import ip_address

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lineshaft.core.errors import ConfigError
from lineshaft.gateway import problem

__all__ = ["WebAccess", "must_know_callers"]

_OURS = frozenset({"localhost", "127.0.0.1", "[::1]"})


def must_know_callers(bound: str, *, has_access: bool) -> None:
    """bound: the address that the server has; a name is none yet. raises  ConfigError"""
    try:
        is_loopback = ip_address(bound).is_loopback
    except ValueError:
        return
    if not has_access and not is_loopback:
        raise ConfigError(
            f"console.host: other machines reach {bound}, and nothing says who may do what",
            hint="name an access file in the settings, `access: access.yaml`, or listen on 127.0.0.1",
        )


class WebAccess:
    """In front of every route but the webhooks, which are signed.

    On a loopback address only requests that name it are answered, so that no web site can point a name of
    its own here and let a browser on this machine ask (DNS rebinding). Their port is not looked at: a tunnel
    may begin on another one.

    host      as it is in the settings
    bound     the address that it became
    known_as  another host name of it, as by a proxy on this machine
    """

    def __init__(self, app: ASGIApp, *, host: str, bound: str, known_as: str = "") -> None:
        self._app = app
        names = _OURS | {name for name in (host.lower(), bound, known_as.lower()) if name}
        self._names = names if ip_address(bound).is_loopback else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._names is not None and not scope["path"].startswith("/webhooks/"):
            refused = self._refused(scope, self._names)
            if refused is not None:
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refused(self, scope: Scope, names: frozenset[str]) -> Response | None:
        asked = ""
        for name, value in scope["headers"]:
            if name == b"host":
                asked = value.decode("latin-1")
                break
        if _without_port(asked).lower() in names:
            return None
        return problem(
            HTTPStatus.MISDIRECTED_REQUEST,
            code="unknown_host",
            detail=f"the Host header names {asked!r}, this server is {', '.join(sorted(names))}; "
            "ask it under one of these names",
        )


def _without_port(host: str) -> str:
    address, bracket, _ = host.partition("]")
    return address + bracket if bracket else host.partition(":")[0]
