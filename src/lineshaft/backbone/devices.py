"""Who the devices are: a file with an entry for each, that becomes the MQTT users of the listener.

devices:
  - id: filler-01
    password: ${file:secrets/filler-01}     # or password_hash (bcrypt), or certificate
    publish: ["plant/leipzig/bottling/l1/filler-01/#"]
  - id: edge-07
    certificate: "CN=edge-07,O=Acme"        # a subject, or a DNS name or mail address in the certificate
    sparkplug: {group: Bottling, edge_node: E7}
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from lineshaft.backbone.server_config import MqttUser
from lineshaft.backbone.topics import raw_subjects
from lineshaft.core.errors import ConfigError
from lineshaft.core.yamlfile import YamlFile

__all__ = ["Device", "SparkplugNode", "read_devices"]

_BCRYPT = re.compile(r"\$2[abxy]\$\d\d\$.{53}")
_SPARKPLUG = "spBv1.0"
Id = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Level = Annotated[str, msgspec.Meta(pattern=r"^[^/+#\s*>]+$")]


class SparkplugNode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """devices: whose births and data it may send; absent: any under its own name."""

    group: Level
    edge_node: Level
    devices: list[Level] | None = None

    @property
    def publish(self) -> list[str]:
        own = [f"{_SPARKPLUG}/{self.group}/{verb}/{self.edge_node}" for verb in ("NBIRTH", "NDATA", "NDEATH")]
        return own + [
            f"{_SPARKPLUG}/{self.group}/{verb}/{self.edge_node}/{device}"
            for verb in ("DBIRTH", "DDATA", "DDEATH")
            for device in (["+"] if self.devices is None else self.devices)
        ]

    @property
    def subscribe(self) -> list[str]:
        return [
            f"{_SPARKPLUG}/{self.group}/NCMD/{self.edge_node}/#",
            f"{_SPARKPLUG}/{self.group}/DCMD/{self.edge_node}/#",
            f"{_SPARKPLUG}/STATE/#",
        ]


class Device(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of password, password_hash and certificate.

    publish     topic filters; it may publish nowhere else
    subscribe   absent: what it may publish
    gateway     it publishes for others: its filters may cover theirs
    """

    id: Id
    password: str = ""
    password_hash: str = ""
    certificate: str = ""
    publish: list[str] = []
    subscribe: list[str] | None = None
    sparkplug: SparkplugNode | None = None
    gateway: bool = False

    def __repr__(self) -> str:
        return f"Device(id={self.id!r})"

    @property
    def publishes(self) -> list[str]:
        return [*self.publish, *(self.sparkplug.publish if self.sparkplug else [])]

    @property
    def user(self) -> MqttUser:
        subscribe = self.publish if self.subscribe is None else self.subscribe
        return MqttUser(
            username=self.certificate or self.id,
            password=self.password or self.password_hash,
            publish=tuple(self.publishes),
            subscribe=(*subscribe, *(self.sparkplug.subscribe if self.sparkplug else [])),
        )


class _Devices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    devices: list[Device]


def read_devices(path: Path, *, by_certificate: bool | None = None) -> list[Device]:
    """by_certificate: whether the listener asks for one, see `MqttTls.clients`; None: as the first device has

    raises  ConfigError with every finding, each with file and line
    """
    file = YamlFile(path)
    devices = file.read(_Devices).devices
    if by_certificate is None:
        by_certificate = bool(devices and devices[0].certificate)
    findings = [
        f"{file.where(['devices', index, *place])}: {said}"
        for index, device in enumerate(devices)
        for place, said in _doubts(device, by_certificate)
    ]
    seen: dict[str, int] = {}
    for index, device in enumerate(devices):
        for name in {device.id, device.user.username}:
            if name in seen and seen[name] != index:
                findings.append(f"{file.where(['devices', index])}: {name!r} is declared twice")
            seen[name] = index
    if not findings:
        findings = [
            f"{file.where(['devices', index, 'publish'])}: {said}" for index, said in _overlaps(devices)
        ]
    if findings:
        raise ConfigError(f"{path} has {len(findings)} error(s)", findings=findings)
    return devices


def _doubts(device: Device, by_certificate: bool) -> Iterator[tuple[list[str], str]]:
    given = [name for name in ("password", "password_hash", "certificate") if getattr(device, name)]
    if len(given) != 1:
        yield [], f"{device.id} needs one of password, password_hash, certificate; it has {given or 'none'}"
    elif by_certificate != (given == ["certificate"]):
        asks = "a certificate" if by_certificate else "a password"
        yield [given[0]], f"{device.id} has a {given[0]}, and the listener asks devices for {asks}"
    if device.password_hash and not _BCRYPT.fullmatch(device.password_hash):
        yield ["password_hash"], f"{device.id}: this is no bcrypt hash, such as $2a$11$…"
    if _BCRYPT.fullmatch(device.password):
        yield ["password"], f"{device.id}: this is a bcrypt hash; give it as password_hash"
    if not device.publishes and not device.user.subscribe:
        yield [], f"{device.id} may do nothing; give `publish` or `sparkplug`"
    for name, filters in (("publish", device.publishes), ("subscribe", device.subscribe or [])):
        for topic_filter in filters:
            try:
                raw_subjects([topic_filter])
            except ConfigError as error:
                yield [name], f"{device.id}: {error}"


def _overlaps(devices: list[Device]) -> Iterator[tuple[int, str]]:
    taken = _Level()
    for index, device in enumerate(devices):
        if device.gateway:
            continue
        for topic_filter in device.publishes:
            for other in sorted(taken.overlapping(topic_filter.split("/")) - {device.id}):
                yield (
                    index,
                    f"with {topic_filter!r} {device.id} may publish as {other}; narrow one of them, or say"
                    " `gateway: true` of a device that publishes for others",
                )
            taken.add(topic_filter.split("/"), device.id)


class _Level:
    """A level of a tree of topic filters. here: whose end at it; below: whose go on with `#`."""

    def __init__(self) -> None:
        self._next: dict[str, _Level] = {}
        self._here: set[str] = set()
        self._below: set[str] = set()

    def add(self, levels: list[str], device: str) -> None:
        if not levels:
            self._here.add(device)
        elif levels[0] == "#":
            self._below.add(device)
        else:
            self._next.setdefault(levels[0], _Level()).add(levels[1:], device)

    def overlapping(self, levels: list[str]) -> set[str]:
        """Whose filters match a topic that this filter matches too."""
        found = set(self._below)
        if not levels or levels[0] == "#":
            found |= self._here
        if levels:
            for name, level in self._next.items():
                if levels[0] in (name, "+", "#") or name == "+":
                    found |= level.overlapping(levels if levels[0] == "#" else levels[1:])
        return found
