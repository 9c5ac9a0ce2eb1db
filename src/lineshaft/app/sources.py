"""The kinds of sources that settings may name, and how each is made from its options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from lineshaft.app.host_state import HostState
from lineshaft.connectors.modbus import ModbusOptions, make_modbus
from lineshaft.connectors.mqtt import MqttOptions, MqttSource
from lineshaft.connectors.opcua import OpcUaOptions, make_opcua
from lineshaft.core.errors import ConfigError
from lineshaft.core.ports import DeviceSource
from lineshaft.core.yamlfile import YamlFile
from lineshaft.telemetry import Tag

__all__ = ["KINDS", "Source", "read_sources"]


class Source(msgspec.Struct, frozen=True):
    """One source as the settings declare it.

    topics   MQTT topic filters of what it puts
    make     from the tag list, and our id as Sparkplug host; raises ConfigError
    """

    name: str
    kind: str
    topics: list[str]
    make: Callable[[Iterable[Tag], str], DeviceSource]

    def metrics(self, tags: Iterable[Tag]) -> list[str]:
        """What it is asked for by name; a broker is asked for topics, not for metrics."""
        return [] if self.kind == "mqtt" else [tag.metric for tag in tags if tag.topic in self.topics]


def _mqtt(name: str, options: MqttOptions, folder: Path) -> Source:
    files = {
        field: str(folder / getattr(options, field))
        for field in ("ca_file", "certificate_file", "key_file")
        if getattr(options, field)
    }
    told = msgspec.structs.replace(options, name=name, **files)

    def make(tags: Iterable[Tag], host: str) -> DeviceSource:
        del tags  # a broker is asked for topics
        state = HostState(host if any(topic.startswith("spBv1.0/") for topic in told.put_filters) else "")
        source = MqttSource(told, will=state.will, on_connect=lambda: state.say(source, online=True))
        return source

    return Source(name, "mqtt", told.put_filters, make)


def _opcua(name: str, options: OpcUaOptions, folder: Path) -> Source:
    options.check(name)
    topic = options.topic or f"opcua/{name}"
    return Source(
        name, "opcua", [topic], lambda tags, _: make_opcua(name, options, _metrics(tags, topic), folder)
    )


def _modbus(name: str, options: ModbusOptions, folder: Path) -> Source:
    options.check(name)
    topic = options.topic or f"modbus/{name}"
    return Source(
        name, "modbus", [topic], lambda tags, _: make_modbus(name, options, _metrics(tags, topic), folder)
    )


KINDS: Mapping[str, tuple[type[Any], Callable[[str, Any, Path], Source]]] = {
    "modbus": (ModbusOptions, _modbus),
    "mqtt": (MqttOptions, _mqtt),
    "opcua": (OpcUaOptions, _opcua),
}


def read_sources(file: YamlFile) -> list[Source]:
    """Those that the settings declare, which were read from this file by their shape.

    raises  ConfigError with every finding, each with file and line
    """
    sources, findings = [], []
    for name, declared in file.data["telemetry"].get("sources", {}).items():
        place = ["telemetry", "sources", name]
        if declared["kind"] not in KINDS:
            known = ", ".join(KINDS)
            findings.append(
                f"{file.where([*place, 'kind'])}: {declared['kind']!r} is no kind of source; known: {known}"
            )
            continue
        if "options" not in declared:
            findings.append(f"{file.where(place)}: a source of kind {declared['kind']} needs options")
            continue
        options, prepare = KINDS[declared["kind"]]
        try:
            given = file.read(options, [*place, "options"])
            sources.append(prepare(name, given, file.path.resolve().parent))
        except ConfigError as error:
            findings += error.findings or [f"{file.where(place)}: {error.message}"]
    if findings:
        raise ConfigError(f"sources in {file.path} have {len(findings)} error(s)", findings=findings)
    return sources


def _metrics(tags: Iterable[Tag], topic: str) -> list[str]:
    return [tag.metric for tag in tags if tag.topic == topic]
