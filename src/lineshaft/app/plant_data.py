"""What a node is made of, read and checked before anything starts: tags, rules, connectors, processes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from lineshaft.app.access import access_doubts
from lineshaft.app.connectors import make_connector
from lineshaft.app.kpis_part import target_doubts
from lineshaft.app.plant_telemetry import PlantTelemetry, read_telemetry
from lineshaft.app.process_definitions import definitions_of
from lineshaft.app.service_levels import level_doubts
from lineshaft.app.settings import Settings, data_dir, doubts, read_settings, store_url
from lineshaft.app.sources import Source, read_sources
from lineshaft.app.subscriptions_file import declared_subscriptions
from lineshaft.backbone import MqttTls, MqttUser, read_devices
from lineshaft.calls import System
from lineshaft.contracts.authority import Authority
from lineshaft.contracts.catalogue import CAPABILITIES, EVENTS
from lineshaft.contracts.registry import live_contracts, read_contracts
from lineshaft.core.clock import Clock
from lineshaft.core.errors import ConfigError
from lineshaft.core.yamlfile import YamlFile
from lineshaft.processes import ProcessDefinition
from lineshaft.telemetry.lake import check_classes

__all__ = ["PlantData", "read_plant"]


class PlantData(msgspec.Struct, frozen=True, kw_only=True):
    """path: of the settings file; telemetry: None where the node takes no device values in.

    authority: which of the systems masters what
    """

    path: Path
    settings: Settings
    telemetry: PlantTelemetry | None
    sources: Sequence[Source]
    systems: Sequence[System]
    processes: Sequence[ProcessDefinition]
    authority: Authority

    @property
    def data_dir(self) -> Path:
        return data_dir(self.settings, self.path)

    @property
    def store_url(self) -> str:
        return store_url(self.settings, self.path)

    @property
    def mqtt_tls(self) -> MqttTls | None:
        """Its paths from the folder of the settings."""
        tls = self.settings.backbone.mqtt_tls
        files = ("certificate", "key", "ca", "own_certificate", "own_key")
        if tls is None:
            return None
        given = {name: str(self.path.parent / value) for name in files if (value := getattr(tls, name))}
        return msgspec.structs.replace(tls, **given)

    def mqtt_users(self) -> list[MqttUser] | None:
        """Who may connect to our listener; None: anybody on this machine.

        raises  ConfigError with every finding of the devices file
        """
        backbone = self.settings.backbone
        users = []
        if backbone.devices:
            tls = backbone.mqtt_tls
            by_certificate = tls is not None and tls.clients == "certificate"
            found = read_devices(self.path.parent / backbone.devices, by_certificate=by_certificate)
            users = [device.user for device in found]
        if backbone.mqtt_user:
            users.append(MqttUser(username=backbone.mqtt_user, password=backbone.mqtt_password))
        return users or None

    @property
    def topic_filters(self) -> list[str]:
        """MQTT topics that are taken in of devices at our listener."""
        return [] if self.telemetry is None else self.settings.backbone.topics


def read_plant(path: Path, clock: Clock) -> PlantData:
    """raises  ConfigError with the findings of every file that the settings name"""
    settings, file = read_settings(path)
    path = path.resolve()
    findings = doubts(settings, file)
    findings += access_doubts(settings, file)
    findings += _file_doubts(settings, path)
    telemetry = _telemetry(settings, path.parent, findings)
    sources = _sources(settings, file, telemetry, findings)
    # a wrong time zone is among the findings, and this one then goes nowhere
    zone = ZoneInfo("UTC") if findings else settings.zone
    systems = _systems(settings, file, clock, zone, findings)
    authority = _authority(settings, file, systems, findings)
    processes: list[ProcessDefinition] = []
    if not findings:
        processes = [version for name in settings.processes for version in definitions_of(name)]
        findings += _unserved(processes, systems, file)
        findings += level_doubts(settings, processes, file)
    findings += target_doubts(settings, file)
    plant = PlantData(
        path=path,
        settings=settings,
        telemetry=telemetry,
        sources=sources,
        systems=systems,
        processes=processes,
        authority=authority,
    )
    try:
        plant.mqtt_users()
    except ConfigError as error:
        findings += error.findings or [str(error)]
    if findings:
        raise ConfigError(f"{path} cannot be run: {len(findings)} error(s)", findings=findings)
    return plant


def _file_doubts(settings: Settings, path: Path) -> list[str]:
    """Of the subscriptions and the contracts."""
    findings: list[str] = []
    for read in (
        lambda: declared_subscriptions(settings, path, EVENTS),
        lambda: live_contracts(read_contracts(path.parent / settings.contracts), settings.environment),
    ):
        try:
            read()
        except ConfigError as error:
            findings += error.findings or [str(error)]
    return findings


def _telemetry(settings: Settings, folder: Path, findings: list[str]) -> PlantTelemetry | None:
    if settings.telemetry is None:
        return None
    try:
        telemetry = read_telemetry(settings.telemetry, folder)
    except ConfigError as error:
        findings += error.findings or [error.message]
        return None
    if settings.telemetry.lake is not None:
        findings += check_classes(telemetry.tags, settings.telemetry.lake)
    return telemetry


def _sources(
    settings: Settings, file: YamlFile, telemetry: PlantTelemetry | None, findings: list[str]
) -> list[Source]:
    """Made once, to find what is wrong with them, also a library that is missing."""
    if settings.telemetry is None:
        return []
    try:
        sources = read_sources(file)
    except ConfigError as error:
        findings += error.findings
        return []
    if telemetry is None:
        return sources
    for source in sources:
        try:
            source.make(telemetry.tags, "")
        except ConfigError as error:
            place = file.where(["telemetry", "sources", source.name])
            findings += error.findings or [f"{place}: {error}"]
    return sources


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


def _authority(
    settings: Settings, file: YamlFile, systems: Sequence[System], findings: list[str]
) -> Authority:
    kinds = {system.name: _kinds(system) for system in systems}
    try:
        return Authority(kinds, settings.authority)
    except ConfigError as error:
        for finding in error.findings:
            place, _, told = finding.partition(": ")
            findings.append(f"{file.where([*place.split('.')])}: {place} {told}")
        return Authority(kinds)


def _kinds(system: System) -> set[str]:
    """What its capabilities make it; of a connector that says its kinds itself, those."""
    kinds = {operation.system_kind for operation in system.operations.values()}
    return set(getattr(system.connector, "kinds", kinds))


def _unserved(processes: Sequence[ProcessDefinition], systems: Sequence[System], file: YamlFile) -> list[str]:
    served = {operation for system in systems for operation in system.operations}
    return [
        f"{file.where(['processes'])}: {process.name} needs {operation}, which no system serves"
        for process in processes
        for operation in sorted(process.operations.keys() - served)
    ]
