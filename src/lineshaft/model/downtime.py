"""What a stop was: the reason that people gave, and the class that decides whether it is posted."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from lineshaft.core.values import Key, Moment, Value
from lineshaft.model.measures import Seconds, in_order, not_negative

__all__ = [
    "ClassifiedStop",
    "DowntimeRecord",
    "DowntimeState",
    "ReasonCode",
    "ReasonKind",
    "StopClass",
    "StopReason",
    "StopRef",
    "TimeCategory",
]


class StopRef(Value, frozen=True, kw_only=True):
    """A stop whose reason is asked for. reason_code: as the equipment tells it, empty without one."""

    equipment_id: Key
    start_time: Moment
    end_time: Moment
    reason_code: str = ""


class StopReason(Value, frozen=True, kw_only=True):
    """code: empty while nobody has given one; leaf: none is finer; erp_postable: downtime of it is posted."""

    equipment_id: Key
    code: str = ""
    leaf: bool = False
    erp_postable: bool = False


class StopClass(StrEnum):
    DOWNTIME = "downtime"
    MINOR_STOP = "minor_stop"
    BLOCKED_OR_STARVED = "blocked_or_starved"
    PLANNED = "planned"
    NOT_SCHEDULED = "not_scheduled"
    UNCLASSIFIED = "unclassified"


class ClassifiedStop(Value, frozen=True, kw_only=True):
    """One segment [start_time, end_time) of a stop, within one shift; a posted one is a downtime_record.

    stop_start_time           of the whole stop; (equipment, rule, it, segment, revision) is one fact
    segment                   number within the stop, from 0
    revision                  one more each time the segment was classified anew: what was posted is reversed
    duration                  seconds
    erp_postable              only then it may be posted
    cause                     why it is not, or of this class: snake_case; empty where there is nothing to say
    root_cause_equipment_id   the equipment upstream that stopped first
    """

    equipment_id: Key
    physical_asset_id: Key
    rule: str
    rule_version: str
    stop_start_time: Moment
    segment: int
    revision: int = 0
    start_time: Moment
    end_time: Moment
    duration: Decimal
    classification: StopClass
    erp_postable: bool
    cause: str = ""
    reason_code: str = ""
    root_cause_equipment_id: Key | None = None
    work_center_id: Key
    operations_request_id: Key | None = None
    job_order_id: Key | None = None
    shift_id: Key | None = None
    shift_date: date | None = None


class TimeCategory(StrEnum):
    UNPLANNED_DOWNTIME = "unplanned_downtime"
    PLANNED_DOWNTIME = "planned_downtime"
    MINOR_STOP = "minor_stop"
    CHANGEOVER = "changeover"
    NOT_SCHEDULED = "not_scheduled"
    BLOCKED_STARVED = "blocked_starved"


class DowntimeState(StrEnum):
    """voided: taken back, a later revision holds"""

    CLASSIFIED = "classified"
    OPEN = "open"
    CLOSED = "closed"
    POSTED = "posted"
    VOIDED = "voided"


class DowntimeRecord(Value, frozen=True, kw_only=True):
    """A stop as the MES records it, within one shift.

    revision             one more each time that it was classified anew; (equipment, start, revision) is one
    duration             seconds
    evidence_event_ids   what it came of
    """

    id: Key
    equipment_id: Key
    start_time: Moment
    time_category: TimeCategory
    reason_code: Key
    shift_id: Key
    state: DowntimeState
    evidence_event_ids: Annotated[list[Key], Meta(min_length=1)]
    revision: int = 0
    end_time: Moment | None = None
    duration: Seconds | None = None
    root_cause_equipment_id: Key | None = None
    job_order_id: Key | None = None
    maintenance_request_id: Key | None = None

    def __post_init__(self) -> None:
        not_negative(duration=self.duration)
        in_order(start_time=self.start_time, end_time=self.end_time)


class ReasonKind(StrEnum):
    DOWNTIME = "downtime"
    SCRAP = "scrap"
    REWORK = "rework"
    VARIANCE = "variance"
    HOLD = "hold"


class ReasonCode(Value, frozen=True, kw_only=True):
    """A node of the tree of reasons. level: 0 at the root; only leaves can be postable"""

    code: Key
    level: int
    kind: ReasonKind
    erp_postable: bool
    parent_code: Key | None = None
    time_category: TimeCategory | None = None
    effective_start_date: date | None = None
    effective_end_date: date | None = None
