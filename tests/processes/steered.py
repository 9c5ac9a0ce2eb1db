"""Processes that come to a stop in every way, and what people need to steer them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from lineshaft.contracts.catalogue import THRESHOLD_EXCEEDED
from lineshaft.core.clock import Clock
from lineshaft.core.values import Value
from lineshaft.model.condition import ThresholdExceeded
from lineshaft.processes import Context, ProcessDefinition, process
from lineshaft.processes.actions import Actions
from lineshaft.store import Store
from tests.books import BOOKED, Books, Posting

__all__ = ["LOADED", "WHY", "Paid", "actions_on", "asking", "household", "paying"]

HOUR = timedelta(hours=1)
LOADED = {"paying": [1], "asking": [1], "household": [1]}
WHY = {"by": "anna", "reason": "the period is open again"}


class Paid(Value, frozen=True, kw_only=True):
    text: str = ""


@process(
    name="paying",
    version=1,
    starts_on=THRESHOLD_EXCEEDED,
    key=lambda breach: f"pay/{breach.rule}",
    uses=(Books,),
    owner="finance",
)
async def paying(ctx: Context, breach: ThresholdExceeded) -> Paid:
    """Two calls."""
    books = ctx.system(Books)
    one = await books.post(Posting(reference=f"{breach.rule}-1", amount=1))
    two = await books.post(Posting(reference=f"{breach.rule}-2", amount=2))
    return Paid(text=f"{one.id} {two.id}")


@process(
    name="asking",
    version=1,
    starts_on=THRESHOLD_EXCEEDED,
    key=lambda breach: f"ask/{breach.rule}",
    waits_on=(BOOKED,),
    owner="finance",
)
async def asking(ctx: Context, breach: ThresholdExceeded) -> Paid:
    """An event, a person, and a pause."""
    booked = await ctx.wait_for(BOOKED, f"{breach.rule}-ext", HOUR)
    decision = await ctx.approve("controller", HOUR, question=f"Pay {booked.amount}?")
    await ctx.sleep(HOUR)
    return Paid(text=f"{decision.by}: {decision.approved}")


@process(
    name="household",
    version=1,
    starts_on=THRESHOLD_EXCEEDED,
    key=lambda breach: f"house/{breach.rule}",
    children=(asking,),
    owner="finance",
)
async def household(ctx: Context, breach: ThresholdExceeded) -> Paid:
    """Another process."""
    result: Paid = await ctx.child(asking, breach)
    return result


def actions_on(store: Store, definitions: Sequence[ProcessDefinition], clock: Clock) -> Actions:
    return Actions(store, definitions, lambda connection, action: None, clock, zone=ZoneInfo("Europe/Berlin"))
