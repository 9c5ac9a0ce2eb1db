"""What a version breaks, where, and whom."""

from __future__ import annotations

from typing import Any

import pytest

from lineshaft.contracts.registry import (
    Compatibility,
    Contract,
    ContractVersion,
    Kind,
    Party,
    Role,
    Version,
    breaks,
)
from tests.contracts.registry.files import MUST_HAVE_WEIGHT, SHIPMENT, WITH_CARRIER, payload

CONSUMER = Party(party="dock", contract="a.b", major=1)
PRODUCER = Party(party="acme", contract="a.b", major=1, role=Role.PRODUCER)
OTHERS = (
    Party(party="next-major", contract="a.b", major=2),
    Party(party="other-contract", contract="a.c", major=1),
)


def contract(*documents: Any, kind: Kind = Kind.EXTERNAL, mode: str = "full_transitive") -> Contract:
    return Contract(
        name="a.b",
        kind=kind,
        owner="x",
        compatibility=Compatibility(mode),
        versions=[
            ContractVersion(version=Version(1, minor), document=document, digest="sha256:x")
            for minor, document in enumerate(documents)
        ],
    )


def broken(contract: Contract, document: Any) -> list[tuple[str, str, str, tuple[str, ...]]]:
    """(version that it breaks with, part, field, parties)"""
    version = contract.next_version()
    found = breaks(contract, document, version, contract.earlier(version), [CONSUMER, PRODUCER, *OTHERS])
    return [(each.against, each.part, each.field, tuple(each.broken)) for each in found]


def test_an_optional_property_more_breaks_nobody() -> None:
    assert broken(contract(SHIPMENT), WITH_CARRIER) == []


def test_a_property_more_to_be_sent_breaks_those_who_send() -> None:
    assert broken(contract(SHIPMENT), MUST_HAVE_WEIGHT) == [("1.0", "", "weight", ("acme",))]


def test_a_property_less_to_be_sent_breaks_those_who_read() -> None:
    assert broken(contract(MUST_HAVE_WEIGHT), SHIPMENT) == [("1.0", "", "weight", ("dock",))]
    assert broken(contract(MUST_HAVE_WEIGHT, mode="backward_transitive"), SHIPMENT) == []


def test_another_type_breaks_both() -> None:
    document = payload("shipment", shipment="string", weight="string")
    found = broken(contract(SHIPMENT), document)
    assert {(against, field) for against, _, field, _ in found} == {("1.0", "weight")}
    assert {party for *_, parties in found for party in parties} == {"acme", "dock"}


@pytest.mark.parametrize(("mode", "against"), [("full_transitive", {"1.0"}), ("full", set())])
def test_transitive_looks_at_every_version(mode: str, against: set[str]) -> None:
    """Each step is fine by itself: a member that the one before did not have takes another type."""
    first, without = payload(shipment="string", note="string"), payload(shipment="string")
    found = broken(contract(first, without, mode=mode), payload(shipment="string", note="number"))
    assert {each[0] for each in found} == against


def test_an_operation_is_looked_at_in_its_parts() -> None:
    """A request that asks for more breaks its callers, an answer that promises less those who read it."""
    serves = {"request": SHIPMENT, "reply": MUST_HAVE_WEIGHT}
    found = broken(contract(serves, kind=Kind.OPERATION), {"request": MUST_HAVE_WEIGHT, "reply": SHIPMENT})
    assert found == [("1.0", "request", "weight", ("dock",)), ("1.0", "reply", "weight", ("dock",))]


def test_a_command_that_asks_for_less_may_not_answer_less() -> None:
    """What is posted into ERP only has to be backward compatible, and its answer forward."""
    posting = contract(
        {"request": MUST_HAVE_WEIGHT, "reply": MUST_HAVE_WEIGHT},
        kind=Kind.OPERATION,
        mode="backward_transitive",
    )
    assert broken(posting, {"request": SHIPMENT, "reply": MUST_HAVE_WEIGHT}) == []
    found = broken(posting, {"request": SHIPMENT, "reply": SHIPMENT})
    assert found == [("1.0", "reply", "weight", ("dock",))]


def test_a_field_inside_is_named_as_people_do() -> None:
    def order(quantity: dict[str, Any]) -> Any:
        line = {"type": "object", "properties": {"quantity": quantity}}
        return {"type": "object", "properties": {"lines": {"type": "array", "items": line}}}

    found = broken(contract(order({"type": "number"})), order({"type": "string"}))
    assert {each[2] for each in found} == {"lines[].quantity"}


def test_a_finding_says_all() -> None:
    (found,) = breaks(
        contract(SHIPMENT), MUST_HAVE_WEIGHT, Version(1, 1), contract(SHIPMENT).versions, [PRODUCER]
    )
    assert found.rule in str(found)
    assert str(found).startswith("a.b 1.1: weight: ")
    assert str(found).endswith("(against 1.0); breaks acme")
