"""What the topics of Sparkplug B say."""

from __future__ import annotations

import msgspec

from lineshaft.telemetry.sparkplug.commands import NAMESPACE

__all__ = ["DATA", "Route", "Routes"]

DATA = ("NDATA", "DDATA")
# Message type: number of topic levels.
_LEVELS = {"NBIRTH": 4, "NDATA": 4, "NDEATH": 4, "DBIRTH": 5, "DDATA": 5, "DDEATH": 5}
_MOST_ROUTES = 100_000


class Route(msgspec.Struct, frozen=True):
    """What a topic says. kind is empty for one that is none of Sparkplug, or not for a host."""

    kind: str
    node: str = ""
    address: str = ""
    wrong: bool = False


class Routes:
    def __init__(self) -> None:
        self._known: dict[str, Route] = {}

    def of(self, topic: str) -> Route:
        route = self._known.get(topic)
        if route is None:
            if len(self._known) >= _MOST_ROUTES:
                self._known.clear()
            route = self._known[topic] = _route_of(topic)
        return route


def _route_of(topic: str) -> Route:
    parts = topic.removeprefix(NAMESPACE).split("/")
    kind = parts[1] if len(parts) > 1 else ""
    if parts[0] == "STATE" or kind in ("NCMD", "DCMD"):
        return Route("")
    if _LEVELS.get(kind) != len(parts) + 1:
        return Route("", wrong=True)
    node = f"{parts[0]}/{parts[2]}"
    return Route(kind, node, f"{node}/{parts[3]}" if len(parts) == 4 else node)
