"""The one settings file of a node: what it is, where its parts are, which systems it connects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec

from lineshaft.core.call_policy import CallPolicy
from lineshaft.core.errors import ConfigError
from lineshaft.core.lake_policy import LakePolicy
from lineshaft.core.mqtt_tls import MqttTls
from lineshaft.core.yamlfile import YamlFile

__all__ = [
    "ConsoleTls",
    "LakeSettings",
    "OutgoingSettings",
    "RetentionSettings",
    "Settings",
    "SourceSettings",
    "SystemSettings",
    "TelemetrySettings",
    "data_dir",
    "doubts",
    "lake_root",
    "load_settings",
    "read_settings",
    "store_url",
]

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
OptionalName = Annotated[str, msgspec.Meta(pattern=r"^([a-z][a-z0-9_-]{0,39})?$")]
Days = Annotated[float, msgspec.Meta(ge=0, le=365_000)]
Duration = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,6}(\.[0-9]{1,3})?(s|min|h|d)$")]
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class StoreSettings(_Section, frozen=True, kw_only=True):
    """url: `sqlite:///file` or `postgresql://…`; empty: SQLite in the data folder."""

    url: str = ""


class BackboneSettings(_Section, frozen=True, kw_only=True):
    """url: of an external NATS server or cluster; empty: a child of this product, with the listener below.

    user, password   of the external server
    mqtt_url         of the external server's MQTT listener, for commands to devices
    storage_gib      what all streams together may take; 0: 60 % of the free disk, or 50 at an external server
    mqtt_tls         certificates of our listener; without it, devices connect in the clear
    devices          file that says who may publish what; beside it, mqtt_user may publish everything
    topics           MQTT topic filters of the devices
    """

    url: str = ""
    user: str = ""
    password: str = ""
    mqtt_url: str = ""
    storage_gib: Annotated[float, msgspec.Meta(ge=0)] = 0
    port: Port = 0
    mqtt_host: str = "127.0.0.1"
    mqtt_port: Port = 1883
    mqtt_tls: MqttTls | None = None
    devices: str = ""
    mqtt_user: str = ""
    mqtt_password: str = ""
    topics: list[str] = msgspec.field(default_factory=lambda: ["plant/#", "spBv1.0/#"])


class ConsoleTls(_Section, frozen=True, kw_only=True):
    """PEM files. ca: who calls shows a certificate by it, too; empty: nobody is asked for one."""

    certificate: str
    key: str
    ca: str = ""


class ConsoleSettings(_Section, frozen=True, kw_only=True):
    """host: of console, API and webhooks; where it is no loopback address, `access` is needed."""

    host: str = "127.0.0.1"
    port: Port = 8600
    tls: ConsoleTls | None = None


class SystemSettings(_Section, frozen=True, kw_only=True):
    """connector: `calendar`, `events`, `rest` or `tryton`; options: its own; policy: limits and retries."""

    connector: str
    title: str = ""
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    policy: CallPolicy = CallPolicy()


class SourceSettings(_Section, frozen=True, kw_only=True):
    """kind: `opcua`, `modbus` or `mqtt`; options: that kind's own settings."""

    kind: str
    options: dict[str, Any] = msgspec.field(default_factory=dict)


