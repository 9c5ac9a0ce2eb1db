"""Values whose fields contradict each other are refused; the rule names the field."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lineshaft.contracts.examples import example_of
from lineshaft.core.values import Value
from lineshaft.model.entities import ENTITIES
from lineshaft.model.enumerations import Extensible
from lineshaft.model.logistics import StockHold, TransferTask
from lineshaft.model.orders import OrderDispatch
from lineshaft.model.postings import StockAdjustment
from lineshaft.model.quality import HoldRequest
from lineshaft.model.work import MaintenanceOrderRecord

AN_HOUR_BEFORE = "2026-03-02T05:00:00Z"
NOTHING = {"value": "0", "unit": "C62"}
CASES: list[tuple[type[Value], dict[str, Any], str]] = [
    (ENTITIES["equipment"].value, {"equipment_level": "Site", "time_zone": None}, "no time_zone"),
    (ENTITIES["operations_request"].value, {"end_time": AN_HOUR_BEFORE}, "end_time .* before start_time"),
    (ENTITIES["operations_request"].value, {"quantity": NOTHING}, "quantity is 0"),
    (ENTITIES["material_definition"].value, {"gtin": "04012345000017"}, "gtin .* wrong check digit"),
    (ENTITIES["handling_unit"].value, {"id": "340123450000000019"}, "id .* wrong check digit"),
    (ENTITIES["material_movement"].value, {"quantity": NOTHING}, "quantity is 0"),
    (ENTITIES["material_movement"].value, {"reference_id": None}, "asks for a reference_id"),
    (ENTITIES["material_movement"].value, {"material_sub_lot_id": ["S1", "S1"]}, "more than once"),
    (ENTITIES["quality_hold"].value, {"state": "released", "released_by": None}, "expected released_time"),
    (ENTITIES["quality_hold"].value, {"scope": {}}, "exactly one of"),
    (ENTITIES["nonconformance"].value, {"disposition": "scrap"}, "scrap does not go with state open"),
    (ENTITIES["operations_capability"].value, {"quantity": NOTHING}, "in C62, expected HUR"),
    (MaintenanceOrderRecord, {"state": "Completed", "completion": None}, "has no completion"),
    (HoldRequest, {"operations_request_id": "PO-1"}, "exactly one of"),
    (OrderDispatch, {"operations_request_id": "PO-1"}, "PO-1 is not that of the order"),
    (StockAdjustment, {"quantity": NOTHING}, "nothing to correct"),
    (StockHold, {"material_lot_id": None, "handling_unit_id": None}, "expected a material_lot_id or"),
    (TransferTask, {"handling_unit_id": None, "quantity": None}, "expected a handling_unit_id, or"),
]


@pytest.mark.parametrize(("kind", "changes", "said"), CASES, ids=lambda part: getattr(part, "__name__", None))
def test_a_contradiction_is_refused(kind: type[Value], changes: dict[str, Any], said: str) -> None:
    document = example_of(kind)
    msgspec.convert(document, kind)
    with pytest.raises(msgspec.ValidationError, match=said):
        msgspec.convert(document | changes, kind)


def test_an_inspection_with_a_failed_measurement_is_not_simply_accepted() -> None:
    kind = ENTITIES["test_result"].value
    document = example_of(kind)
    document["property_measurement"][0]["result"] = "fail"
    with pytest.raises(msgspec.ValidationError, match="accepted with a property_measurement that failed"):
        msgspec.convert(document, kind)
    msgspec.convert(document | {"evaluated_criterion_result": "accepted_with_deviation"}, kind)


@pytest.mark.parametrize("kind", Extensible.__subclasses__(), ids=lambda kind: kind.__name__)
def test_an_enumeration_of_the_standard_can_grow(kind: type[Extensible]) -> None:
    assert list(kind)[-1] == "Other"
    assert kind("a word of their own") is kind["OTHER"]
    assert msgspec.json.decode(b'"a word of their own"', type=kind) is kind["OTHER"]
    with pytest.raises(ValueError, match="7 is not a valid"):
        kind(7)
