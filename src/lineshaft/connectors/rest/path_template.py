"""Paths with places in braces, `/api/assets/{physical_asset_id}`, filled with quoted values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from lineshaft.connectors.rest.expression import Unmappable

__all__ = ["PathTemplate", "with_query"]

_PLACE = re.compile(r"\{([^{}]*)\}")


class PathTemplate:
    def __init__(self, text: str, place: str) -> None:
        self.text = text
        self.place = place
        self.names = _PLACE.findall(text)

    def fill(self, values: Mapping[str, Any]) -> str:
        """raises Unmappable when a value is missing or empty"""

        def quoted(match: re.Match[str]) -> str:
            value = values.get(match[1])
            if value is None or value == "":
                raise Unmappable(f"{self.place}: path {self.text!r} needs {match[1]!r}, which is empty")
            text = quote(str(value), safe="")
            return text.replace(".", "%2E") if set(text) == {"."} else text

        return _PLACE.sub(quoted, self.text)


def with_query(path: str, query: Any, place: str) -> str:
    """The path with the members of an object as its query; null members are left out.

    raises  Unmappable when `query` is no object of plain values
    """
    if query is None:
        return path
    if not isinstance(query, dict):
        raise Unmappable(f"{place}: query gives {query!r}; expected an object")
    pairs = []
    for name, value in query.items():
        if isinstance(value, dict | list):
            raise Unmappable(f"{place}: query member {name!r} is {value!r}; expected a plain value")
        if value is not None:
            pairs.append((name, str(value).lower() if isinstance(value, bool) else str(value)))
    if not pairs:
        return path
    return f"{path}{'&' if '?' in path else '?'}{urlencode(pairs)}"
