"""What a source behind an external broker is told."""

from __future__ import annotations

import ssl
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from lineshaft.connectors.mqtt.topic_names import TopicNames
from lineshaft.core.errors import ConfigError

__all__ = ["MqttOptions"]

_PORTS = {"mqtt": 1883, "mqtts": 8883}


class MqttOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Secrets come resolved, and are never shown.

    name               of the source in this installation; the application fills it in
    url                `mqtt://host:1883`, or `mqtts://host:8883` for TLS
    topics             filters to subscribe to; none that begins with `$`
    prefix             levels put in front of every topic, e.g. `hall2`, so that two brokers with equal topics
                       stay apart; not in front of `spBv1.0/…`, which would not be known as Sparkplug any more
    protocol           of MQTT
    client_id          the broker keeps our session under it: always the same, and nobody else's there; empty:
                       `lineshaft-<name>`
    qos                asked for; at 0 the broker keeps nothing while we are away
    session_expiry_s   how long the broker keeps messages while we are away; by 3.1.1 it decides itself
    window             messages taken from the broker that the backbone has not stored yet, at most
    largest_bytes      longer messages are left out, and `health` counts them
    retained           whether to take what the broker has retained and sends at a new subscription. Its
                       value is old: without a time of its own in the payload it would count as new
    ca_file            PEM file of the authorities to trust; empty: those of the machine
    certificate_file, key_file   our client certificate
    server_name        in the broker's certificate, where it is not the host of the url
    """

    name: str = ""
    url: str
    topics: Annotated[list[str], msgspec.Meta(min_length=1)]
    prefix: str = ""
    protocol: Literal["5", "3.1.1"] = "5"
    client_id: str = ""
    user: str = ""
    password: str = ""
    qos: Literal[0, 1] = 1
    session_expiry_s: Annotated[int, msgspec.Meta(ge=0, le=0xFFFF_FFFF)] = 7 * 86_400
    window: Annotated[int, msgspec.Meta(ge=1, le=0xFFFF)] = 2000
    largest_bytes: Annotated[int, msgspec.Meta(ge=1, le=8_000_000)] = 1_000_000
    keepalive_s: Annotated[int, msgspec.Meta(ge=2, le=3600)] = 30
    retained: bool = True
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    server_name: str = ""

    def __repr__(self) -> str:
        return f"MqttOptions(name={self.name!r}, url={self.url!r}, topics={self.topics!r})"

    @property
    def level(self) -> int:
        return 5 if self.protocol == "5" else 4

    @property
    def session(self) -> str:
        return self.client_id or f"lineshaft-{self.name}"

    @property
    def put_filters(self) -> list[str]:
        """Topic filters of what the source puts.

        raises  ConfigError
        """
        return TopicNames(self.topics, self.prefix).put_filters

    @property
    def address(self) -> tuple[str, int]:
        """raises  ConfigError"""
        parts = urlsplit(self.url)
        try:
            port = parts.port
        except ValueError:
            port = 0
        if parts.scheme not in _PORTS or not parts.hostname or port == 0:
            raise ConfigError(
                f"url {self.url!r} of MQTT source {self.name!r} is not valid",
                hint="mqtt://host:1883, or mqtts://host:8883 for TLS",
            )
        return parts.hostname, port or _PORTS[parts.scheme]

    def tls(self) -> ssl.SSLContext | None:
        """raises  ConfigError for files that cannot be used, or are given without TLS"""
        given = [name for name in ("ca_file", "certificate_file", "key_file") if getattr(self, name)]
        if not self.url.startswith("mqtts:"):
            if given:
                raise ConfigError(
                    f"MQTT source {self.name!r} has {given[0]} but no TLS", hint="begin the url with mqtts://"
                )
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file or None)
            if self.certificate_file:
                context.load_cert_chain(self.certificate_file, self.key_file or None, password=_no_password)
        except (OSError, ValueError) as error:
            files = ", ".join(getattr(self, name) for name in given)
            raise ConfigError(
                f"MQTT source {self.name!r} cannot use {files}: {error}",
                hint="give PEM files; the key without a password",
            ) from error
        return context


def _no_password() -> str:
    """Asked for only where the key has one; OpenSSL would ask at the terminal."""
    return ""
