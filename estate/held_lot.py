"""A lot of spare parts is held: its parts are set aside until the quality lead says what becomes of them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from lineshaft.contracts.catalogue import Inventory
from lineshaft.contracts.events.quality import HOLD_PLACED
from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Key, Value
from lineshaft.model.inventory import MaterialAtSite, Release, Reservation, Withdrawal
from lineshaft.model.quality import QualityHold
from lineshaft.processes import Context, process

__all__ = ["LABORATORY", "LotFate", "Verdict", "held_lot"]

LABORATORY = {"qms": {"connector": "events", "title": "Laboratory", "options": {"kind": "qms"}}}
"""The system that tells of holds, as it is in the settings."""

_PATIENCE = timedelta(days=7)


class LotFate(StrEnum):
    FREED = "freed"
    SCRAPPED = "scrapped"


class Verdict(Value, frozen=True, kw_only=True):
    fate: LotFate
    reservation_id: Key
    decided_by: str


@process(
    name="held_lot",
    version=1,
    starts_on=HOLD_PLACED,
    key=lambda hold: hold.id,
    uses=(Inventory,),
    owner="quality",
)
async def held_lot(ctx: Context, hold: QualityHold) -> Verdict:
    """A lot is named `<material>/<number>`; one part of it is in stock."""
    inventory = ctx.system(Inventory)
    lot = hold.scope.material_lot_id or ""
    stock = await inventory.availability(
        MaterialAtSite(material_definition_id=lot.partition("/")[0], site=ctx.plant)
    )
    part = Quantity(value=Decimal(1), unit=stock.quantity.unit)
    aside = await ctx.undoable(
        inventory.reserve(
            Reservation(
                for_reference=hold.id,
                line=1,
                material_definition_id=stock.material_definition_id,
                site=ctx.plant,
                quantity=part,
                required_time=hold.placed_time,
            )
        ),
        lambda made: inventory.release(Release(reservation_id=str(made.id))),
    )
    reservation_id = str(aside.id)
    decision = await ctx.approve(
        "quality-lead", _PATIENCE, question=f"May the parts of lot {lot} be used? ({hold.reason_code})"
    )
    if decision.approved:
        await inventory.release(Release(reservation_id=reservation_id))
    else:
        await inventory.withdraw(Withdrawal(reservation_id=reservation_id, quantity=part))
    return Verdict(
        fate=LotFate.FREED if decision.approved else LotFate.SCRAPPED,
        reservation_id=reservation_id,
        decided_by=decision.by,
    )
