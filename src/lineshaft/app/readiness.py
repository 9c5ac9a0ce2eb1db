"""Whether a node lives, and whether it can do its work: for load balancers, Kubernetes and people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lineshaft.console import SystemView
from lineshaft.core.ports import HealthState
from lineshaft.gateway.pipeline import make_gateway
from lineshaft.gateway.problems import problem
from lineshaft.gateway.route import PUBLIC, Answer, ApiRoute, Asked

__all__ = ["FrontDoor", "Readiness", "health_routes"]

_NEEDED = ("store", "backbone")
_AWAY = (HealthState.STARTING, HealthState.STOPPED)
_TEXT = {"type": "string"}
_LIVES = {
    "type": "object",
    "required": ["state", "plant"],
    "properties": {"state": _TEXT, "plant": _TEXT},
}


class Readiness:
    """views  of the node's parts, as the monitor saw them last; asking costs nothing."""

    def __init__(self, plant: str, views: Callable[[], Mapping[str, SystemView]]) -> None:
        self.plant = plant
        self._views = views
        self._phase = "the node has begun to start"

    def now(self, phase: str) -> None:
        """Why it is not ready, whatever its parts say; empty: it runs."""
        self._phase = phase

    def reasons(self) -> list[str]:
        """Why it is not ready; none when it is. Anybody may read them: what the parts said is in the console
        and in `lineshaft doctor`."""
        reasons = [self._phase] if self._phase else []
        views = self._views()
        for view in (views[name] for name in _NEEDED if name in views):
            if view.state in _AWAY:
                reasons.append(f"{view.title.lower()} {view.state}")
        return reasons

    def __bool__(self) -> bool:
        return not self.reasons()


def health_routes(readiness: Readiness) -> list[ApiRoute]:
    async def live(_: Asked) -> Answer:
        return Answer(body={"state": "active", "plant": readiness.plant})

    async def ready(_: Asked) -> Answer | Response:
        reasons = readiness.reasons()
        if not reasons:
            return Answer(body={"state": "ready", "plant": readiness.plant})
        return _not_ready(reasons[0], reasons)

    return [
        ApiRoute(
            method="GET",
            path=path,
            name=name,
            summary=summary,
            permission=PUBLIC,
            handler=handler,
            tag="node",
            answers={200: _LIVES},
            problems=problems,
            noted=False,
        )
        for path, name, summary, handler, problems in (
            ("/health", "health", "That this node answers", live, ()),
            ("/health/live", "health_live", "That this node answers", live, ()),
            ("/health/ready", "health_ready", "That this node does its work, or why not", ready, (503,)),
        )
    ]


def _not_ready(detail: str, reasons: Sequence[str]) -> Response:
    return problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        code="not_ready",
        detail=detail,
        headers={"Retry-After": "1"},
        more={"reasons": list(reasons)},
    )


class FrontDoor:
    """An ASGI application that answers for a node from its first moment: health alone, until `open`."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness
        self._routes = health_routes(readiness)
        self._early: ASGIApp = make_gateway(self._routes, None, plant=readiness.plant)
        self._served: ASGIApp | None = None

    def open(self, served: ASGIApp) -> None:
        self._served = served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._served is not None:
            await self._served(scope, receive, send)
        elif scope["type"] != "http" or any(scope["path"] == route.path for route in self._routes):
            await self._early(scope, receive, send)
        else:
            starting = "this node is starting; /health/ready says what it waits for"
            await _not_ready(starting, self._readiness.reasons())(scope, receive, send)
