"""What a Modbus source is told: which device, and the file that says what its registers mean."""

from __future__ import annotations

from typing import Annotated

import msgspec

from lineshaft.core.errors import ConfigError

__all__ = ["ModbusOptions"]


class ModbusOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    host, port  of the device or gateway, Modbus TCP
    map         YAML file with the register map, relative to the settings file; see `RegisterMap`
    topic       of the messages, as in the tag list; empty: `modbus/<name of the source>`
    timeout_s   for connecting and for each answer
    attempts    to read, before a device that does not answer counts as gone
    pause_ms    between two requests, for devices that need it
    retry_s     longest wait between two attempts to connect
    gather_ms   readings of this time go into one message
    """

    host: str
    map: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 502
    topic: str = ""
    timeout_s: Annotated[float, msgspec.Meta(gt=0)] = 2.0
    attempts: Annotated[int, msgspec.Meta(ge=1, le=10)] = 2
    pause_ms: Annotated[float, msgspec.Meta(ge=0)] = 0
    retry_s: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    gather_ms: Annotated[float, msgspec.Meta(ge=0)] = 50

    def check(self, name: str) -> None:
        """raises  ConfigError"""
        if not self.host.strip() or "/" in self.host:
            raise ConfigError(
                f"host {self.host!r} of Modbus source {name!r} is no host name or address",
                hint="write e.g. 10.1.2.3, and the port beside it",
            )
