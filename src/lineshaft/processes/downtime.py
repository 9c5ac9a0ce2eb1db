"""From a stop that is over to what may be posted of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from lineshaft.contracts.catalogue import (
    DOWNTIME_CLASSIFIED,
    DOWNTIME_ENDED,
    Maintenance,
    Production,
    WorkCalendar,
)
from lineshaft.core.clock import rfc3339
from lineshaft.core.values import Key, Value
from lineshaft.model.calendar import EquipmentPeriod
from lineshaft.model.downtime import ClassifiedStop, StopRef
from lineshaft.model.equipment_state import Downtime
from lineshaft.model.maintenance import AssetPeriod
from lineshaft.model.production import EquipmentRef
from lineshaft.processes.context import Context
from lineshaft.processes.declare import process
from lineshaft.processes.downtime_rules import classify, end_of, waits_for_reason

__all__ = ["DowntimeOutcome", "classify_downtime"]

_FIRST_LOOKS = (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=3))
"""Pauses before the reason is looked for again; then the stop is told as unclassified."""
_LATE_LOOKS = (timedelta(days=1), timedelta(days=2), timedelta(days=4))
"""Pauses after that, for an operator who gives the reason later."""


class DowntimeOutcome(Value, frozen=True, kw_only=True):
    """segments, postable: how many; revision: the last one that was told"""

    equipment_id: Key
    segments: int
    postable: int
    revision: int


@process(
    name="classify_downtime",
    version=1,
    starts_on=DOWNTIME_ENDED,
    key=lambda stop: f"{stop.equipment_id}/{stop.rule}/{rfc3339(stop.start_time)}",
    uses=(Production, Maintenance, WorkCalendar),
    owner="production",
)
async def classify_downtime(ctx: Context, stop: Downtime) -> DowntimeOutcome:
    production, start, end = ctx.system(Production), stop.start_time, end_of(stop)
    context = await production.context(EquipmentRef(equipment_id=stop.equipment_id))
    calendar = await ctx.system(WorkCalendar).entries(
        EquipmentPeriod(
            equipment_id=stop.equipment_id,
            work_center_id=context.work_center_id,
            start_time=start,
            end_time=end,
        )
    )
    planned = await ctx.system(Maintenance).planned_work(
        AssetPeriod(physical_asset_id=stop.physical_asset_id, start_time=start, end_time=end)
    )
    asked = StopRef(
        equipment_id=stop.equipment_id, start_time=start, end_time=end, reason_code=stop.reason_code
    )

    async def look(revision: int = 0) -> list[ClassifiedStop]:
        reason = await production.stop_reason(asked)
        return classify(stop, calendar.entries, context, reason, planned.orders, revision=revision)

    segments = await look()
    for pause in _FIRST_LOOKS:
        if not waits_for_reason(segments):
            break
        await ctx.sleep(pause)
        segments = await look()
    await _tell(ctx, segments)

    for pause in _LATE_LOOKS:
        if not waits_for_reason(segments):
            break
        await ctx.sleep(pause)
        corrected = await look(revision=1)
        if not waits_for_reason(corrected):
            changed = [new for new, old in zip(corrected, segments, strict=True) if waits_for_reason([old])]
            await _tell(ctx, changed)
            segments = corrected
    return DowntimeOutcome(
        equipment_id=stop.equipment_id,
        segments=len(segments),
        postable=sum(segment.erp_postable for segment in segments),
        revision=segments[-1].revision,
    )


async def _tell(ctx: Context, segments: Sequence[ClassifiedStop]) -> None:
    for segment in segments:
        identity = (
            segment.equipment_id,
            segment.rule,
            rfc3339(segment.stop_start_time),
            str(segment.segment),
            str(segment.revision),
        )
        await ctx.publish(DOWNTIME_CLASSIFIED, segment, identity)
