"""What a stop was, segment by segment, and whether it may be posted. Pure.

A segment may be posted only if the stop was in production mode, began in a settled stop state, and was long
enough; if there was an active job, and a leaf reason code marked postable; and if the segment is inside
a shift, and no break, planned downtime, holiday or planned maintenance covers it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from lineshaft.core.errors import BusinessFault
from lineshaft.model.calendar import CalendarEntry, EntryType
from lineshaft.model.downtime import ClassifiedStop, StopClass, StopReason
from lineshaft.model.equipment_state import STOP_STATES, Downtime, UnitMode
from lineshaft.model.maintenance import PlannedOrder
from lineshaft.model.production import ProductionContext

__all__ = ["classify", "end_of", "waits_for_reason"]

_MICROSECOND = timedelta(microseconds=1)
_NO_REASON, _REASON_GROUP = "no_reason", "reason_is_a_group"


class _Verdict(NamedTuple):
    """Neighbours with an equal one are one segment. shift: None outside of every shift and holiday"""

    classification: StopClass
    cause: str
    shift: CalendarEntry | None


def classify(
    stop: Downtime,
    entries: Sequence[CalendarEntry],
    context: ProductionContext,
    reason: StopReason,
    planned: Sequence[PlannedOrder],
    *,
    revision: int = 0,
) -> list[ClassifiedStop]:
    """The segments of a stop: in order, without gaps, none over a shift border.

    entries, planned   those that overlap the stop; the context is that of the stop, too
    raises             BusinessFault for a stop that is not over

    How long a stop is, is asked of the whole: what a shift border leaves of it is no minor stop.
    """
    of_whole = _whole(stop, context, reason)
    parts: list[tuple[datetime, datetime, _Verdict]] = []
    for start, end in pairwise(_cuts(stop.start_time, end_of(stop), entries, planned)):
        verdict = _verdict(start, of_whole, entries, planned)
        if parts and parts[-1][2] == verdict:
            start = parts.pop()[0]  # noqa: PLW2901 - they are one
        parts.append((start, end, verdict))
    return [
        ClassifiedStop(
            equipment_id=stop.equipment_id,
            physical_asset_id=stop.physical_asset_id,
            rule=stop.rule,
            rule_version=stop.rule_version,
            stop_start_time=stop.start_time,
            segment=number,
            revision=revision,
            start_time=start,
            end_time=end,
            duration=_seconds(start, end),
            classification=verdict.classification,
            erp_postable=verdict.classification is StopClass.DOWNTIME and reason.erp_postable,
            cause=verdict.cause,
            reason_code=reason.code,
            root_cause_equipment_id=stop.upstream or None,
            work_center_id=context.work_center_id,
            operations_request_id=context.operations_request_id,
            job_order_id=context.job_order_id,
            shift_id=verdict.shift.shift_id if verdict.shift else None,
            shift_date=verdict.shift.shift_date if verdict.shift else None,
        )
        for number, (start, end, verdict) in enumerate(parts)
    ]


def waits_for_reason(segments: Sequence[ClassifiedStop]) -> bool:
    """Only a reason is missing: once there is one, some of it is downtime."""
    return any(segment.cause in {_NO_REASON, _REASON_GROUP} for segment in segments)


def end_of(stop: Downtime) -> datetime:
    """raises  BusinessFault for a stop that is not over"""
    if stop.end_time is None or stop.end_time <= stop.start_time:
        raise BusinessFault(
            f"the stop of {stop.equipment_id} at {stop.start_time} ends at {stop.end_time}",
            code="stop_without_end",
            owner="production",
            hint="correct its end_time",
        )
    return stop.end_time


def _whole(stop: Downtime, context: ProductionContext, reason: StopReason) -> tuple[StopClass, str]:
    """What it is within a shift, where nothing else was planned."""
    length_s = (end_of(stop) - stop.start_time).total_seconds()
    out_of_production = stop.mode not in {None, UnitMode.PRODUCTION} or stop.state not in STOP_STATES
    has_job = bool(context.job_order_id or context.operations_request_id)
    tests = (
        (length_s < stop.minor_stop_s, StopClass.MINOR_STOP, ""),
        (bool(stop.upstream), StopClass.BLOCKED_OR_STARVED, ""),
        (out_of_production, StopClass.UNCLASSIFIED, "not_in_production"),
        (not has_job, StopClass.NOT_SCHEDULED, "no_active_job"),
        (not reason.code, StopClass.UNCLASSIFIED, _NO_REASON),
        (not reason.leaf, StopClass.UNCLASSIFIED, _REASON_GROUP),
        (not reason.erp_postable, StopClass.DOWNTIME, "reason_not_postable"),
    )
    return next(((found, cause) for holds, found, cause in tests if holds), (StopClass.DOWNTIME, ""))


def _cuts(
    start: datetime, end: datetime, entries: Sequence[CalendarEntry], planned: Sequence[PlannedOrder]
) -> list[datetime]:
    """Both ends, and all moments between at which something begins or ends."""
    moments = {start, end}
    for entry in entries:
        moments |= {entry.start_date_time, entry.finish_date_time}
    for order in planned:
        moments |= {order.start_time, order.end_time}
    return sorted(moment for moment in moments if start <= moment <= end)


def _verdict(
    start: datetime,
    of_whole: tuple[StopClass, str],
    entries: Sequence[CalendarEntry],
    planned: Sequence[PlannedOrder],
) -> _Verdict:
    """Of the time between two cuts, the first of which is `start`."""
    here = {
        entry.entry_type: entry
        for entry in entries
        if entry.start_date_time <= start < entry.finish_date_time
    }
    shift = here.get(EntryType.HOLIDAY) or here.get(EntryType.SHIFT)
    if EntryType.HOLIDAY in here:
        return _Verdict(StopClass.NOT_SCHEDULED, "holiday", shift)
    if EntryType.SHIFT not in here or EntryType.NOT_SCHEDULED in here:
        return _Verdict(StopClass.NOT_SCHEDULED, "outside_of_shifts", shift)
    for kind in (EntryType.PLANNED_DOWNTIME, EntryType.BREAK):
        if kind in here:
            return _Verdict(StopClass.PLANNED, kind.value, shift)
    if any(order.start_time <= start < order.end_time for order in planned):
        return _Verdict(StopClass.PLANNED, "planned_maintenance", shift)
    return _Verdict(*of_whole, shift)


def _seconds(start: datetime, end: datetime) -> Decimal:
    return Decimal((end - start) // _MICROSECOND) / 1_000_000
