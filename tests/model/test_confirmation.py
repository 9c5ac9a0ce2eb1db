"""A production confirmation that cannot be so is refused, with the field and the figures."""

from __future__ import annotations

from typing import Any

import pytest

from lineshaft.contracts.examples import example_of
from lineshaft.contracts.schema import PayloadSchema
from lineshaft.core.errors import ContractViolation
from lineshaft.model.confirmation import ProductionConfirmation

SCHEMA = PayloadSchema("confirmation", ProductionConfirmation, {})
Document = dict[str, Any]


def pieces(value: int | str, unit: str = "C62") -> Document:
    return {"value": str(value), "unit": unit}


def told(**changes: Any) -> list[str]:
    """The findings about the example with some fields changed; none where it holds."""
    try:
        SCHEMA.convert(example_of(ProductionConfirmation) | changes)
    except ContractViolation as violation:
        return list(violation.findings)
    return []


def made(quantity: Document, *serials: str, use: str = "Produced") -> Document:
    return {
        "material_definition_id": "M",
        "material_use": use,
        "quantity": quantity,
        "material_sub_lot_id": serials,
    }


def by_reason(**quantities: int) -> list[Document]:
    return [{"reason_code": code, "quantity": pieces(count)} for code, count in quantities.items()]


def test_partial_and_final_with_nothing_good_hold() -> None:
    for kind in ("partial", "final"):
        assert told(confirmation_type=kind, yield_quantity=pieces(0)) == []


@pytest.mark.parametrize("name", ["yield_quantity", "scrap_quantity", "rework_quantity"])
def test_a_quantity_below_zero(name: str) -> None:
    changes = {"scrap_reason": [], "rework_reason": []} | {name: pieces(-1)}
    assert told(**changes) == [f"(root): {name} is -1, expected 0 or more"]


def test_scrap_in_another_unit_than_the_yield() -> None:
    assert told(scrap_quantity=pieces(1, "KGM"), scrap_reason=[]) == [
        "(root): scrap_quantity is in KGM, yield_quantity in C62"
    ]


def test_reasons_add_up_to_the_quantity() -> None:
    assert told(scrap_quantity=pieces(5), scrap_reason=by_reason(CHIP=2, JAM=3)) == []
    assert told(scrap_quantity=pieces(6), scrap_reason=by_reason(CHIP=2, JAM=3)) == [
        "(root): scrap_reason comes to 5, scrap_quantity is 6"
    ]
    assert told(rework_quantity=None, rework_reason=by_reason(CHIP=2)) == [
        "(root): rework_reason is given without rework_quantity"
    ]


def test_counted_pieces_have_a_serial_number_each() -> None:
    assert told(material_actual=[made(pieces(2), "S1", "S2")]) == []
    assert told(material_actual=[made(pieces("2.5", "KGM"), "S1")]) == []
    assert told(material_actual=[made(pieces(3), "S1", "S2")]) == [
        "material_actual/0: material_sub_lot_id has 2 serial numbers for 3 pieces"
    ]
    assert told(material_actual=[made(pieces(2), "S1", "S1")]) == [
        "material_actual/0: material_sub_lot_id has S1 more than once"
    ]


def test_a_serial_number_is_made_once_in_all_lines() -> None:
    lines = [made(pieces(1), "S1"), made(pieces(1), "S1", use="Yield Produced")]
    assert told(material_actual=lines) == [
        "(root): material_actual.material_sub_lot_id has S1 more than once"
    ]
    assert told(material_actual=[made(pieces(1), "S1"), made(pieces(1), "S1", use="Consumed")]) == []


def test_set_up_processing_and_teardown_follow_each_other() -> None:
    assert told(processing_start_time=None, setup_end_time="2026-03-02T06:00:00Z") == []
    (finding,) = told(actual_end_time="2026-03-02T06:10:00Z")
    assert finding.startswith(
        "(root): actual_end_time 2026-03-02T06:10:00+00:00 is before processing_end_time"
    )


def test_labour_is_in_hours() -> None:
    assert told(personnel_actual=[{"person_id": "P-77", "quantity": pieces(90, "MIN")}]) == [
        "personnel_actual/0: quantity is in MIN, expected HUR"
    ]


def test_a_reversal_is_not_of_itself() -> None:
    assert told(id="CF-1", reversal_of="CF-0") == []
    assert told(id="CF-1", reversal_of="CF-1") == ["(root): reversal_of CF-1 is the confirmation itself"]


def test_a_word_of_the_owner_becomes_other() -> None:
    document = example_of(ProductionConfirmation)
    document["material_actual"][0]["material_use"] = "Sampled by hand"
    assert SCHEMA.convert(document).material_actual[0].material_use == "Other"
    assert told(material_actual=[made(pieces(1)) | {"material_use": 7}])
