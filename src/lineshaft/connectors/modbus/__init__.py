"""Modbus TCP devices as sources of readings. pymodbus, the extra `modbus`, is imported when one is made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lineshaft.connectors.modbus.options import ModbusOptions
from lineshaft.connectors.modbus.register_map import RegisterMap, read_register_map
from lineshaft.core.errors import ConfigError

if TYPE_CHECKING:
    from lineshaft.connectors.modbus.source import ModbusSource

__all__ = ["ModbusOptions", "RegisterMap", "make_modbus", "read_register_map"]


def make_modbus(
    name: str, options: ModbusOptions, metrics: Sequence[str], folder: Path = Path()
) -> ModbusSource:
    """metrics: names of registers of its topic in the tag list; folder: where the path of the map starts.

    raises  ConfigError with every finding, also when pymodbus is not installed
    """
    try:
        from lineshaft.connectors.modbus.source import ModbusSource  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"source {name!r} is a Modbus device, and {error.name} is not installed",
            hint="pip install 'lineshaft[modbus]'",
        ) from error
    return ModbusSource(name, options, metrics, folder=folder)
