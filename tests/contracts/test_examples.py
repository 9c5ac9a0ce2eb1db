"""Examples say what a payload looks like, and only what its sender can know."""

from __future__ import annotations

from datetime import time

import msgspec
import pytest

from lineshaft.contracts.catalogue import EVENTS, operation
from lineshaft.contracts.examples import example, example_of
from lineshaft.core.values import Value


def test_a_request_does_not_carry_the_number_that_its_answer_gives() -> None:
    create = operation("maintenance.create_request")
    assert "id" not in example(create)
    assert "id" in example_of(create.reply)
    assert "id" in example(EVENTS["maintenance.request.created.v1"])


def test_a_number_that_is_asked_for_stays() -> None:
    assert example(operation("orders.post_confirmation"))["id"] == "CF-40017-10-1"
    assert example(operation("inventory.withdraw"))["reservation_id"]


def test_an_example_can_be_changed_without_changing_the_next() -> None:
    first = example_of(operation("orders.post_confirmation").request)
    first["material_actual"].clear()
    assert example_of(operation("orders.post_confirmation").request)["material_actual"]


def test_a_quantity_is_in_the_unit_of_its_field() -> None:
    labour = example(operation("orders.post_confirmation"))["personnel_actual"][0]
    assert labour["quantity"]["unit"] == "HUR"


def test_a_type_without_an_example_is_named() -> None:
    odd = msgspec.defstruct("Odd", [("at", time)], bases=(Value,), frozen=True, kw_only=True)
    with pytest.raises(TypeError, match=r"at: .* has no example yet"):
        example_of(odd)
