"""Order status: what is planned, what is made of it, by which jobs, and what ERP has of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lineshaft.ledger.projections.folding import Fact, Part, Row, RowKey, latest
from lineshaft.ledger.projections.told import Told

__all__ = ["NAME", "TYPES", "facts", "state_of"]

NAME = "order_status"
_JOB_STATES = {"dispatched": "Dispatched", "started": "Running", "completed": "Completed"}
_ORDER_STATES = {"released": "Released", "held": "Held", "cancelled": "Cancelled", "closed": "Closed"}
_PLANNED = (
    "material_definition_id",
    "order_type",
    "quantity",
    "start_time",
    "end_time",
    "priority",
    "customer_order_id",
)
_OF_A_JOB = (
    "segment_requirement_id",
    "equipment_id",
    "quantity",
    "start_time",
    "end_time",
    "dispatch_status",
)
_SETTLED = {"Cancelled", "Aborted", "Closed", "Completed"}
_MADE = {"yield_quantity", "scrap_quantity", "rework_quantity", "accepted_quantity"}
_BEGUN = {"Running", "Held", "Suspended", "Completed", "Closed"}
TYPES = frozenset(
    {f"production.order.{verb}.v1" for verb in (*_ORDER_STATES, "changed")}
    | {f"production.job.{verb}.v1" for verb in _JOB_STATES}
    | {f"production.confirmation.{verb}.v1" for verb in ("recorded", "posted", "rejected", "reversed")}
    | {"production.count.accepted.v1"}
)


def facts(told: Told) -> Iterator[Fact]:
    domain, entity = told.event.type.split(".")[:2]
    is_order = (domain, entity) == ("production", "order")
    order = told.key("id", "operations_request_id") if is_order else told.key("operations_request_id")
    row = told.row(NAME, order)
    if order:
        yield told.last_event(row)
    match entity:
        case "order":
            if "quantity" in told.payload:
                yield told.register(row, "planned", told.picked(*_PLANNED))
            state = told.get("request_state") or _ORDER_STATES.get(told.verb)
            if state:
                yield told.register(row, "state", {"state": state, **told.picked("reason_code")})
        case "job":
            job = told.key("id", "job_order_id")
            shown = {"id": job, "dispatch_status": _JOB_STATES[told.verb], **told.picked(*_OF_A_JOB)}
            yield told.part(row, "job", job, item=shown)
        case "confirmation":
            yield from _confirmation(told, row)
        case "count":
            window = [told.key(name) for name in ("equipment_id", "property", "epoch", "start_time")]
            revision = f"{told.get('revision') or 0:09d}"
            sums = told.amounts(accepted_quantity="quantity")
            yield told.part(row, "count", *window, sequence=revision, sums=sums)


def _confirmation(told: Told, row: RowKey) -> Iterator[Part]:
    """A reversal voids the one that it reverses, whichever comes first. What ERP did with it is beside it."""
    reversed_one = told.key("reversal_of", "confirmation_id")
    confirmation, revision = told.key("id"), f"{told.get('revision') or 0:09d}"
    if told.verb == "reversed" or reversed_one:
        yield told.part(row, "confirmation", reversed_one or confirmation, rank=1)
    elif told.verb == "recorded":
        made = {name: name for name in ("yield_quantity", "scrap_quantity", "rework_quantity")}
        is_final = told.get("confirmation_type") == "final"
        item = told.picked("segment_requirement_id", "actual_end_time") if is_final else None
        sums = told.amounts(**made)
        yield told.part(row, "confirmation", confirmation, sequence=revision, sums=sums, item=item)
    else:
        item = {"id": confirmation, "state": told.verb, **told.picked("document", "code", "reason")}
        yield told.part(row, "posting", confirmation, sequence=revision, item=item)


def state_of(row: Row) -> str:
    """ERP's word where it ends or stops an order; else what the jobs and final confirmations say."""
    said = (latest(row, "state") or {}).get("state", "")
    if said in _SETTLED or said in {"Held", "Suspended"}:
        return str(said)
    states = [item["dispatch_status"] for item in _items(row, "job")]
    if states and all(state in _SETTLED for state in states):
        return "Completed"
    if any(state in _BEGUN for state in states) or row.sums.keys() & _MADE:
        return "Running"
    return str(said or ("Released" if states else ""))


def _items(row: Row, name: str) -> list[dict[str, Any]]:
    return [item for slot, item in row.items.items() if slot.startswith(f"{name}:")]
