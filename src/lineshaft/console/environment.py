"""The templates, with what all of them may use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from lineshaft.console.figures import count_text, latency_text, unit_symbol, value_text
from lineshaft.console.sparkline import HEIGHT, WIDTH

__all__ = ["environment"]


def environment(facts: Mapping[str, Any]) -> Environment:
    """Everything is escaped, everything named must exist; `facts` are known to every template."""
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "breakable": _breakable,
        "count": count_text,
        "figure": value_text,
        "latency": latency_text,
        "unit": unit_symbol,
    }
    templates.globals |= {"spark_width": WIDTH, "spark_height": HEIGHT, **facts}
    return templates


def _breakable(text: str) -> Markup:
    """Long names break after their dots, slashes and underscores, not within a word."""
    return Markup("<wbr>").join(escape(part) for part in re.split(r"(?<=[._/])(?=[^._/])", text))
