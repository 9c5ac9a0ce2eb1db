"""Stock by material and site: the balances of the system of record, and what is promised of them."""

from __future__ import annotations

from collections.abc import Iterator

from lineshaft.ledger.projections.folding import Fact, RowKey
from lineshaft.ledger.projections.told import Told, key_text

__all__ = ["NAME", "TYPES", "facts"]

NAME = "stock_levels"
_UNRESTRICTED, _RESTRICTED = "UnRestricted", "Restricted"
_OPEN = {"open", "partial"}
_DIGITS = 32
_OF_A_MOVEMENT = ("id", "movement_type", "quantity", "posting_date", "reference", "reference_id")
TYPES = frozenset(
    f"inventory.{name}.v1"
    for name in ("balance.changed", "reservation.created", "reservation.released", "movement.posted")
)


def facts(told: Told) -> Iterator[Fact]:
    material = told.key("material_definition_id")
    row = told.row(NAME, material, told.key("site") or key_text(told.event.plant))
    match told.event.type.split(".")[1]:
        case "balance":
            yield told.last_event(row)
            yield _balance(told, row)
        case "reservation":
            yield _reservation(told, row)
        case "movement":
            yield told.register(row, "last_movement", told.picked(*_OF_A_MOVEMENT))


def _balance(told: Told, row: RowKey) -> Fact:
    """One balance per place, lot and kind of stock; what its system of record said earlier is over.

    Its sequence orders it; numbers of different lengths compare as numbers.
    """
    said = str(told.get("source_sequence") or "")
    sequence = said.zfill(_DIGITS) if said.isdigit() else said
    kind = str(told.get("stock_type") or _UNRESTRICTED)
    place = [told.key(name) for name in ("storage_location", "material_lot_id")]
    sums = told.amounts(quantity="quantity", reserved_quantity="reserved_quantity")
    if kind == _RESTRICTED:
        sums |= told.amounts(blocked_quantity="quantity")
    shown = {"stock_type": kind, "source_sequence": said}
    shown |= told.picked("quantity", "as_of", "storage_location", "material_lot_id")
    return told.part(row, "balance", *row[2:], kind, *place, sequence=sequence, sums=sums, item=shown)


def _reservation(told: Told, row: RowKey) -> Fact:
    """Promised while it is open. A release may tell no more than the reservation's id."""
    reservation = told.key("id", "reservation_id")
    is_open = told.verb == "created" and told.payload.get("state", "open") in _OPEN
    sums = told.amounts(promised_quantity="quantity") if is_open else {}
    for unit, withdrawn in told.amount("withdrawn_quantity").items():
        if unit in sums.get("promised_quantity", {}):
            sums["promised_quantity"][unit] -= withdrawn
    shown = (
        {"id": reservation, **told.picked("for_reference", "quantity", "required_time")} if is_open else None
    )
    return told.part(
        row,
        "reservation",
        key_text(reservation),
        rank=int(told.verb != "created"),
        sums=sums,
        item=shown if is_open else None,
    )
