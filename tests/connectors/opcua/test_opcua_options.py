"""What is refused before anything is connected."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from lineshaft.connectors.opcua import OpcUaOptions, browse_opcua, make_opcua
from lineshaft.core.errors import ConfigError

URL = "opc.tcp://line1.example"


def test_every_metric_that_is_no_node_id_is_told() -> None:
    with pytest.raises(ConfigError) as raised:
        make_opcua("line1", OpcUaOptions(url=URL), ["Pressure", "ns=2;s=Pressure", "i=abc"])
    assert len(raised.value.findings) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": "http://line1"}, "is no OPC UA address"),
        ({"password": "x", "user": "line"}, "clear_password"),
        ({"user": "line", "user_certificate": "a.der", "user_key": "a.pem"}, "keep one"),
        ({"user_certificate": "a.der"}, "belong together"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        OpcUaOptions(**{"url": URL, **options}).check("line1")


def test_a_source_without_tags_is_told() -> None:
    with pytest.raises(ConfigError, match="no tag has topic 'opcua/line1'"):
        make_opcua("line1", OpcUaOptions(url=URL), [])


@pytest.mark.parametrize("needed", [make_opcua, browse_opcua])
def test_without_asyncua_the_extra_is_named(needed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith("lineshaft.connectors.opcua.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "asyncua", None)
    with pytest.raises(ConfigError, match=r"lineshaft\[opcua\]"):
        needed("line1", OpcUaOptions(url=URL), ["i=1"])


def test_options_are_shown_without_the_password() -> None:
    assert "secret" not in repr(OpcUaOptions(url=URL, user="line", password="secret"))
