"""What a node takes when it starts."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from lineshaft.app.live_contracts import retiring_operations, take_contracts
from lineshaft.app.settings import Settings
from lineshaft.contracts.registry import Party, promote, read_contracts
from lineshaft.core.errors import ConfigError
from lineshaft.gateway.route import Retiring
from lineshaft.ledger import Audit
from lineshaft.ledger.registry import ContractBook
from lineshaft.store import Store
from tests.clocks import ManualClock
from tests.contracts.registry.files import DESADV, SHIPMENT, WITH_CARRIER, add


def settings(environment: str = "prod") -> Settings:
    return Settings(enterprise="acme", plant="leipzig", time_zone="UTC", environment=environment)


@pytest.fixture
def book(store: Store) -> ContractBook:
    return ContractBook(store, Audit("node-1", ManualClock()), ManualClock())


async def test_what_was_promoted_and_not_what_is_newest(book: ContractBook, tmp_path: Path) -> None:
    plant = tmp_path / "contracts"
    add(plant, SHIPMENT)
    promote(read_contracts(plant), "", "prod")
    add(plant, WITH_CARRIER)
    with capture_logs() as logs:
        await take_contracts(book, settings(), tmp_path, by="node-1")
    assert (await book.contract(DESADV)).version == "1.0"
    assert (await book.contract("maintenance.request.created")).kind == "event"
    assert logs == []
    await take_contracts(book, settings(environment=""), tmp_path, by="node-1")
    assert (await book.contract(DESADV)).version == "1.1"


async def test_what_differs_is_logged(book: ContractBook, tmp_path: Path) -> None:
    """Of the product nothing was promoted, and a consumer that registered here keeps its major."""
    plant = tmp_path / "contracts"
    add(plant, SHIPMENT)
    promote(read_contracts(plant), "", "prod", only=[DESADV])
    await take_contracts(book, settings(), tmp_path, by="node-1")
    await book.register_party(Party(party="portal", contract=DESADV, major=1), by="key:portal")
    (plant / "environments" / "prod.yaml").write_text("live: {}\n")
    with capture_logs() as logs:
        await take_contracts(book, settings(), tmp_path, by="node-1")
    assert [each["contract"] for each in logs if each["event"] == "contracts.kept"] == [f"{DESADV} 1.0"]
    said = [each["said"] for each in logs if each["event"] == "contracts.drift"]
    assert f"{DESADV} v1: not_promoted: promoted nothing, found 1.0" in said
    assert any("maintenance.request.created v1: code_differs" in each for each in said)


async def test_a_node_without_its_environment_does_not_start(book: ContractBook, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="promote --to prod"):
        await take_contracts(book, settings(), tmp_path, by="node-1")
    assert await book.contracts() == []


async def test_a_deprecated_operation_announces_its_end(book: ContractBook, tmp_path: Path) -> None:
    await take_contracts(book, settings(environment=""), tmp_path, by="node-1")
    assert await retiring_operations(book) == {}
    name, sunset = "maintenance.create_request", date(2027, 6, 30)
    await book.deprecate(name, 1, sunset=sunset, by="jo", reason="requests move to orders")
    today = ManualClock().now().date()
    assert await retiring_operations(book) == {name: Retiring(since=today, sunset=sunset)}
