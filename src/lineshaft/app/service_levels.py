"""The service levels of a plant: what its contracts and its settings say."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from lineshaft.app.settings import Settings
from lineshaft.contracts.catalogue import CAPABILITIES, EVENTS
from lineshaft.core.yamlfile import YamlFile
from lineshaft.insight.service_levels import ServiceLevels, service_levels
from lineshaft.processes import ProcessDefinition
from lineshaft.processes.definition import with_children

__all__ = ["USUAL_LEVELS", "level_doubts", "levels_of"]

USUAL_LEVELS = service_levels(EVENTS, CAPABILITIES)
"""Without processes."""

_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}


def levels_of(settings: Settings, processes: Sequence[ProcessDefinition]) -> ServiceLevels:
    definitions = {process.name: process for process in with_children(processes)}
    given = {name: _seconds(text) for name, text in settings.service_levels.items()}
    return service_levels(EVENTS, CAPABILITIES, definitions, given)


def level_doubts(settings: Settings, processes: Sequence[ProcessDefinition], file: YamlFile) -> list[str]:
    """Names of no process of this plant, each with file and line."""
    known = sorted({process.name for process in with_children(processes)})
    findings = []
    for name in settings.service_levels:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none'}"
            findings.append(f"{file.where(['service_levels', name])}: {name!r} is no process here; {hint}")
    return findings


def _seconds(text: str) -> float:
    number = text.rstrip("smindh")
    return float(number) * _SECONDS[text[len(number) :]]
