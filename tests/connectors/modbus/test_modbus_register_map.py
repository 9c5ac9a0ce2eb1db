"""Register maps from YAML: every error with its line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lineshaft.connectors.modbus import ModbusOptions, make_modbus, read_register_map
from lineshaft.core.errors import ConfigError

GOOD = """\
unit: 3
word_order: little
groups:
  fast: {every_ms: 200}
holes:
  - {kind: holding, first: 40, last: 49}
registers:
  - {name: pressure, address: 0, type: float32, group: fast}
  - {name: running, kind: coil, address: 5, group: fast, unit: 4}
  - {name: fault, address: 8, type: bool, bit: 3, group: fast, word_order: big}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "press.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_of_the_map_are_filled_in(tmp_path: Path) -> None:
    declared = read_register_map(written(tmp_path, GOOD))
    pressure, running, fault = declared.registers
    assert (pressure.unit, pressure.word_order, pressure.byte_order, pressure.width) == (
        3,
        "little",
        "big",
        2,
    )
    assert (running.unit, running.type, running.width) == (4, "bool", 1)
    assert fault.word_order == "big"
    assert declared.holes[0].unit == 3


@pytest.mark.parametrize(
    ("line", "number", "said"),
    [
        ("{name: pressure, address: 9, type: int16, group: fast}", 11, "is there twice"),
        ("{name: x, address: 9, type: int16, group: fats}", 11, "did you mean 'fast'?"),
        ("{name: x, address: 9, group: fast}", 11, "has no type"),
        ("{name: x, address: 9, type: string, group: fast}", 11, '"string" is not one of'),
        ("{name: x, address: 9, type: bool, group: fast}", 11, "needs both type bool and bit"),
        ("{name: x, address: 9, type: int16, bit: 2, group: fast}", 11, "needs both type bool and bit"),
        ("{name: x, address: 9, type: bool, bit: 16, group: fast}", 11, "16"),
        ("{name: x, kind: coil, type: int16, address: 9, group: fast}", 11, "which is one bit"),
        ("{name: x, address: 39, type: int32, group: fast}", 11, "lies in the hole 40 to 49"),
        ("{name: x, address: 65535, type: float64, group: fast}", 11, "goes beyond address 65535"),
        ("{name: x, address: 9, type: int16, scale: 0, group: fast}", 11, "scale"),
        ("{name: x, adress: 9, type: int16, group: fast}", 11, "did you mean 'address'?"),
    ],
)
def test_every_error_has_its_line(tmp_path: Path, line: str, number: int, said: str) -> None:
    path = written(tmp_path, f"{GOOD}  - {line}\n")
    with pytest.raises(ConfigError) as raised:
        read_register_map(path)
    assert any(finding.startswith(f"{path}:{number}: ") for finding in raised.value.findings)
    assert any(said in finding for finding in raised.value.findings), raised.value.findings


def test_a_metric_that_is_no_register_is_told_with_the_nearest_one(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    options = ModbusOptions(host="127.0.0.1", map="press.yaml")
    with pytest.raises(ConfigError) as raised:
        make_modbus("press", options, ["presure", "running"], tmp_path)
    (finding,) = raised.value.findings
    assert "'presure' is no register; did you mean 'pressure'?" in finding


def test_a_source_without_tags_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no tag has topic 'modbus/press'"):
        make_modbus("press", ModbusOptions(host="127.0.0.1", map="press.yaml"), [], tmp_path)


def test_a_host_that_is_an_address_of_something_else(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    with pytest.raises(ConfigError, match="no host name"):
        make_modbus("press", ModbusOptions(host="tcp://x", map="press.yaml"), ["running"], tmp_path)


def test_without_pymodbus_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith("lineshaft.connectors.modbus.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "pymodbus.client", None)
    with pytest.raises(ConfigError, match=r"lineshaft\[modbus\]"):
        make_modbus("press", ModbusOptions(host="127.0.0.1", map="press.yaml"), ["running"], tmp_path)