class LakeSettings(LakePolicy, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """path     a folder, or the URL of an object store
    flush_s  readings are on disk after this time; a crash takes in again what came since
    """

    path: str = "lake"
    flush_s: Annotated[float, msgspec.Meta(ge=1, le=300)] = 10


class TelemetrySettings(_Section, frozen=True, kw_only=True):
    """tags, rules, payloads   files: tag list, rules, and maps of foreign payloads
    sparkplug_host          id under which this node tells edge nodes that it is there; empty: it does not
    most_messages_per_s     of one topic by QoS 0, over 10 s; what is beyond is only counted. 0: any number
    sources                 devices, gateways and brokers that are asked for values, by name
    """

    tags: str
    rules: str
    payloads: str = ""
    sparkplug_host: str = "lineshaft"
    most_messages_per_s: Annotated[int, msgspec.Meta(ge=0)] = 20_000
    lake: LakeSettings | None = None
    sources: dict[Name, SourceSettings] = msgspec.field(default_factory=dict)


class OutgoingSettings(_Section, frozen=True, kw_only=True):
    """hosts: that webhooks may be sent to, see gateway.destinations; none: no webhook leaves. ca_file: PEM of
    the authorities to trust; empty: those of the machine."""

    hosts: list[str] = msgspec.field(default_factory=list)
    ca_file: str = ""


class RetentionSettings(_Section, frozen=True, kw_only=True):
    """Days since its end that something is kept; fractions are allowed. What is open stays, however old.

    processes_days      a finished process is live; then it is archived
    archive_days        it is in the archive; then it is deleted
    events_days         events of a story in which nothing is open
    signals_days        events kept for processes to wait for, that none can ask for any more
    exceptions_days     resolved and discarded ones
    call_payloads_days  request and reply; key, outcome and document of a call stay for ever
    requests_days       requests over HTTP, and the answers that a repeat under the same key gets
    """

    processes_days: Days = 90
    archive_days: Days = 3650
    events_days: Days = 90
    signals_days: Days = 30
    exceptions_days: Days = 365
    requests_days: Days = 400
    call_payloads_days: Days = 3650


class Settings(_Section, frozen=True, kw_only=True):
    """Paths are relative to the settings file.

    access       file that says who may do what; empty: whoever is on this machine may do everything
    subscriptions  file that says who is told of events by webhooks; others are added while the node runs
    authority    entity, or entity and field, whose master here is another system than usually
    contracts    folder of the plant's contracts, consumers and environments
    service_levels  of processes: `60s`, `15min`, `4h` or `2d`; others have twelve times what their event has
    kpi_targets  by id of the KPI, in its unit (shares of 1, seconds, counts): others have the usual ones
    otlp         URL of an OpenTelemetry collector, by HTTP, for traces and metrics; empty: none
    environment  whose file in that folder says what is live here; empty: the newest published contracts
    """

    enterprise: Name
    plant: Name
    time_zone: str
    data: str = "data"
    access: str = ""
    authority: dict[str, Name | dict[str, Name]] = msgspec.field(default_factory=dict)
    subscriptions: str = ""
    contracts: str = "contracts"
    environment: OptionalName = ""
    otlp: Annotated[str, msgspec.Meta(pattern=r"^(https?://[^\s/?#@]+/?)?$")] = ""
    store: StoreSettings = StoreSettings()
    backbone: BackboneSettings = BackboneSettings()
    console: ConsoleSettings = ConsoleSettings()
    systems: dict[Name, SystemSettings] = msgspec.field(default_factory=dict)
    telemetry: TelemetrySettings | None = None
    processes: list[str] = msgspec.field(default_factory=list)
    service_levels: dict[Name, Duration] = msgspec.field(default_factory=dict)
    kpi_targets: dict[Name, float] = msgspec.field(default_factory=dict)
    retention: RetentionSettings = RetentionSettings()
    outgoing: OutgoingSettings = OutgoingSettings()

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


def load_settings(path: Path) -> tuple[Settings, YamlFile]:
    """raises  ConfigError with every finding, each with file and line"""
    settings, file = read_settings(path)
    if findings := doubts(settings, file):
        raise ConfigError(f"{path} has {len(findings)} error(s)", findings=findings)
    return settings, file


def read_settings(path: Path) -> tuple[Settings, YamlFile]:
    """The file by its shape alone; `doubts` tells what is wrong with what it names.

    raises  ConfigError
    """
    file = YamlFile(path)
    return file.read(Settings), file


def doubts(settings: Settings, file: YamlFile) -> list[str]:
    """Names that mean nothing, each with file and line."""
    findings = []
    try:
        ZoneInfo(settings.time_zone)
    except (KeyError, ValueError):
        where = file.where(["time_zone"])
        findings.append(f"{where}: {settings.time_zone!r} is no IANA time zone, such as Europe/Berlin")
    for index, name in enumerate(settings.processes):
        from lineshaft.app.process_definitions import definitions_of  # noqa: PLC0415 - slow, for few commands

        try:
            definitions_of(name)
        except ConfigError as error:
            findings.append(f"{file.where(['processes', index])}: {error}")
    return findings


def lake_root(lake: LakeSettings, folder: Path) -> str:
    """folder: of the settings file"""
    return lake.path if "://" in lake.path else str((folder / lake.path).resolve())


def data_dir(settings: Settings, path: Path) -> Path:
    """path: of the settings file"""
    return (path.resolve().parent / settings.data).resolve()


def store_url(settings: Settings, path: Path) -> str:
    """path: of the settings file"""
    return settings.store.url or f"sqlite:///{data_dir(settings, path) / 'lineshaft.db'}"
