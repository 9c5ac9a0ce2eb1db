"""Walking a server's address space."""

from __future__ import annotations

import pytest
from asyncua import ua
from opcua_facts import URI, Plant

from lineshaft.connectors.opcua import OpcUaOptions, browse_opcua
from lineshaft.connectors.opcua.browse import BrowsedValue
from lineshaft.core.errors import ConfigError, TransientFault

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def rows(url: str, start: str = "i=85") -> list[BrowsedValue]:
    return [row async for row in browse_opcua("line1", OpcUaOptions(url=url), start=start)]


async def test_every_variable_with_its_path_type_unit_and_value(plant: Plant) -> None:
    await plant.write("Pressure", 4.2)
    found = {row.path: row for row in await rows(plant.url)}
    assert found["Line1/Pressure"] == BrowsedValue(
        node_id=f"nsu={URI};s=Pressure", path="Line1/Pressure", data_type="Double", unit="BAR", value="4.2"
    )
    assert found["Line1/Order"].data_type == "String"
    assert "Line1" not in found
    assert not any(path.startswith("Server/") for path in found)


async def test_a_start_below_and_references_in_pages(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lineshaft.connectors.opcua.browse._MOST_REFERENCES", 1)
    names = [row.path for row in await rows(plant.url, f"nsu={URI};s=Line1")]
    assert names == ["Pressure", "Count", "Running", "Order"]


async def test_what_cannot_be_browsed_is_told(plant: Plant) -> None:
    with pytest.raises(ConfigError, match="no namespace"):
        await rows(plant.url, "nsu=http://example.org/other;s=Line1")
    with pytest.raises(ConfigError, match="is no node id"):
        await rows(plant.url, "Line1")
    with pytest.raises(TransientFault, match=r"127\.0\.0\.1:1"):
        await rows("opc.tcp://127.0.0.1:1")


async def test_a_unit_that_is_no_code_is_told_as_written(plant: Plant) -> None:
    node = plant.server.get_node(ua.NodeId("Pressure.EU", plant.index))
    before = await node.read_value()
    await node.write_value(ua.EUInformation(UnitId=-1, DisplayName=ua.LocalizedText("strokes")))
    try:
        assert {row.path: row.unit for row in await rows(plant.url)}["Line1/Pressure"] == "strokes"
    finally:
        await node.write_value(before)
