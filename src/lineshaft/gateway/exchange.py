"""One request on its way through the gateway, and its answer on the way out."""

from __future__ import annotations

from datetime import timedelta
from time import perf_counter

import msgspec
from starlette.types import Scope

from lineshaft.core.access import Caller
from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.ids import new_ordered_id
from lineshaft.core.requests import RequestNote
from lineshaft.gateway.checking import RouteChecks
from lineshaft.gateway.negotiation import retiring_headers
from lineshaft.gateway.policies import ANYBODY
from lineshaft.gateway.route import ApiRoute

__all__ = ["ANONYMOUS", "READING", "Exchange", "Pair", "Sent", "Served", "note_of"]

READING = frozenset({"GET", "HEAD", "OPTIONS"})
_LONGEST_PATH = 1000
Pair = tuple[bytes, bytes]

ANONYMOUS = Caller(name="anonymous")
"""Who asks for what is public."""


class Served:
    """One route with what is worked out once."""

    def __init__(self, route: ApiRoute) -> None:
        self.route = route
        self.checks = RouteChecks(route)
        self.changes = route.method not in READING
        self.permission = None if "{" in route.permission else route.permission
        self.media = (b"content-type", route.answer_media.encode())
        self.headers = retiring_headers(route.retiring) if route.retiring else []

    def media_of(self, version: str) -> Pair:
        """Content-Type of a good answer. version: empty: not named"""
        name, media = self.media
        return (name, media + b"; version=" + version.encode()) if version else self.media


class Exchange:
    """A request and what is known of it so far.

    served   None until its route is found
    limits   headers that tell what is left of the caller's rate and quota
    traceparent  of the request; its handler goes on under it
    version  to be named in the answer's media type; empty: none
    noted    the ledger has it already, or will have it from who goes on with it
    """

    __slots__ = (
        "caller",
        "correlation_id",
        "headers",
        "limits",
        "noted",
        "path",
        "plant",
        "policy",
        "query",
        "request_id",
        "scope",
        "served",
        "started",
        "traceparent",
        "version",
    )

    def __init__(self, scope: Scope, plant: str) -> None:
        self.started = perf_counter()
        self.scope = scope
        self.request_id = self.correlation_id = new_ordered_id()
        self.plant = plant
        self.headers: dict[str, str] = {}
        self.path: dict[str, str] = {}
        self.query: dict[str, str] = {}
        self.caller = ANONYMOUS
        self.policy = ANYBODY
        self.served: Served | None = None
        self.limits: tuple[Pair, ...] = ()
        self.version = ""
        self.traceparent = ""
        self.noted = False

    @property
    def address(self) -> str:
        client = self.scope.get("client")
        return client[0] if client else ""


class Sent(msgspec.Struct, frozen=True):
    """An answer as it goes out.

    headers  without those that every answer has
    code     of the problem that it tells; empty: none
    ref      as in Answer
    is_secret  as in Answer
    has_rules  its headers may say how it is to be kept, framed or run
    """

    status: int
    headers: list[Pair]
    body: bytes
    code: str = ""
    ref: str = ""
    is_secret: bool = False
    has_rules: bool = False


def note_of(exchange: Exchange, served: Served, sent: Sent, clock: Clock) -> RequestNote:
    took_s = perf_counter() - exchange.started
    return RequestNote(
        request_id=exchange.request_id,
        at=rfc3339(clock.now() - timedelta(seconds=took_s)),
        caller=exchange.caller.name,
        account=exchange.caller.account,
        method=exchange.scope["method"],
        route=served.route.name,
        path=exchange.scope["path"][:_LONGEST_PATH],
        plant=exchange.plant,
        status=sent.status,
        code=sent.code,
        duration_ms=round(took_s * 1000, 3),
        correlation_id=exchange.correlation_id,
        ref=sent.ref,
    )
