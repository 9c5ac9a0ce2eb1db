"""The one settings file of a node: what it is, where its parts are, which systems it connects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec

from lineshaft.calls import CallPolicy
from lineshaft.core.yamlfile import YamlFile
from lineshaft.processes import SHIPPED

__all__ = ["Settings", "SystemSettings", "load_settings"]

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class StoreSettings(_Section, frozen=True, kw_only=True):
    """url: `sqlite:///file` or `postgresql://…`; empty: SQLite in the data folder."""

    url: str = ""


class BackboneSettings(_Section, frozen=True, kw_only=True):
    """url: of an external NATS server; empty: a child of this product, with the MQTT listener below.

    topics  MQTT topic filters of the devices
    """

    url: str = ""
    port: Port = 0
    mqtt_host: str = "127.0.0.1"
    mqtt_port: Port = 1883
    mqtt_user: str = ""
    mqtt_password: str = ""
    topics: list[str] = msgspec.field(default_factory=lambda: ["plant/#", "spBv1.0/#"])


class ConsoleSettings(_Section, frozen=True, kw_only=True):
    host: str = "127.0.0.1"
    port: Port = 8600


class SystemSettings(_Section, frozen=True, kw_only=True):
    """connector: `tryton` or `rest`; options: that connector's own settings; policy: limits and retries."""

    connector: str
    title: str = ""
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    policy: CallPolicy = CallPolicy()


class TelemetrySettings(_Section, frozen=True, kw_only=True):
    tags: str
    rules: str


class Settings(_Section, frozen=True, kw_only=True):
    """Paths are relative to the settings file."""

    enterprise: Name
    plant: Name
    time_zone: str
    data: str = "data"
    store: StoreSettings = StoreSettings()
    backbone: BackboneSettings = BackboneSettings()
    console: ConsoleSettings = ConsoleSettings()
    systems: dict[Name, SystemSettings] = msgspec.field(default_factory=dict)
    telemetry: TelemetrySettings | None = None
    processes: list[str] = msgspec.field(default_factory=list)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


def load_settings(path: Path) -> tuple[Settings, YamlFile]:
    """raises  ConfigError with every finding, each with file and line"""
    file = YamlFile(path)
    return file.read(Settings, check=_findings), file


def _findings(settings: Settings) -> Iterator[tuple[list[str | int], str]]:
    try:
        ZoneInfo(settings.time_zone)
    except (KeyError, ValueError):
        yield ["time_zone"], f"{settings.time_zone!r} is no IANA time zone, such as Europe/Berlin"
    for index, name in enumerate(settings.processes):
        if name not in SHIPPED:
            yield ["processes", index], f"{name!r} is no process; known: {', '.join(SHIPPED)}"
