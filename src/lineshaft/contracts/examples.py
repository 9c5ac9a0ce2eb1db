"""An example of every payload, made from its type: the same each time, and valid under its contract.

A name says more of a value than its type does. What the names below do not cover is told by the type.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import msgspec
from msgspec import inspect

from lineshaft.contracts.capability import Operation
from lineshaft.contracts.event import EventContract
from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Value

__all__ = ["example", "example_of"]

_TEXTS = {
    "base_unit_of_measure": "C62",
    "description": "Product pump of filler 2",
    "equipment_id": "FILLER-2",
    "event_id": "6f1f8f3e-52a4-5d35-9d4e-0f6a4c7d1b22",
    "exception_code": "SHORT-STAFFED",
    "handling_unit_id": "340123450000000017",
    "hierarchy_scope": "northspring/leipzig/filling",
    "job_order": "JO-40017-10",
    "job_order_id": "JO-40017-10",
    "line": "10",
    "lower_limit": "2.2",
    "material_definition_id": "WATER-05",
    "material_lot_id": "LOT-2026-0302",
    "operation": "0010",
    "operations_request": "PO-40017",
    "operations_request_id": "PO-40017",
    "original_key": "0d0c2f0e-95c6-5a3c-8b43-3f9d3b5e7a10",
    "owner": "production",
    "person_id": "P-77",
    "physical_asset_id": "PUMP-7",
    "production_confirmation": "CF-40017-10-1",
    "property": "pressure",
    "reason": "Waits for parts",
    "reason_code": "MECH-JAM",
    "rule": "filler-pressure-low",
    "rule_version": "1",
    "segment_requirement_id": "0010",
    "shift_id": "early",
    "site": "leipzig",
    "source_sequence": "000000000042",
    "storage_location": "LEIPZIG-FG",
    "tag": "filler-2.pressure",
    "time_zone": "Europe/Berlin",
    "topic": "spBv1.0/leipzig/DDATA/filler-2/plc",
    "unit": "BAR",
    "unit_of_measure": "C62",
    "upper_limit": "4.5",
    "value": "3.2",
    "work_center_id": "LINE-2",
}
_PATTERNS = {
    "^[0-9]{18}$": "340123450000000017",
    "^[0-9]{17}$": "40123450000000016",
    "^[0-9]{14}$": "04012345000016",
    "^[0-9]{13}$": "4012345000009",
    "^[0-9]{9}$": "312345678",
    "^[A-Z]{2,4}$": "DBSC",
    "^[A-Z]{3}$": "EUR",
}
"""Numbers end in their GS1 check digit."""
_NUMBERS = {
    "good_quantity": "298",
    "hours": "1.5",
    "hourly_rate": "52.00",
    "amount": "78.00",
    "labour_amount": "78.00",
    "planned_quantity": "12000",
    "cumulative_quantity": "6000",
    "quantity": "300",
    "yield_quantity": "298",
    "threshold": "400",
}
_BY_UNIT = {"HUR": "1.5", "KGM": "412.5"}
_STARTS, _ENDS = "2026-03-02T06:00:00Z", "2026-03-02T06:20:00Z"
_BETWEEN = {
    "setup_end_time": "2026-03-02T06:05:00Z",
    "processing_start_time": "2026-03-02T06:05:00Z",
    "processing_end_time": "2026-03-02T06:18:00Z",
}
_DATE, _LATER_DATE = "2026-03-02", "2026-03-04"
_LEFT_OUT = {"actual_departure", "other_value", "parent_sscc", "reversal_of"}
_SINGLE = {"value": "1", "unit": "C62"}
_BY_TYPE: dict[str, dict[str, Any]] = {
    "AcceptedCount": {"material_sub_lot_id": []},
    "ComponentConsumption": {"quantity": _SINGLE},
    "CountReceipt": {"quantity": _SINGLE},
    "CountedOrder": {"material_sub_lot_id": []},
    "HandlingUnitContent": {"quantity": _SINGLE},
    "HandlingUnitReceipt": {"quantity": _SINGLE},
    "HoldRequest": {"handling_unit_id": None, "operations_request_id": None},
    "HoldScope": {"handling_unit_id": None, "operations_request_id": None},
    "MaterialMovement": {"quantity": _SINGLE},
    "MaterialUsed": {"quantity": _SINGLE},
    "QuantityByReason": {"quantity": _SINGLE},
    "StateChange": {"state": 11, "previous": 6},
}
"""Where fields of a value depend on each other."""


def example(contract: EventContract[Any] | Operation) -> dict[str, Any]:
    """The data of an event, or the request of an operation, which does not carry what the answer fills."""
    if isinstance(contract, EventContract):
        made: dict[str, Any] = example_of(contract.data)
        return made
    request: dict[str, Any] = example_of(contract.request)
    if contract.document not in contract.key:
        optional = {field.name for field in msgspec.structs.fields(contract.request) if not field.required}
        for name in optional & {contract.document}:
            del request[name]
    return request


def example_of(type: type[Value]) -> Any:
    """As JSON has it."""
    return _of(inspect.type_info(type), "", {})


def _of(found: inspect.Type, name: str, facets: dict[str, Any]) -> Any:  # noqa: PLR0911 - one for each kind
    match found:
        case inspect.Metadata(type=inner, extra_json_schema=extra):
            return _of(inner, name, facets | (extra or {}))
        case inspect.UnionType(types=types):
            some = [each for each in types if not isinstance(each, inspect.NoneType)]
            return _of(some[0], name, facets)
        case inspect.StructType(cls=cls) if cls is Quantity:
            unit = facets.get("x-unit", "C62")
            return {"value": _BY_UNIT.get(unit) or _NUMBERS.get(name, "1"), "unit": unit}
        case inspect.StructType(cls=cls, fields=fields):
            made = {
                field.encode_name: _of(field.type, _name(cls, field.encode_name), {})
                for field in fields
                if field.required or field.encode_name not in _LEFT_OUT
            }
            return made | _BY_TYPE.get(cls.__name__, {})
        case inspect.ListType(item_type=item):
            return [_of(item, name, facets)]
        case inspect.DictType(value_type=value):
            return {"EXECUTE": _of(value, name, facets)}
        case inspect.EnumType(cls=kind):
            return _member(kind)
        case _:
            return _scalar(found, name)


def _name(owner: type, name: str) -> str:
    """`id` says nothing without the name of its type."""
    return _words(owner.__name__) if name == "id" else name


def _words(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).strip("_")


def _member(kind: type[Enum]) -> Any:
    return next(iter(kind)).value


def _scalar(found: inspect.Type, name: str) -> Any:  # noqa: PLR0911 - one for each kind
    ends = any(part in name for part in ("arrival", "detected", "end", "expires", "finish", "released"))
    match found:
        case inspect.StrType(pattern=pattern):
            return _PATTERNS.get(pattern or "") or _TEXTS.get(name) or _identifier(name)
        case inspect.DateTimeType():
            return _BETWEEN.get(name) or (_ENDS if ends else _STARTS)
        case inspect.DateType():
            return _LATER_DATE if ends or "required" in name else _DATE
        case inspect.TimeDeltaType():
            return "P180D"
        case inspect.DecimalType():
            return _NUMBERS.get(name, "1")
        case inspect.IntType():
            return 1
        case inspect.FloatType():
            return 3.2
        case inspect.BoolType():
            return True
        case _:
            raise TypeError(f"{name}: {found} has no example yet; say in {__name__} how one looks")


def _identifier(name: str) -> str:
    """`maintenance_order_id` → `MO-1`"""
    words = name.removesuffix("_id").split("_")
    return f"{''.join(word[0] for word in words if word).upper()}-1"
