"""What comes with the product: published is what the code declares."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from lineshaft.contracts.catalogue import CAPABILITIES, EVENTS
from lineshaft.contracts.registry import OWN, Kind, check, declared_contracts, read_contracts
from lineshaft.contracts.registry.contract import parts
from lineshaft.contracts.registry.external import schema_findings


def test_everything_declared_is_published(tmp_path: Path) -> None:
    """If not: `lineshaft contracts publish --own` writes the next minor, or says what would break."""
    contracts = read_contracts(tmp_path)
    assert [str(each) for each in check(contracts, declared_contracts())] == []
    kinds = Counter(each.kind for each in contracts.contracts.values())
    assert kinds[Kind.EVENT] == len({name.rpartition(".v")[0] for name in EVENTS})
    assert kinds[Kind.OPERATION] == sum(len(each.operations) for each in CAPABILITIES.values())


def test_what_is_declared_is_a_sound_schema() -> None:
    for each in declared_contracts():
        for schema in parts(each.kind, each.document).values():
            assert schema_findings(schema) == [], each.name


def test_commands_into_erp_may_come_to_ask_for_less() -> None:
    modes = {each.name: str(each.compatibility) for each in declared_contracts()}
    assert modes["erp.create_requisition"] == "backward_transitive"
    assert modes["erp.stock_balance"] == "full_transitive"
    assert modes["maintenance.create_request"] == "full_transitive"
    assert modes["maintenance.request.created"] == "full_transitive"


def test_a_document_is_one_line() -> None:
    for file in OWN.glob("*/*.json"):
        assert file.read_bytes().count(b"\n") == 1, file
