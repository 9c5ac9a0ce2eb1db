"""The connectors that settings may name, and how each is made from its options."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from lineshaft.app.settings import Settings
from lineshaft.connectors.calendar import CalendarConnector, CalendarSettings
from lineshaft.connectors.events import EventsConnector, EventsSettings
from lineshaft.connectors.rest import RestConnector, RestSettings
from lineshaft.connectors.tryton import TrytonConnector, TrytonSettings
from lineshaft.core.errors import ConfigError
from lineshaft.core.ports import Connector
from lineshaft.core.yamlfile import YamlFile

__all__ = ["CONNECTORS", "make_connector"]


def _tryton(name: str, settings: Settings, file: YamlFile) -> Connector:
    del settings
    return TrytonConnector(file.read(TrytonSettings, ["systems", name, "options"]))


def _rest(name: str, settings: Settings, file: YamlFile) -> Connector:
    options = file.read(RestSettings, ["systems", name, "options"])
    return RestConnector(
        msgspec.structs.replace(
            options,
            name=name,
            mapping=str(file.path.parent / options.mapping),
            plant=settings.plant,
            source=f"/{settings.enterprise}/{settings.plant}/{name}/main",
        )
    )


def _calendar(name: str, settings: Settings, file: YamlFile) -> Connector:
    options = file.read(CalendarSettings, ["systems", name, "options"])
    return CalendarConnector(name, file.path.parent / options.file, settings.zone)


def _events(name: str, settings: Settings, file: YamlFile) -> Connector:
    del settings
    return EventsConnector(name, file.read(EventsSettings, ["systems", name, "options"]))


CONNECTORS: dict[str, Callable[[str, Settings, YamlFile], Connector]] = {
    "calendar": _calendar,
    "events": _events,
    "rest": _rest,
    "tryton": _tryton,
}


def make_connector(name: str, settings: Settings, file: YamlFile) -> Connector:
    """raises  ConfigError with file and line"""
    kind = settings.systems[name].connector
    if kind not in CONNECTORS:
        where = file.where(["systems", name, "connector"])
        raise ConfigError(
            f"{kind!r} is no connector",
            findings=[f"{where}: {kind!r} is no connector; known: {', '.join(CONNECTORS)}"],
        )
    if "options" not in file.data["systems"][name]:
        where = file.where(["systems", name])
        raise ConfigError(
            f"system {name} has no options", findings=[f"{where}: connector {kind} needs options"]
        )
    return CONNECTORS[kind](name, settings, file)
