"""Which permission a request needs, by the OpenAPI document of a node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from lineshaft.core.errors import ConfigError
from lineshaft.gateway.route import PUBLIC
from lineshaft.gateway.route_table import RouteTable, Unreadable

__all__ = ["permission_of"]


def permission_of(request: str, document: Path) -> str:
    """request: method and path. raises  ConfigError: no such document, no such route"""
    method, _, target = request.partition(" ")
    path = target.strip().partition("?")[0]
    try:
        paths: dict[str, dict[str, Any]] = msgspec.json.decode(document.read_bytes())["paths"]
        table = RouteTable(
            (name.upper(), place, str(operation.get("x-permission", PUBLIC)))
            for place, operations in paths.items()
            for name, operation in operations.items()
            if isinstance(operation, dict)
        )
        found = table.find(path, path.encode())
    except (OSError, msgspec.MsgspecError, LookupError, TypeError, AttributeError, Unreadable) as error:
        raise ConfigError(f"{document} is no OpenAPI document of a node: {error}") from error
    if found is None or method.upper() not in found[0]:
        raise ConfigError(f"{document} has no {request!r}", hint="such as 'POST /api/v1/events'")
    permission, names = found[0][method.upper()]
    return permission.format_map(dict(zip(names, found[1], strict=True)))
