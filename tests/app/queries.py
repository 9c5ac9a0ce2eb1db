"""What the dashboard and the alerts in docs/ ask of Prometheus."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

__all__ = [
    "alert_queries",
    "alert_rules",
    "dashboard",
    "dashboard_queries",
    "is_balanced",
    "names_in",
    "served_names",
]

_DOCS = Path(__file__).parents[2] / "docs"
_NAME = re.compile(r"\b(?:lineshaft|process|python)_[a-z0-9_]+\b(?!\s*=)")
_CLOSES = {")": "(", "]": "[", "}": "{"}
_OF_TYPE = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((_DOCS / "grafana" / "lineshaft.json").read_text())
    return found


def dashboard_queries() -> set[str]:
    return set(_queries(dashboard()))


def _queries(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for name, value in part.items():
            if name in ("expr", "definition"):
                yield value
            else:
                yield from _queries(value)
    elif isinstance(part, list):
        for value in part:
            yield from _queries(value)


def alert_rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((_DOCS / "prometheus" / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alert_queries() -> set[str]:
    return {rule["expr"] for rule in alert_rules()}


def names_in(query: str) -> set[str]:
    """Of metrics; those of labels are followed by an operator, and what is quoted is no name."""
    return set(_NAME.findall(re.sub(r'"[^"]*"', '""', query)))


def served_names(family: str, type: str) -> set[str]:
    return {f"{family}{ending}" for ending in _OF_TYPE.get(type, ("",))}


def is_balanced(query: str) -> bool:
    """Brackets and quotes close what they open."""
    bare = re.sub(r'"[^"]*"', "", query)
    opened: list[str] = []
    for character in bare:
        if character in "([{":
            opened.append(character)
        elif character in _CLOSES and (not opened or opened.pop() != _CLOSES[character]):
            return False
    return not opened and '"' not in bare
