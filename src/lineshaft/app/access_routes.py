"""Which permission a request needs."""

from __future__ import annotations

from collections.abc import Sequence

from lineshaft.core.errors import ConfigError
from lineshaft.gateway.route import ApiRoute
from lineshaft.gateway.route_table import RouteTable, Unreadable

__all__ = ["permission_of"]


def permission_of(request: str, routes: Sequence[ApiRoute]) -> tuple[str, bool]:
    """And whether it is of any plant. request: method and path. raises  ConfigError: no such route"""
    method, _, target = request.partition(" ")
    path = target.strip().partition("?")[0]
    try:
        found = RouteTable((route.method, route.path, route) for route in routes).find(path, path.encode())
    except Unreadable as error:
        raise ConfigError(f"{path!r} is no path: {error}") from error
    if found is None or method.upper() not in found[0]:
        raise ConfigError(f"this node does not serve {request!r}", hint="such as 'POST /api/v1/events'")
    route, names = found[0][method.upper()]
    return route.permission.format_map(dict(zip(names, found[1], strict=True))), route.any_plant
