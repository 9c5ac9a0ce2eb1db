"""The panels of the page as HTML, each rendered alone so that each can change alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from lineshaft.console.figures import count_text, latency_text, unit_symbol, value_text
from lineshaft.console.lines import Lines
from lineshaft.console.moments import PlantTime
from lineshaft.console.overall import overall
from lineshaft.console.snapshot import Snapshot
from lineshaft.console.sparkline import HEIGHT, WIDTH, sparkline
from lineshaft.console.tones import Tone, tone_of

__all__ = ["NAMES", "Panels", "environment"]

NAMES = ("overall", "numbers", "systems", "values", "exceptions", "processes", "calls", "events")


class _Number(msgspec.Struct, frozen=True, kw_only=True):
    label: str
    count: int
    tone: Tone


class Panels:
    def __init__(self, templates: Environment, plant_time: PlantTime) -> None:
        self._templates = {name: templates.get_template(f"panels/{name}.html") for name in NAMES}
        self._time = plant_time
        self._lines = Lines(plant_time)

    def render(self, snapshot: Snapshot) -> dict[str, str]:
        facts = self._facts(snapshot)
        return {name: template.render(facts).strip() for name, template in self._templates.items()}

    def _facts(self, snapshot: Snapshot) -> dict[str, Any]:
        now = snapshot.at
        return {
            "overall": overall(snapshot),
            "fault": snapshot.fault,
            "read_at": self._time.moment(snapshot.read_at, now),
            "systems": [
                (system, tone_of(system.state), self._time.moment(system.since, now))
                for system in snapshot.systems
            ],
            "values": [
                (
                    value,
                    tone_of(value.state),
                    sparkline(value.points, value.limit),
                    self._time.moment(value.time, now),
                )
                for value in snapshot.values
            ],
            "numbers": _numbers(snapshot.counts),
            "exceptions": self._lines.exceptions(snapshot.exceptions, now),
            "exceptions_open": snapshot.counts.get("exceptions.open", len(snapshot.exceptions)),
            "processes": [self._lines.process(row, now) for row in snapshot.processes],
            "calls": [self._lines.call(row, now) for row in snapshot.calls],
            "events": [self._lines.event(row, now) for row in snapshot.events],
        }


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


def _numbers(counts: Mapping[str, int]) -> list[tuple[str, list[_Number]]]:
    """Figures by subject, each state that occurs; the worst first."""

    def of(subject: str, name: str) -> list[_Number]:
        found = [
            _Number(label=state, count=count, tone=tone_of(state, name))
            for key, count in counts.items()
            if key.startswith(f"{subject}.") and (state := key.partition(".")[2])
        ]
        order = list(Tone)
        return sorted(found, key=lambda number: (-order.index(number.tone), number.label))

    waiting = counts.get("outbox", 0)
    events = [_Number(label="recorded", count=counts.get("events", 0), tone=Tone.PLAIN)]
    if waiting:
        events.append(_Number(label="waiting for the backbone", count=waiting, tone=Tone.BUSY))
    opened = counts.get("exceptions.open", 0)
    exceptions = [_Number(label="open", count=opened, tone=Tone.WARN if opened else Tone.GOOD)]
    return [
        ("Exceptions", exceptions),
        ("Processes", of("processes", "process")),
        ("Calls", of("calls", "call")),
        ("Events", events),
    ]
