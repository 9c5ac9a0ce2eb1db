"""Quality by lot, and each inspection, nonconformance and hold by its own id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lineshaft.ledger.projections.folding import Fact, Row
from lineshaft.ledger.projections.told import Told, key_text

__all__ = ["LOTS", "OUTCOMES", "TYPES", "facts", "lot_state", "outcome_columns"]

LOTS, OUTCOMES = "quality_lots", "quality_outcomes"
_OF_AN_INSPECTION = (
    "material_definition_id",
    "operations_request_id",
    "testable_object_id",
    "evaluated_criterion_result",
    "evaluation_date",
    "sample_size",
)
_OF_A_NONCONFORMANCE = (
    "material_definition_id",
    "quantity",
    "defect_code",
    "origin",
    "disposition",
    "state",
)
_OF_A_HOLD = (
    "material_definition_id",
    "reason_code",
    "scope",
    "placed_time",
    "placed_by",
    "released_time",
    "released_by",
)
_FACTS: Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "inspection": (
        "requested completed",
        ("inspection_id", "inspection_request_id", "id"),
        _OF_AN_INSPECTION,
    ),
    "nonconformance": ("raised dispositioned", ("nonconformance_id", "id"), _OF_A_NONCONFORMANCE),
    "hold": ("placed released", ("quality_hold_id", "hold_id", "id"), _OF_A_HOLD),
}
_STATES = {
    "requested": "requested",
    "completed": "completed",
    "raised": "open",
    "dispositioned": "dispositioned",
    "placed": "active",
    "released": "released",
}
TYPES = frozenset(
    f"quality.{kind}.{verb}.v1" for kind, (verbs, _, _) in _FACTS.items() for verb in verbs.split()
)


def facts(told: Told) -> Iterator[Fact]:
    kind = told.event.type.split(".")[1]
    verbs, id_fields, fields = _FACTS[kind]
    identity = told.key(*id_fields)
    rank = verbs.split().index(told.verb)
    scope = told.payload.get("scope")
    within = scope if isinstance(scope, Mapping) else {}
    lot = told.key("material_lot_id") or key_text(within.get("material_lot_id"))
    shown: dict[str, Any] = {"id": identity, "kind": kind, "time": told.time}
    shown |= told.picked(*fields) | ({"material_lot_id": lot} if lot else {})
    shown["state"] = shown.get("state") or _STATES[told.verb]
    if not identity:
        return
    row = told.row(LOTS, lot)
    if lot:
        yield told.last_event(row)
    yield told.part(row, kind, identity, rank=rank, item=shown)
    outcome = told.row(OUTCOMES, identity, kind)
    yield told.part(outcome, "outcome", kind, identity, rank=rank, item=shown)


def lot_state(row: Row) -> str:
    """`held` while a hold is active; else the result of the newest inspection."""
    items = list(row.items.values())
    if any(item["kind"] == "hold" and item["state"] == "active" for item in items):
        return "held"
    inspections = [item for item in items if item["kind"] == "inspection"]
    if not inspections:
        return "released" if items else ""
    newest = max(inspections, key=lambda item: (item["time"], item["id"]))
    return str(newest.get("evaluated_criterion_result") or newest["state"])


def outcome_columns(row: Row) -> dict[str, str]:
    item: Mapping[str, Any] = next(iter(row.items.values()), {})
    return {"state": item.get("state", ""), "material_lot_id": key_text(item.get("material_lot_id"))}
