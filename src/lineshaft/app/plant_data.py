"""What a node is made of, read and checked before anything starts: tags, rules, connectors, processes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from lineshaft.app.connectors import make_connector
from lineshaft.app.process_definitions import definitions_of
from lineshaft.app.settings import Settings, doubts, read_settings
from lineshaft.calls import System
from lineshaft.contracts.catalogue import CAPABILITIES
from lineshaft.core.clock import Clock
from lineshaft.core.errors import ConfigError
from lineshaft.core.yamlfile import YamlFile
from lineshaft.processes import ProcessDefinition
from lineshaft.telemetry import RuleSet, TagList, read_rules, read_tags

__all__ = ["PlantData", "read_plant"]


class PlantData(msgspec.Struct, frozen=True, kw_only=True):
    """folder: of the settings file; tags and rules are None where the node takes no telemetry in."""

    settings: Settings
    folder: Path
    tags: TagList | None
    rules: RuleSet | None
    systems: Sequence[System]
    processes: Sequence[ProcessDefinition]

    @property
    def data_dir(self) -> Path:
        return (self.folder / self.settings.data).resolve()

    @property
    def store_url(self) -> str:
        return self.settings.store.url or f"sqlite:///{self.data_dir / 'lineshaft.db'}"


def read_plant(path: Path, clock: Clock) -> PlantData:
    """raises  ConfigError with the findings of every file that the settings name"""
    settings, file = read_settings(path)
    folder = path.resolve().parent
    findings = doubts(settings, file)
    tags, rules = _telemetry(settings, folder, findings)
    # a wrong time zone is among the findings, and this one then goes nowhere
    zone = ZoneInfo("UTC") if findings else settings.zone
    systems = _systems(settings, file, clock, zone, findings)
    processes: list[ProcessDefinition] = []
    if not findings:
        processes = [version for name in settings.processes for version in definitions_of(name)]
        findings += _unserved(processes, systems, file)
    if findings:
        raise ConfigError(f"{path} cannot be run: {len(findings)} error(s)", findings=findings)
    return PlantData(
        settings=settings, folder=folder, tags=tags, rules=rules, systems=systems, processes=processes
    )


def _telemetry(
    settings: Settings, folder: Path, findings: list[str]
) -> tuple[TagList | None, RuleSet | None]:
    if settings.telemetry is None:
        return None, None
    try:
        tags = read_tags(folder / settings.telemetry.tags)
        file = YamlFile(folder / settings.telemetry.rules)
        return tags, read_rules(file.data, tags, file=str(file.path), line_of=file.line)
    except ConfigError as error:
        findings += error.findings or [error.message]
        return None, None


def _systems(
    settings: Settings, file: YamlFile, clock: Clock, zone: ZoneInfo, findings: list[str]
) -> list[System]:
    systems = []
    for name, system in settings.systems.items():
        try:
            connector = make_connector(name, settings, file)
            systems.append(System(name, connector, CAPABILITIES, system.policy, clock, zone))
        except ConfigError as error:
            findings += error.findings or [f"{file.where(['systems', name])}: {error.message}"]
    return systems


def _unserved(processes: Sequence[ProcessDefinition], systems: Sequence[System], file: YamlFile) -> list[str]:
    served = {operation for system in systems for operation in system.operations}
    return [
        f"{file.where(['processes'])}: {process.name} needs {operation}, which no system serves"
        for process in processes
        for operation in sorted(process.operations.keys() - served)
    ]
