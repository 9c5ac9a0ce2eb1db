"""When a count may be received: one row per condition, and the tolerance for any pair."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.core.errors import BusinessFault
from lineshaft.model.aggregates import CountAggregate
from lineshaft.model.counting import CountedOrder, OperationsRequestState
from lineshaft.processes.count_rules import accept, within_tolerance
from tests.facts import count, counted_order, pieces

SERIALS = {"serial_managed": True}


def test_the_quantity_of_the_mes_is_what_is_accepted() -> None:
    accepted = accept(count(301), counted_order(300, material_lot_id="LOT-9", lot_managed=True))
    assert (accepted.quantity, accepted.counted_quantity) == (pieces(300), pieces(301))
    assert (accepted.operations_request_id, accepted.operations_segment_id) == ("PO-9", "10")
    assert (accepted.from_count, accepted.to_count, accepted.epoch) == (1000, 1301, count().epoch)
    assert (accepted.material_lot_id, accepted.restricted) == ("LOT-9", False)


@pytest.mark.parametrize(
    ("counted", "order", "code"),
    [
        (count(complete=False), counted_order(), "incomplete_count"),
        (count(302), counted_order(300), "count_mismatch"),
        (count(298), counted_order(300), "count_mismatch"),
        (count(301), counted_order(300), ""),
        (count(299), counted_order(300), ""),
        (count(10_050), counted_order(10_000), ""),
        (count(10_051), counted_order(10_000), "count_mismatch"),
        (count(0), counted_order(0), ""),
        (count(1), counted_order(0), ""),
        (count(2), counted_order(0), "count_mismatch"),
        (msgspec.structs.replace(count(), quantity=pieces(300, "KGM")), counted_order(300), "unit_mismatch"),
        (msgspec.structs.replace(count(), quantity=pieces(300, "H87")), counted_order(300), ""),
        (count(310), counted_order(300, scrap_quantity=pieces(10), counts_scrap=True), ""),
        (count(310), counted_order(300, scrap_quantity=pieces(10)), "count_mismatch"),
        (count(300), counted_order(300, scrap_quantity=pieces(10)), ""),
        (count(), counted_order(cumulative_quantity=pieces(120_000)), ""),
        (count(), counted_order(cumulative_quantity=pieces(120_001)), "over_delivery"),
        (
            count(),
            counted_order(cumulative_quantity=pieces(126_000), over_delivery_tolerance=Decimal(5)),
            "",
        ),
        (
            count(),
            counted_order(cumulative_quantity=pieces(126_001), over_delivery_tolerance=Decimal(5)),
            "over_delivery",
        ),
        (count(), counted_order(lot_managed=True), "lot_missing"),
        (count(), counted_order(lot_managed=True, material_lot_id="LOT-9"), ""),
        (count(2), counted_order(2, **SERIALS), "serials_missing"),
        (count(2), counted_order(2, **SERIALS, material_sub_lot_id=["A"]), "serials_missing"),
        (count(2), counted_order(2, **SERIALS, material_sub_lot_id=["A", "A"]), "serials_missing"),
        (count(2), counted_order(2, **SERIALS, material_sub_lot_id=["A", "B", "B"]), "serials_missing"),
        (count(2), counted_order(2, **SERIALS, material_sub_lot_id=["A", "B"]), ""),
    ],
)
def test_each_condition(counted: CountAggregate, order: CountedOrder, code: str) -> None:
    assert refusal(counted, order) == code


@pytest.mark.parametrize("state", list(OperationsRequestState))
def test_the_order_is_released_or_running(state: OperationsRequestState) -> None:
    expected = "" if state in {"Released", "Running"} else "order_not_open"
    assert refusal(count(), counted_order(request_state=state)) == expected


def test_under_a_hold_it_goes_into_restricted_stock() -> None:
    assert accept(count(), counted_order(on_hold=True)).restricted


def refusal(counted: CountAggregate, order: CountedOrder) -> str:
    """Its code; empty for what is accepted."""
    try:
        accepted = accept(counted, order)
    except BusinessFault as fault:
        return fault.code if fault.owner == "production" and fault.hint else "incomplete fault"
    assert accepted.quantity == order.good_quantity
    return ""


amounts = st.decimals(0, 10**7, places=3)


@given(amounts, amounts)
def test_within_one_piece_or_half_a_percent(sensor: Decimal, mes: Decimal) -> None:
    apart = abs(sensor - mes)
    assert within_tolerance(sensor, mes) is (apart <= 1 or 200 * apart <= mes)
    assert within_tolerance(mes, mes)
