"""Assets: the state they are in, what stands open at them, and every event of them.

Whoever asks for the equipment is told of the physical asset in it, and the other way round: each has a row,
which names the other. Machines tell of equipment, the CMMS of physical assets.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lineshaft.ledger.projections.folding import Fact, Row, RowKey, latest
from lineshaft.ledger.projections.told import Told

__all__ = ["NAME", "TYPES_BEGIN", "columns_of", "facts", "ids_of"]

NAME = "asset_status"
TYPES_BEGIN = ("equipment.", "maintenance.")
_FIELDS = ("equipment_id", "physical_asset_id")
_OPEN_REQUEST = {"new", "screened", "converted"}
_ENDED = {"Completed", "Cancelled", "Closed"}
_EXECUTE = 6  # the state in which PackML equipment produces


def ids_of(told: Told) -> list[str]:
    return list(dict.fromkeys(key for name in _FIELDS if (key := told.key(name))))


def columns_of(row: Row) -> dict[str, str]:
    """condition: the worst thing that stands open, else what the equipment does; empty: nothing is known."""
    kinds = {slot.partition(":")[0] for slot in row.items}
    state = (latest(row, "state") or {}).get("state")
    does = "" if not state else "running" if state == _EXECUTE else "standing"
    condition = next((kind for kind in ("downtime", "alarm") if kind in kinds), does)
    return {
        "condition": "down" if condition == "downtime" else condition,
        "equipment_id": (latest(row, "ids") or {}).get("equipment_id", ""),
    }


def facts(told: Told) -> Iterator[Fact]:
    found = told.picked(*_FIELDS)
    for asset in ids_of(told):
        row = told.row(NAME, asset)
        yield told.last_event(row)
        if len(found) > 1:
            yield told.register(row, "ids", found)
    about = told.key(*(_FIELDS if told.event.type.startswith("equipment.") else _FIELDS[::-1]))
    if about:
        yield from _of_type(told, told.row(NAME, about), about)


def _of_type(told: Told, row: RowKey, asset: str) -> Iterator[Fact]:
    payload = told.payload
    match told.event.type.split("."):
        case ["equipment", "state", "changed", _]:
            shown = told.picked("state", "mode", "reason_code", "start_time")
            yield told.register(row, "state", shown)
        case ["equipment", "downtime", "started" | "ended" as verb, _]:
            stop = (asset, told.key("rule"), told.key("start_time"))
            shown = told.picked("rule", "start_time", "reason_code", "upstream", "job_order_id")
            is_over = verb == "ended"
            yield told.part(row, "downtime", *stop, rank=int(is_over), item=None if is_over else shown)
        case ["equipment", "alarm", "raised" | "cleared" as verb, _]:
            alarm = (asset, told.key("alarm_id"), told.key("raised_time"))
            shown = told.picked("alarm_id", "severity", "message", "raised_time")
            is_over = verb == "cleared"
            yield told.part(row, "alarm", *alarm, rank=int(is_over), item=None if is_over else shown)
        case ["maintenance", "request", _, _]:
            request, order = told.key("id"), told.key("maintenance_order_id")
            is_open = payload.get("state", "new") in _OPEN_REQUEST
            shown = {"id": request, **told.picked("priority", "description", "state", "malfunction_start")}
            yield told.part(row, "request", asset, request, item=shown if is_open else None)
            if order:
                yield _order(told, row, asset, order, {"maintenance_request_id": request})
        case ["maintenance", "order", "settled", _]:
            pass
        case ["maintenance", "order", verb, _]:
            order, request = told.key("id", "maintenance_order_id"), told.key("maintenance_request_id")
            is_over = verb in {"completed", "cancelled", "closed"} or payload.get("state") in _ENDED
            yield _order(told, row, asset, order, None if is_over else told.payload, rank=2 if is_over else 1)
            if request and is_over:
                yield told.part(row, "request", asset, request, rank=1)


def _order(
    told: Told, row: RowKey, asset: str, order: str, of: dict[str, Any] | None, *, rank: int = 0
) -> Fact:
    if of is None:
        return told.part(row, "order", asset, order, rank=rank)
    names = ("maintenance_request_id", "maintenance_type", "start_time", "end_time")
    shown = {"id": order, "state": of.get("state", "Released")} | {
        name: of[name] for name in names if of.get(name) is not None
    }
    return told.part(row, "order", asset, order, rank=rank, item=shown)
