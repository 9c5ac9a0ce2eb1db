"""Who may change what another system masters: by entity and field, for commands and events."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from lineshaft.contracts.authority import Authority
from lineshaft.contracts.catalogue import EVENTS, operation
from lineshaft.contracts.examples import example
from lineshaft.core.access import LOCAL, Caller
from lineshaft.core.errors import ConfigError, PermanentFault
from lineshaft.core.quantity import Quantity
from lineshaft.model.inventory import BalanceUpdate

SYSTEMS = {
    "sap": frozenset({"erp"}),
    "fixwell": frozenset({"cmms"}),
    "stock": frozenset({"wms"}),
    "portal": frozenset({"crm"}),
}
PORTAL = Caller(name="key:portal", account="portal", system="portal")
SAP = Caller(name="key:sap", account="sap", system="sap")
NOBODY = Caller(name="user:jo", account="jo")
NOW = datetime(2026, 3, 2, tzinfo=UTC)
MIRROR = operation("inventory.synchronise_balance")
BALANCE = BalanceUpdate(
    material_definition_id="SEAL-KIT",
    site="leipzig",
    quantity=Quantity(value=Decimal(4), unit="C62"),
    as_of=NOW,
    source_sequence="7",
)
REQUEST = operation("maintenance.create_request")


def test_a_command_to_the_master_is_a_request_to_it() -> None:
    authority = Authority(SYSTEMS)
    authority.check_command(NOBODY, REQUEST, REQUEST.request_schema.convert(example(REQUEST)), "fixwell")


def test_a_mirror_is_told_by_its_master_only() -> None:
    authority = Authority(SYSTEMS)
    authority.check_command(SAP, MIRROR, BALANCE, "stock")
    for caller, speaks in ((PORTAL, "portal"), (NOBODY, "no system")):
        with pytest.raises(PermanentFault) as refused:
            authority.check_command(caller, MIRROR, BALANCE, "stock")
        assert refused.value.code == "not_the_master"
        said = f"stock_balance.quantity is mastered by sap; {caller.name} speaks for {speaks}"
        assert said in refused.value.message
    authority.check_command(LOCAL, MIRROR, BALANCE, "stock")


def test_an_event_is_told_by_the_master_of_each_field_that_it_carries() -> None:
    authority = Authority(SYSTEMS)
    contract = EVENTS["inventory.balance.changed.v1"]
    assert authority.of_event(SAP, contract, BALANCE) == []
    assert "stock_balance.quantity is mastered by sap; key:portal speaks for portal" in authority.of_event(
        PORTAL, contract, BALANCE
    )
    assert authority.of_event(LOCAL, contract, BALANCE) == ()


def test_a_site_names_other_masters_for_an_entity_or_a_field() -> None:
    fixwell = Caller(name="key:fixwell", account="fixwell", system="fixwell")
    contract = EVENTS["inventory.balance.changed.v1"]
    authority = Authority(SYSTEMS, {"physical_asset": {"fixed_asset_id": "fixwell"}, "reservation": "stock"})
    rows = {(row.entity, row.field): row for row in authority.matrix()}
    assert rows["physical_asset", "fixed_asset_id"].systems == ("fixwell",)
    assert rows["reservation", ""].systems == ("stock",)
    assert rows["physical_asset", ""].systems == ("fixwell",)
    assert rows["stock_balance", "storage_location"].systems == ("stock",)
    assert rows["test_result", ""].systems == ()
    assert authority.of_event(fixwell, contract, BALANCE)


def test_what_nobody_masters_is_changed_by_no_caller() -> None:
    (said, *_) = Authority({}).of_event(SAP, EVENTS["inventory.balance.changed.v1"], BALANCE)
    assert "is mastered by erp, which is not connected" in said


def test_overrides_that_name_what_there_is_not_are_told_together() -> None:
    wrong = {
        "assets": "sap",
        "physical_asset": {"colour": "sap"},
        "reservation": "oracle",
        "stock_balance": "portal",
    }
    with pytest.raises(ConfigError) as refused:
        Authority(SYSTEMS, wrong)
    assert [finding.split(":")[0] for finding in refused.value.findings] == [
        "authority.assets",
        "authority.physical_asset.colour",
        "authority.reservation",
        "authority.stock_balance",
    ]
