"""From a row as it is folded to what consumers are told."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from lineshaft.contracts.consumer import AssetStatus, LotQuality, OrderStatus, QualityOutcome, StockLevel
from lineshaft.core.errors import ContractViolation
from lineshaft.core.quantity import Quantity, convert
from lineshaft.ledger.projections.folding import Row, latest
from lineshaft.ledger.projections.orders import state_of
from lineshaft.ledger.projections.quality import lot_state
from lineshaft.store.rows import converter

__all__ = ["asset_view", "lot_view", "order_view", "outcome_view", "stock_view"]

_RESTRICTED = "Restricted"
_DONE, _CALLED_OFF = {"Completed", "Closed"}, {"Cancelled", "Aborted"}
_order, _asset, _stock = converter(OrderStatus), converter(AssetStatus), converter(StockLevel)
_lot, _outcome = converter(LotQuality), converter(QualityOutcome)


def order_view(id: str, plant: str, row: Row, *, now: datetime, behind_s: float) -> OrderStatus:
    planned, said = latest(row, "planned") or {}, latest(row, "state") or {}
    state, finals, jobs = state_of(row), _items(row, "confirmation"), _items(row, "job")
    unit = (planned.get("quantity") or {}).get("unit", "")
    ends = [item["actual_end_time"] for item in finals if "actual_end_time" in item]
    ends += [job["end_time"] for job in jobs if job["dispatch_status"] == "Completed" and "end_time" in job]
    is_done = state in _DONE
    actual_end = max(map(datetime.fromisoformat, ends), default=None) if is_done else None
    delay_s = None
    if planned.get("end_time") and state not in _CALLED_OFF and not (is_done and actual_end is None):
        delay_s = ((actual_end or now) - datetime.fromisoformat(planned["end_time"])).total_seconds()
    made = {
        name: quantity
        for name in ("yield_quantity", "scrap_quantity", "rework_quantity", "accepted_quantity")
        if (quantity := _sum(row, name, unit))
    }
    if unit:
        made.setdefault("yield_quantity", Quantity(value=Decimal(0), unit=unit))
    found: dict[str, Any] = planned | _about(id, plant, row, behind_s)
    found |= {"request_state": state, "is_late": bool(delay_s and delay_s > 0), "delay_s": delay_s}
    found |= {"job_order": jobs, "confirmation": _items(row, "posting"), "actual_end_time": actual_end}
    found |= {name: said[name] for name in ("reason_code",) if name in said}
    return _order(found | made)


def asset_view(id: str, plant: str, rows: Collection[Row], *, behind_s: float) -> AssetStatus:
    """rows: of the id, and of what it is the equipment or the asset of."""
    found: dict[str, Any] = _about(id, plant, max(rows, key=lambda row: row.at), behind_s)
    for row in rows:
        found |= latest(row, "ids") or {}
        if state := latest(row, "state"):
            found["state"] = state
    for name, kind in (
        ("downtime", "downtime"),
        ("alarm", "alarm"),
        ("maintenance_request", "request"),
        ("maintenance_order", "order"),
    ):
        found[name] = [item for row in rows for item in _items(row, kind)]
    return _asset(found)


def stock_view(
    material: str, site: str, plant: str, row: Row, held: Collection[str], *, behind_s: float
) -> StockLevel:
    """held: lots of the plant under a quality hold."""
    balances = _items(row, "balance")
    unit = min((item["quantity"]["unit"] for item in balances), default="")
    on_hold = [item for item in balances if item.get("material_lot_id") in held]
    blocked = _sum(row, "blocked_quantity", unit)
    apart = _total([item["quantity"] for item in on_hold if item["stock_type"] != _RESTRICTED], unit)
    found: dict[str, Any] = _about("", plant, row, behind_s)
    found |= {
        "material_definition_id": material,
        "site": site,
        "balance": balances,
        "lots_on_hold": sorted({item["material_lot_id"] for item in on_hold}),
    }
    if unit:
        quantity = _sum(row, "quantity", unit)
        told = _sum(row, "reserved_quantity", unit)
        reserved = told if told is not None else _sum(row, "promised_quantity", unit)
        zero = Decimal(0)
        on_hand = quantity.value if quantity else zero
        kept = reserved.value if reserved else zero
        apart += blocked.value if blocked else zero
        for name, value in (
            ("quantity", on_hand),
            ("reserved_quantity", kept),
            ("blocked_quantity", apart),
            ("available_quantity", on_hand - kept - apart),
        ):
            found[name] = Quantity(value=value, unit=unit)
        found["as_of"] = max(datetime.fromisoformat(item["as_of"]) for item in balances)
    return _stock(found)


def lot_view(id: str, plant: str, row: Row, *, behind_s: float) -> LotQuality:
    found = _about("", plant, row, behind_s) | {"material_lot_id": id, "state": lot_state(row)}
    items = sorted(row.items.values(), key=lambda item: (item["time"], item["kind"], item["id"]))
    return _lot(found | {"outcome": [outcome_view(plant, item) for item in items]})


def outcome_view(plant: str, item: Mapping[str, Any]) -> QualityOutcome:
    return _outcome({**item, "plant": plant})


def _about(id: str, plant: str, row: Row, behind_s: float) -> dict[str, Any]:
    last = latest(row, "last_event")
    return {"id": id, "plant": plant, "as_of": row.at, "behind_s": behind_s, "last_event": last}


def _items(row: Row, kind: str) -> list[dict[str, Any]]:
    return [row.items[slot] for slot in sorted(row.items) if _is(slot, kind)]


def _is(slot: str, kind: str) -> bool:
    return slot.startswith(f"{kind}:")


def _sum(row: Row, name: str, unit: str) -> Quantity | None:
    by_unit = row.sums.get(name)
    if not by_unit:
        return None
    unit = unit or min(by_unit)
    return Quantity(
        value=_total([{"value": value, "unit": of} for of, value in by_unit.items()], unit), unit=unit
    )


def _total(quantities: Collection[Mapping[str, Any]], unit: str) -> Decimal:
    """In this unit; what cannot be converted to it is not in it."""
    total = Decimal(0)
    for found in quantities:
        try:
            total += convert(Quantity(value=Decimal(found["value"]), unit=found["unit"]), unit).value
        except ContractViolation:
            continue
    return Decimal(format(total.normalize(), "f"))
