"""Tags, rules and payload maps of a plant: read together, and again when their files change."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import watchfiles

from lineshaft.app.settings import TelemetrySettings
from lineshaft.core.errors import ConfigError
from lineshaft.core.yamlfile import YamlFile
from lineshaft.telemetry import PayloadMaps, RuleSet, TagList, read_rules, read_tags

__all__ = ["PlantTelemetry", "changes", "read_telemetry"]


class PlantTelemetry(msgspec.Struct, frozen=True):
    tags: TagList
    rules: RuleSet
    maps: PayloadMaps | None


def read_telemetry(settings: TelemetrySettings, folder: Path) -> PlantTelemetry:
    """folder: of the settings file. raises  ConfigError with the findings of all files"""
    findings: list[str] = []
    maps = None
    if settings.payloads:
        try:
            file = YamlFile(folder / settings.payloads)
            maps = PayloadMaps.read(file.data, file=str(file.path), line_of=file.line)
        except ConfigError as error:
            findings += error.findings or [error.message]
    try:
        tags = read_tags(folder / settings.tags)
        file = YamlFile(folder / settings.rules)
        rules = read_rules(file.data, tags, file=str(file.path), line_of=file.line)
    except ConfigError as error:
        findings += error.findings or [error.message]
    if findings:
        raise ConfigError(f"telemetry cannot be run: {len(findings)} error(s)", findings=findings)
    return PlantTelemetry(tags, rules, maps)


async def changes(settings: TelemetrySettings, folder: Path) -> AsyncIterator[None]:
    """Yields after each change of a file of one of these names, until cancelled."""
    files = [folder / name for name in (settings.tags, settings.rules, settings.payloads) if name]
    names = {file.name for file in files}
    async for changed in watchfiles.awatch(*{file.parent for file in files}, recursive=False):
        if not names.isdisjoint(os.path.basename(path) for _, path in changed):
            yield
