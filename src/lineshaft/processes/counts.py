"""From a counted window to what may be received."""

from __future__ import annotations

from enum import StrEnum

from lineshaft.contracts.catalogue import COUNT_ACCEPTED, COUNT_AGGREGATED, Production
from lineshaft.core.clock import rfc3339
from lineshaft.core.values import Key, Value
from lineshaft.model.aggregates import CountAggregate
from lineshaft.model.counting import CountRef
from lineshaft.processes.context import Context
from lineshaft.processes.count_rules import accept
from lineshaft.processes.declare import process

__all__ = ["CountDisposition", "CountOutcome", "accept_count"]


class CountDisposition(StrEnum):
    """All but accepted: nothing to receive, and nobody has to look."""

    ACCEPTED = "accepted"
    NO_COUNT_POINT = "no_count_point"
    NO_ORDER = "no_order"
    NOTHING_MADE = "nothing_made"


class CountOutcome(Value, frozen=True, kw_only=True):
    disposition: CountDisposition
    equipment_id: Key
    operations_request_id: Key | None = None


def _window(count: CountAggregate) -> tuple[str, ...]:
    times = (rfc3339(moment) for moment in (count.epoch, count.start_time, count.end_time))
    return (count.equipment_id, count.property, *times, str(count.revision))


@process(
    name="accept_count",
    version=1,
    starts_on=COUNT_AGGREGATED,
    key=lambda count: "/".join(_window(count)),
    uses=(Production,),
    owner="production",
)
async def accept_count(ctx: Context, count: CountAggregate) -> CountOutcome:
    made = await ctx.system(Production).counted(
        CountRef(
            equipment_id=count.equipment_id,
            property=count.property,
            start_time=count.start_time,
            end_time=count.end_time,
        )
    )
    order, disposition = made.order, CountDisposition.ACCEPTED
    if not made.is_count_point:
        disposition = CountDisposition.NO_COUNT_POINT
    elif order is None:
        disposition = CountDisposition.NO_ORDER
    else:
        accepted = accept(count, order)
        if accepted.quantity.value or count.revision:  # what an earlier revision said may be gone
            shown = (f"{count.from_count:.17g}", f"{count.to_count:.17g}")
            identity = (order.operations_request_id, order.operations_segment_id, *_window(count), *shown)
            await ctx.publish(COUNT_ACCEPTED, accepted, identity)
        else:
            disposition = CountDisposition.NOTHING_MADE
    return CountOutcome(
        disposition=disposition,
        equipment_id=count.equipment_id,
        operations_request_id=order.operations_request_id if order else None,
    )
